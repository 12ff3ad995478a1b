"""Rows F11 to F20: everything that can happen to a send."""

from typing import Any

from tests.matrix.harness import Rules, row
from tests.matrix.rows import X1, T, case
from tests.matrix.traffic import Connection, Role
from tests.matrix.world import World

#: What a module has to say about a payload that did not come in full.
_GIVEN_UP = ("data entry was not completed in time",)


#: So few bytes that an ``AT`` said to a module that waits for them would complete them.
_TINY = Role("tiny", ((2, 2),) * 60, closes="client", pause_s=0.05)


async def _under_way(w: World, role: str | Role = "upload") -> Connection:
    """Start a victim among others; return it when it is well under way."""
    victim = await w.start(role)
    await victim.moved(up=min(9000, victim.role.up // 3))
    return victim


async def _upload(w: World) -> int:
    return (await _under_way(w)).link


def _all_done(w: World, calm: World | None) -> float:
    """Return how much later the last byte of all connections was there, seconds."""
    assert calm is not None
    return max(c.ended_at for c in w.connections) - max(c.ended_at for c in calm.connections)


@row(
    11,
    "a prompt that comes 4 s late",
    [
        case("nobody else on the line", T, 4.0, others=[]),
        case("beside others", T, 4.0, others=None),
    ],
    rules=Rules(measure=_all_done),
)
async def test_f11(w: World, others: list[str] | None) -> None:
    """The link is charged for the time (rulings.md 18), so others catch up with it first.

    That is why the measure is the last byte of all: it is what the line lost.
    """
    victim = await w.start("upload", others=others)
    await victim.moved(up=9000)
    w.inject("prompt_late", link=victim.link, delay_s=4, times=1)
    w.excused_s = 0.2  # polls and probes that come due in these 4 s


@row(
    12,
    "a prompt that never comes, once",
    [
        case("the command was lost", T, 6.0, victim="upload", module="idle"),
        case("of a dialogue", T, 6.0, victim="echo", module="idle"),
        # rulings.md 4-5: it is in data entry, and so is what we said to find that out
        case("the module waits for payload", X1, 60.0, victim="upload", module="waiting"),
        # rulings.md 4: nothing may be said to find out, so it is taken for data entry
        case("of 2 bytes, lost", X1, 60.0, victim=_TINY, module="idle"),
        case("of 2 bytes, waits", X1, 60.0, victim=_TINY, module="waiting"),
    ],
    complaints=_GIVEN_UP,
)
async def test_f12(w: World, victim: str | Role, module: str) -> None:
    link = (await _under_way(w, victim)).link
    w.inject("prompt_lost", link=link, module=module, times=1)


@row(13, "a prompt that never comes, three times on one link", X1, 20.0)
async def test_f13(w: World) -> None:
    link = await _upload(w)
    w.inject("prompt_lost", link=link, times=3)


@row(
    14,
    "CIPSEND is ERROR before the prompt",
    [case("once", T, 3.0, times=1), case("three times", X1, 3.0, times=3)],
)
async def test_f14(w: World, times: int) -> None:
    link = await _upload(w)
    w.inject("send_error", link=link, times=times)


@row(15, "OK, and the +CIPSEND result 10 s late", T, 10.0)
async def test_f15(w: World) -> None:
    link = await _upload(w)
    w.inject("late_result", link=link, delay_s=10, times=1)


@row(
    16,
    "the +CIPSEND result lost, CIPACK shows that it was accepted",
    [
        case("of an upload", T, 20.0, victim="upload", lost="result"),
        case("of a dialogue", T, 20.0, victim="echo", lost="result"),
        case("its OK lost, the result not", T, 20.0, victim="upload", lost="ok"),
        case("the same of a dialogue", T, 20.0, victim="echo", lost="ok"),
    ],
)
async def test_f16(w: World, victim: str, lost: str) -> None:
    link = (await _under_way(w, victim)).link
    if lost == "result":
        w.inject("drop_urc", urc="send_result", link=link, times=1)
    else:
        w.inject("lose_final", command="+CIPSEND", link=link, times=1)


@row(
    17,
    "the +CIPSEND result lost, CIPACK not usable",
    [case("never was", X1, 25.0, never=True), case("not any more", X1, 25.0, never=False)],
)
async def test_f17(w: World, never: bool) -> None:
    if never:
        w.module.set_profile(cipack=False)
    link = await _upload(w)
    w.inject("drop_urc", urc="send_result", link=link, times=1)
    w.inject("no_cipack")


@row(
    18,
    "ERROR after the payload",
    [
        case("and it was sent", X1, 1.0, victim="upload", sent=True),
        case("not sent", X1, 1.0, victim="upload", sent=False),
        case("a dialogue, sent", X1, 1.0, victim="echo", sent=True),
        case("a dialogue, not sent", X1, 1.0, victim="echo", sent=False),
    ],
)
async def test_f18(w: World, victim: str, sent: bool) -> None:
    link = (await _under_way(w, victim)).link
    w.inject("send_fails", link=link, sent=sent, times=1)


@row(
    19,
    "payload bytes lost on the way to the module (it waits for them)",
    [
        case("1 byte", X1, 60.0, victim="upload", least=1, most=1, times=1),
        case("7 bytes", X1, 60.0, victim="upload", least=7, most=7, times=1),
        case("here and there", X1, 60.0, victim="upload", least=1, most=60, for_s=0.1),
        case("all of it", X1, 60.0, victim="upload", least=1500, most=1500, for_s=0.1),
        case("1 of 2 bytes", X1, 60.0, victim=_TINY, least=1, most=1, times=1),
        case("all of 2 bytes", X1, 60.0, victim=_TINY, least=2, most=2, times=1),
    ],
    complaints=_GIVEN_UP,
)
async def test_f19(w: World, victim: str | Role, **fault: Any) -> None:
    link = (await _under_way(w, victim)).link
    at_prompt = {"phase": "prompt", "link": link}
    w.inject("lose_bytes", direction="in", where="payload", on_send=at_prompt, **fault)


@row(
    20,
    "a result that confirms less than was sent",
    [
        case("20 fewer, and the rest not taken", T, 1.0, missing=20, taken=False),
        case("20 fewer, and the rest taken", X1, 1.0, missing=20, taken=True),
        case("0, and nothing taken", T, 1.0, confirmed=0, taken=False),
        case("0, and all taken", X1, 1.0, confirmed=0, taken=True),
        case("-1", X1, 1.0, confirmed=-1, link_dies=True),
    ],
)
async def test_f20(w: World, **fault: Any) -> None:
    link = await _upload(w)
    w.inject("short_confirm", link=link, times=1, **fault)

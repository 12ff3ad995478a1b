"""Rows F21 to F30: busy answers, double verdicts, and everything that can happen to a read."""

from dataclasses import replace
from typing import Any

from tests.matrix.harness import Rules, row
from tests.matrix.rows import X1, Case, T, case
from tests.matrix.traffic import Role, download, echo, upload
from tests.matrix.world import World

#: Bystanders that are busy all the time, with little: any pause of theirs shows.
_TRICKLE_UP = Role("upload", ((900, 0),) * 60, closes="client", pause_s=0.4)
_TRICKLE_DOWN = Role("trickle down", ((64, 30000),), piece=500, piece_s=0.4)
_KEYS = echo(60, size=20, pause_s=0.4)
_TRICKLES = (_TRICKLE_UP, _TRICKLE_DOWN, _KEYS)


def bystanders_wait(w: World, calm: World | None) -> list[str]:
    """Say which bystanders were slower than in calm: nothing may happen to them."""
    assert calm is not None
    found = []
    for mine, theirs in zip(w.connections, calm.connections, strict=True):
        extra = mine.duration_s - theirs.duration_s
        if not mine.victim and extra > 0.05 * theirs.duration_s + 0.1:
            found.append(f"{mine.name} took {extra:.2f} s longer")
    return found


def _over_60_percent(w: World, calm: World | None) -> float:
    """Seconds that the slowest connection took beyond what 60 % of its goodput allows."""
    assert calm is not None
    pairs = zip(w.connections, calm.connections, strict=True)
    return max(mine.duration_s - theirs.duration_s / 0.6 for mine, theirs in pairs)


@row(
    21,
    "busy on 30 % of sends",
    [case("+CIPERROR: 8", T, 0.0, form="code"), case("TCP busy", T, 0.0, form="text")],
    rules=Rules(
        measure=lambda w, calm: max(0.0, _over_60_percent(w, calm)),
        check=lambda w, calm: ["goodput < 60 %"] if _over_60_percent(w, calm) > 0 else [],
    ),
)
async def test_f21(w: World, form: str) -> None:
    await w.start(upload(100000), others=[upload(100000), download(100000), echo(50)])
    w.inject("send_busy", form=form, probability=0.3)


@row(
    22,
    "busy on one link for 20 s",
    [
        case("an upload", T, 22.0, role=upload(), form="code"),
        case("an upload, TCP busy", T, 22.0, role=upload(), form="text"),
        case("a dialogue", T, 22.0, role=echo(), form="code"),
        case("a dialogue, TCP busy", T, 22.0, role=echo(), form="text"),
        case(
            "an answer under way", T, 22.0, role=Role("upload", ((30000, 30000),)), form="code"
        ),
    ],
    rules=Rules(check=bystanders_wait),
)
async def test_f22(w: World, role: Role, form: str) -> None:
    victim = await w.start(role, others=_TRICKLES)
    w.inject("send_busy", link=victim.link, form=form, for_s=20)


def _reads_wait(w: World, calm: World | None) -> list[str]:
    """Say which downloads were slower than in calm: reads go on."""
    assert calm is not None
    pairs = zip(w.connections, calm.connections, strict=True)
    return [
        f"{mine.name} took {mine.duration_s:.2f} s instead of {theirs.duration_s:.2f}"
        for mine, theirs in pairs
        if mine.role.up < 100 and mine.duration_s > 1.05 * theirs.duration_s + 0.1
    ]


@row(
    23,
    "busy on all links for 20 s",
    [case("+CIPERROR: 8", T, 22.0, form="code"), case("TCP busy", T, 22.0, form="text")],
    rules=Rules(check=_reads_wait),
)
async def test_f23(w: World, form: str) -> None:
    others = [upload(), echo(), download(), _TRICKLE_DOWN, _TRICKLE_UP, _KEYS]
    await w.start(upload(), others=others)
    w.inject("send_busy", form=form, for_s=20)


@row(
    24,
    "busy on one link for ever",
    # rulings.md 7: it is held for stall_s, 30 s here
    [
        case("an upload", X1, 35.0, role=upload(), form="code", cipack=True),
        case("an upload, TCP busy", X1, 35.0, role=upload(), form="text", cipack=True),
        case("a dialogue", X1, 35.0, role=echo(), form="code", cipack=True),
        case("without CIPACK", X1, 35.0, role=upload(), form="code", cipack=False),
    ],
    rules=Rules(check=bystanders_wait),
    timeouts={"stall_s": 30},
)
async def test_f24(w: World, role: Role, form: str, cipack: bool) -> None:
    w.module.set_profile(cipack=cipack)
    victim = await w.start(role, others=_TRICKLES)
    w.inject("send_busy", link=victim.link, form=form)


@row(
    25,
    "a bad verdict on a send, and right behind it the good one",
    [
        case("0 confirmed, then all", X1, 1.0, first="short"),
        case("ERROR, then OK", X1, 1.0, first="error"),
    ],
)
async def test_f25(w: World, first: str) -> None:
    victim = await w.start("upload", others=["upload", "download", "echo", "echo"])
    await victim.moved(up=9000)
    w.inject("double_verdict", link=victim.link, first=first, times=1)


#: One read more: the module's latency, and its command, header and end on the line.
_TURN_S = 0.005 + 75 * 10 / 921600


def _extra_beside_turns(w: World, calm: World | None) -> float:
    """What all together took longer, less a turn for each read that was needed for it."""
    assert calm is not None
    more = max(w.notes["lies"], w.notes["reads"] - calm.notes["reads"])
    return max(0.0, _whole_s(w) - _whole_s(calm) - more * _TURN_S)


def _whole_s(w: World) -> float:
    return max(c.ended_at for c in w.connections) - min(c.opened_at for c in w.connections)


def _far_closes(role: Role) -> Role:
    return replace(role, closes="far")


_BOTH = Role("upload", ((30000, 30000),), closes="client")
_GET = Role("download", ((64, 60000),), closes="client")


@row(
    26,
    "a read gives less than was asked for, or than was announced",
    [
        case("at most 1000", T, 0.0, fault="short_read", most=1000),
        case("at most 100", T, 0.0, fault="short_read", most=100),
        case("29 announced too many", T, 0.0, fault="rest_lies", by=29),
        case("29 too few", T, 0.0, fault="rest_lies", by=-29),
        case("29 too many, 0 never", T, 0.0, fault="rest_lies", by=29, also_zero=True),
    ],
    rules=Rules(measure=_extra_beside_turns),
)
async def test_f26(w: World, fault: str, **given: Any) -> None:
    # rulings.md 1: bytes that were announced and cannot be read forbid the far side's FIN
    ends = replace if given.get("also_zero") else _far_closes
    roles = [ends(role) for role in (_BOTH, _GET)]
    await w.start(roles[0], others=[roles[1], echo()])
    w.inject(fault, **given)
    await w.finish()
    w.notes["reads"] = w.module.commands["+CIPRXGET"]
    w.notes["lies"] = sum(struck.name == "rest_lies" for struck in w.box.log)


def _refused(  # the answer is refused so many times
    name: str, code: str, role: Role, form: str, waiting: str, times: int
) -> Case:
    return case(name, code, 0.0, role=role, form=form, waiting=waiting, times=times)


@row(
    27,
    "a read is refused",
    [
        _refused("No data, there is none", T, echo(), "no_data", "nothing", 1),
        _refused("ERROR, there is none", T, echo(), "error", "nothing", 1),
        _refused("No data, there is some", T, _GET, "no_data", "data", 1),
        _refused("ERROR, there is some", T, _GET, "error", "data", 1),
        _refused("ERROR twice, there is some", T, _GET, "error", "data", 2),
        # everything waits for just that answer, and it is not announced again
        _refused("No data, in a dialogue", T, echo(), "no_data", "data", 1),
        _refused("ERROR, in a dialogue", T, echo(), "error", "data", 1),
        _refused("ERROR three times", X1, _GET, "error", "data", 3),
    ],
)
async def test_f27(w: World, role: Role, **fault: Any) -> None:
    victim = await w.start(role)
    await victim.moved(down=9000)
    w.inject("read_refused", link=victim.link, **fault)


def _losses() -> list[Case]:
    places = [(2, "start"), (2, "end"), (4, "start"), (4, "middle"), (4, "end")]
    places += [(40, "middle"), (700, "end")]
    return [
        case(
            f"{count} at the {where}, trailer {trailer!r}",
            X1,
            3.0,
            count=count,
            where=where,
            trailer=trailer,
        )
        for trailer in ("\r\n", "\r\n\r\n")
        for count, where in places
    ]


@row(28, "bytes of a read's payload lost on the line", _losses())
async def test_f28(w: World, count: int, where: str, trailer: str) -> None:
    w.module.set_profile(trailer=trailer)
    victim = await w.start("download")
    await victim.moved(down=9000)
    w.inject("lose_payload", link=victim.link, count=count, where=where, times=1)


@row(
    29,
    "a bit of a digit in a read's header flipped",
    [
        case(f"{field}, bit {bit}", "T|X1", 3.0, field=field, bit=bit)
        for field in ("link", "read", "rest")
        for bit in range(7)
    ],
)
async def test_f29(w: World, field: str, bit: int) -> None:
    victim = await w.start("download")
    await victim.moved(down=9000)
    w.inject("flip_header", link=victim.link, field=field, bit=bit, times=1)


@row(
    30,
    "echo switched on",
    # A4 allows XA as well; it is switched off again, and everything asked, without a reset
    [
        case("beside bulk", T, 3.0, role=upload()),
        case("beside a dialogue", T, 3.0, role=echo()),
    ],
)
async def test_f30(w: World, role: Role) -> None:
    victim = await w.start(role)
    await victim.moved(up=5000)
    w.inject("echo_on")

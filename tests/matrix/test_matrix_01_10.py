"""Rows F1 to F10: data reports, and the shape of what the module says."""

from math import ceil

import trio

from tests.matrix.harness import Rules, row
from tests.matrix.rows import T, case
from tests.matrix.traffic import HOSTILE, Role, download, echo, upload
from tests.matrix.world import World

#: What a module says of its own accord, and means no harm by. (``+CPIN: READY`` and
#: ``+CGEV: EPS PDN ACT 1`` might: they make the proxy look at once, and no connection gets a
#: clean end before it has. The storm of F3 has them.)
_CHATTER = ["+CREG: 1", '+CMTI: "SM",1', "+CNSMOD: 8", "+CGREG: 5"]
#: A far side that thinks for longer than any burst of polls lasts.
_THINKER = Role("thinker", ((200, 200),) * 4, closes="client", think_s=3.0)


@row(
    1,
    "one +CIPRXGET: 1,n suppressed",
    [
        case("in a quick dialogue", T, 1.0, victim=echo(), early=False),
        case("of an answer 3 s after the question", T, 1.0, victim=_THINKER, early=False),
        case("of a transfer's first byte", T, 1.0, victim=download(), early=True),
    ],
)
async def test_f01(w: World, victim: Role, early: bool) -> None:
    if early:
        await w.start("echo", others=["upload"])
        link = await w.link_of(w.connect(victim))
    else:
        link = (await w.start(victim)).link
    w.inject("drop_urc", urc="data", link=link, times=1)


def _extra_rounds(w: World, calm: World | None) -> list[float]:
    """Return what each question waited longer for its answer than in calm, in order."""
    assert calm is not None
    return sorted(
        mine - theirs
        for hurt, undisturbed in zip(w.connections, calm.connections, strict=True)
        for mine, theirs in zip(hurt.round_s, undisturbed.round_s, strict=True)
        if len(hurt.round_s) > 1 or hurt.victim
    )


def _p99(w: World, calm: World | None) -> float:
    """Return what a question waited longer: the 99th percentile."""
    extras = _extra_rounds(w, calm)
    return max(0.0, extras[ceil(len(extras) * 0.99) - 1])


def _slowest(w: World, calm: World | None) -> float:
    """Return the most that a question waited longer."""
    return max(0.0, _extra_rounds(w, calm)[-1])


@row(2, "all data URCs suppressed", T, 2.0, rules=Rules(measure=_p99))
async def test_f02(w: World) -> None:
    w.inject("drop_urc", urc="data")
    thinker = Role("thinker", ((200, 200),) * 30, closes="client", think_s=1.5)
    await w.start(echo(60, pause_s=0.5), others=[upload(), download(), thinker, thinker])


def _arrived(w: World) -> int:
    return sum(
        len(c.received) + sum(len(far.received) for far in c.fars) for c in w.connections
    )


def _goodput(w: World, calm: World | None) -> list[str]:
    assert calm is not None
    share = w.notes["storm"] / calm.notes["storm"]
    return [] if share >= 0.5 else [f"goodput in the storm is {share:.0%} of the calm one"]


@row(3, "URC storm, 500/s for 2 s", T, 0.0, rules=Rules(check=_goodput))
async def test_f03(w: World) -> None:
    await w.start(upload(200000), others=[download(200000), echo(100)])
    before = _arrived(w)
    w.inject("urc_storm", rate=500, for_s=2)
    await trio.sleep(2)
    w.notes["storm"] = _arrived(w) - before


@row(
    4,
    "data lands between the last read (rest=0) and its OK",
    [case(f"{gap} ms after the first", T, 0.3, piece_s=gap / 1000) for gap in (1, 6, 11, 16)],
    rules=Rules(measure=_slowest),
)
async def test_f04(w: World, piece_s: float) -> None:
    """Answers in two pieces: the second lands anywhere in the gap of a read of the first."""
    answers = Role("echo", ((100, 300),) * 20, "client", piece=150, piece_s=piece_s)
    await w.start(answers, others=[upload(20000), download(20000)])
    w.inject("read_gap", delay_s=0.012)


@row(5, "URCs before the first line of every answer, and between all others", T)
async def test_f05(w: World) -> None:
    await w.start("echo")
    w.inject("urc_everywhere", lines=_CHATTER, places=["line"])


@row(
    6,
    "URCs between command and prompt, between prompt and OK",
    [case("before >", T, 0.0, places=["prompt"]), case("after >", T, 0.0, places=["entry"])],
)
async def test_f06(w: World, places: list[str]) -> None:
    await w.start("upload")
    w.inject("urc_everywhere", lines=_CHATTER, places=places)


@row(7, "URCs between the payload of a read and its OK", T)
async def test_f07(w: World) -> None:
    await w.start("download")
    w.inject("urc_everywhere", lines=_CHATTER, places=["payload"])


@row(
    8,
    "answers in slices",
    [case("of a byte", T, 0.0, most=1), case("of 1 to 7 bytes", T, 0.0, most=7)],
    pace=False,
)
async def test_f08(w: World, most: int) -> None:
    await w.start(upload(20000), others=[download(20000), echo(10)])
    w.inject("slicer", least=1, most=most, pause_s=1e-6)


@row(
    9,
    "an answer stops for 800 ms in its middle",
    [
        case("in the header", T, 1.0, where="header"),
        case("in the payload", T, 1.0, where="payload"),
    ],
)
async def test_f09(w: World, where: str) -> None:
    victim = await w.start(
        "download", others=["download", echo(rounds=8, size=200, pause_s=0.5)]
    )
    await victim.moved(down=5000)
    w.inject("pause", where=where, delay_s=0.8, times=1)


_LOOKALIKE = (
    b"\r\nOK\r\n+IPCLOSE: 0,1\r\n>"
    + b"\x00" * 40
    + b"\x11\x13\x1a\x1b+++"
    + HOSTILE
    + b"\r\n> "
)


def _hostile(number: int, direction: str, size: int) -> bytes:
    start = (number * 13 + len(direction)) % len(_LOOKALIKE)
    return (_LOOKALIKE[start:] + _LOOKALIKE * (size // len(_LOOKALIKE) + 1))[:size]


def _tame(number: int, direction: str, size: int) -> bytes:
    return (b"%d %s, " % (number, direction.encode()) * size)[:size]


@row(10, "payload that looks like the module's words, both ways", T, rules=Rules(vacuous=True))
async def test_f10(w: World) -> None:
    await w.start("echo", payload=_tame if w.calm else _hostile)

"""Rows F31 to F40: ends that the far side makes, a network that goes, and opens that fail."""

from dataclasses import replace
from math import inf
from typing import Any

import trio

from modemproxy.emulator.rx import StreamBuffer
from tests.matrix.harness import Rules, extra_s, row
from tests.matrix.rows import CR, X1, XA, T, case
from tests.matrix.test_matrix_21_30 import bystanders_wait
from tests.matrix.traffic import Connection, Role, download, echo, upload
from tests.matrix.world import World

#: A client that has had its answer and stays, silent.
_IDLE = Role("idle", ((700, 700),), closes="client", pause_s=30)
_BULK = [upload(), download(), echo()]
_ROLES = {"upload": upload(), "download": download(), "dialogue": echo(), "idle": _IDLE}
_STAYS = replace(_IDLE, pause_s=200)
_SLOW = Role("slow dialogue", ((70, 700),) * 8, closes="client", think_s=4)
_DRIP = Role("drip", ((64, 8000),), piece=1000, piece_s=0.5)
#: Little room on the host, so that what a client does not read stays in the module.
_SMALL_QUEUES = (9096, 4096, 4096)


async def _leave_unread(w: World, role: Role, at_least: int) -> Connection:
    """Start a victim that stops reading; return when the module holds that many bytes."""
    victim = w.connect(role, victim=True)
    victim.client_may_read.shut()
    for other in (upload(20000), echo()):
        w.connect(other)
    number = await w.link_of(victim)
    link = w.module.dce.stack.tcp(number)
    assert link is not None
    await trio.sleep(3)  # what the host's queues take is taken, and no more comes
    assert isinstance(link.rx, StreamBuffer)
    assert len(link.rx) >= at_least
    assert not link.is_open
    return victim


_TWO_STAGES = {"second_stage_bytes": 64240 - 9000, "second_stage_delay_s": 0.03}


def _since_strike(w: World, calm: World | None) -> float:
    """Seconds from the strike to the victim's end."""
    return w.victim.ended_at - (w.struck_at or 0.0)


@row(
    31,
    "the far side closes with more than 8 KB unread, all of it readable",
    [
        case("a download", T, 1.0, role=download(24000), dialect={}),
        case(
            "an answer to an upload", T, 1.0, role=Role("post", ((20000, 24000),)), dialect={}
        ),
        case("a buffer in two stages", T, 1.0, role=download(24000), dialect=_TWO_STAGES),
        case("data reports lost", T, 1.0, role=download(24000), dialect={"data_urcs": "none"}),
    ],
    rules=Rules(calm=False, measure=_since_strike),
    queues=_SMALL_QUEUES,
)
async def test_f31(w: World, role: Role, dialect: dict[str, Any]) -> None:
    w.module.set_profile(**dialect)
    victim = await _leave_unread(w, role, 8000)
    w.excused_s = role.down * 10 / 921600  # the drain
    w.hurt("closed, and now read", victim.client_may_read.reopen)


def _nothing_lost(w: World, calm: World | None) -> list[str]:
    far = w.victim.fars[-1]
    return [] if len(w.victim.received) < far.sent else ["nothing was discarded"]


@row(
    32,
    "the far side closes, and the module discards what is unread",
    [
        case(
            "known from the last header",
            X1,
            2.0,
            role=download(200000),
            trigger={},
            reported=False,
        ),
        case(
            "within a read",
            X1,
            2.0,
            role=download(200000),
            trigger={"nth": 3},
            reported=False,
        ),
        case("known from a report only", X1, 2.0, role=echo(), trigger={}, reported=True),
    ],
    rules=Rules(check=_nothing_lost),
)
async def test_f32(w: World, role: Role, trigger: dict[str, int], reported: bool) -> None:
    victim = await w.start(role)
    link = victim.link
    socket = w.module.dce.stack.tcp(link)
    assert socket is not None
    while reported and not socket.rx.waiting():  # noqa: ASYNC110
        await trio.sleep(0.001)
    when = {"on_command": {"name": "+CIPRXGET", "link": link, **trigger}} if trigger else {}
    w.inject("far_close", link=link, discard=True, **when)


@row(
    33,
    "+IPCLOSE lost",
    [
        case("all arrived", T, 15.0, role=_DRIP, closes_after_s=inf),
        case("in an upload", X1, 15.0, role=upload(400000), closes_after_s=1),
        case("a request unanswered", X1, 15.0, role=_SLOW, closes_after_s=1),
        case("a client that stays", T, 15.0, role=_STAYS, closes_after_s=1),
        case("a client that stays, for long", T, 15.0, role=_STAYS, closes_after_s=60),
    ],
    rules=Rules(measure=_since_strike),
)
async def test_f33(w: World, role: Role, closes_after_s: float) -> None:
    victim = await w.start(role, others=["upload", "download", "echo", echo(40, pause_s=0.5)])
    w.inject("drop_urc", urc="closed", link=victim.link, times=1)
    if closes_after_s < inf:  # else it does that by itself
        await trio.sleep(closes_after_s)
        w.inject("far_close", link=victim.link)


@row(
    34,
    "+IPCLOSE in the middle of a send",
    [
        case(f"of {whose} link, at its {phase}", code, 2.0, whose=whose, phase=phase)
        for whose, code in (("the same", X1), ("another", T))
        for phase in ("prompt", "payload", "ok", "result")
    ],
)
async def test_f34(w: World, whose: str, phase: str) -> None:
    sender = await w.start(upload(200000), others=[_IDLE, download(), echo()])
    closes = sender if whose == "the same" else w.connections[1]
    when = {"phase": phase, "nth": 3, "link": sender.link}
    w.inject("far_close", link=closes.link, on_send=when)


@row(
    35,
    "+IPCLOSE: n,2 (sending timed out), and n,0 (closed by the module)",
    [
        case(f"{code}, {name}", X1, 1.0, code=code, role=role)
        for code in (2, 0)
        for name, role in _ROLES.items()
    ],
    profile={"receive_buffer_bytes": 8192},
)
async def test_f35(w: World, code: int, role: Role) -> None:
    victim = await w.start(role)
    half = (role.up + role.down) // 2
    await victim.wait(lambda: len(victim.received) + len(victim.fars[-1].received) >= half)
    w.inject("far_close", link=victim.link, code=code)


@row(
    36,
    "the far side closes with bytes of ours not acknowledged",
    [
        case("in an upload", X1, 2.0, size=60000, when={}),
        case("all of it sent, CIPACK asked", X1, 2.0, size=5000, when={}),
        case("all of it sent, CIPACK not asked", X1, 2.0, size=700, when={"phase": "result"}),
    ],
    window_bytes=500,
)
async def test_f36(w: World, size: int, when: dict[str, Any]) -> None:
    for other in (download(), echo(), echo(20, pause_s=0.5)):
        w.connect(other)
    victim = w.connect(upload(size), victim=True)
    if not w.calm:
        victim.far_may_read.shut()
    link = await w.link_of(victim)
    if when:
        w.inject("far_close", link=link, on_send={"link": link, **when})
    else:
        await trio.sleep(5)
        w.inject("far_close", link=link)
    await w.finish()
    victim.far_may_read.reopen()


@row(
    37,
    "+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY",
    [
        case("NETOPEN? says 0", XA, 10.0, roles=_BULK, netopen_says=0),
        case("NETOPEN? says 1", XA, 10.0, roles=_BULK, netopen_says=1),
        case("nothing is moving", XA, 10.0, roles=[_STAYS] * 3, netopen_says=0),
        case("not said", XA, 10.0, roles=_BULK, urc=False),
        # found by the next look, every 10 s, and then as above
        case("not said, nothing is moving", XA, 20.0, roles=[_STAYS] * 3, urc=False),
    ],
)
async def test_f37(w: World, roles: list[Role], **fault: Any) -> None:
    await w.start(roles[0], others=roles[1:])
    w.inject("lose_network", **fault)


def _dead_for(w: World, calm: World | None) -> float:
    """Seconds until a new client has had its first answer, or what it cost if all held.

    Counted from the first reset, which is when it was noticed, or from the network's return.
    """
    assert calm is not None
    if all(c.end != "RST" for c in w.connections):
        return extra_s(w, calm)
    served = [p.opened_at + p.round_s[0] for p in w.probes if p.received]
    return min(served, default=1e6) - (w.clear_at or min(c.ended_at for c in w.connections))


def _late_detection(w: World, calm: World | None) -> list[str]:
    resets = [c.ended_at for c in w.connections if c.end == "RST"]
    late = max(resets, default=0.0) - (w.struck_at or 0.0)
    return [f"detected after {late:.1f} s"] if late > 60 else []


_ALL_SORTS = (upload(150000), download(150000), echo(200), _STAYS)


@row(
    38,
    "the context is dead without a word",
    [
        case("until NETOPEN, many links", XA, 15.0, roles=_ALL_SORTS, for_s=inf),
        case("until NETOPEN, a request", XA, 15.0, roles=(_SLOW, _STAYS), for_s=inf),
        case("for 100 s", XA, 15.0, roles=_ALL_SORTS, for_s=100),
        case("for 20 s", T, 22.0, roles=_ALL_SORTS, for_s=20),
    ],
    rules=Rules(measure=_dead_for, check=_late_detection),
)
async def test_f38(w: World, roles: tuple[Role, ...], for_s: float) -> None:
    victim = await w.start(roles[0], others=roles[1:])
    ends = "netopen" if for_s == inf else "lifted"
    # with a prompt, so that there are bytes that nobody acknowledges
    when = {"phase": "prompt", "link": victim.link}
    dead = w.inject("network_dead", until=ends, on_send=when)
    if for_s < inf:
        await trio.sleep(for_s)
        dead.lift()
        w.cleared()


async def _open_victim(w: World, fault: str, **given: Any) -> None:
    """Let connections run, and then a client come whose open fails."""
    for role in (upload(100000), download(100000), echo(20, pause_s=0.5)):
        other = w.connect(role)
        await other.moved(up=64)
    w.inject(fault, **given)
    w.connect(echo(), victim=True)
    await w.finish()


_FORMS = ("after_ok", "with_error")


@row(
    39,
    "CIPOPEN fails",
    [
        *(
            case(f"{err}, {form}", CR, 5.0, err=err, form=form, times=1)
            for err in (1, 3, 5, 6, 8, 9, 10, 11, 12)
            for form in _FORMS
        ),
        # a ghost: it is closed, and then it opens
        case("4 once", T, 5.0, err=4, form="with_error", times=1),
        # another number is tried before the client is refused
        case("4 twice", T, 5.0, err=4, form="with_error", times=2),
        case("4 ever again", CR, 5.0, err=4, form="with_error", times=3),
        # behind OK it means that the far side refused (protocol.md 3.2)
        case("4 behind OK", CR, 5.0, err=4, form="after_ok", times=1),
        case("10 after 20 s", CR, 25.0, err=10, form="after_ok", delay_s=20, times=1),
    ],
    rules=Rules(check=bystanders_wait),
)
async def test_f39(w: World, **given: Any) -> None:
    await _open_victim(w, "open_error", **given)


@row(
    40,
    "CIPOPEN is never answered",
    [
        case("OK, and no result", CR, 31.0, fault="open_never"),
        case("neither OK nor result", CR, 31.0, fault="lose_command"),
        case("no OK, but a result", T, 5.0, fault="lose_answer"),
    ],
)
async def test_f40(w: World, fault: str) -> None:
    about = {} if fault == "open_never" else {"command": "+CIPOPEN"}
    await _open_victim(w, fault, times=1, **about)

"""Rows F41 to F50: opens, starts and restarts."""

import logging
from collections.abc import Callable
from typing import Any

import trio

from modemproxy.emulator.links import State
from modemproxy.journal import RestartLoop
from tests.matrix.harness import Rules, row
from tests.matrix.rows import CR, X1, XA, Case, T, case
from tests.matrix.scenes import KINDS, serve_again, served, under
from tests.matrix.traffic import echo
from tests.matrix.world import World

#: Busy for as long as a row may take.
_LONG = echo(rounds=150, size=200, pause_s=1.0)


async def _until(condition: Callable[[], object], limit_s: float) -> float:
    """Wait for something that has no event; return when it came."""
    with trio.fail_after(limit_s):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)
    return trio.current_time()


@row(
    41,
    "CIPOPEN succeeds after we gave up",
    [
        # the far side has seen a connection: "refused" is not quite the word for it
        case("0.5 s later", f"{CR}|{X1}", 5.0, delay_s=30.5),
        case("5 s later", f"{CR}|{X1}", 5.0, delay_s=35.0),
        case("60 s later", f"{CR}|{X1}", 5.0, delay_s=90.0),
    ],
    rules=Rules(measure=lambda w, calm: w.notes["closed"] - w.notes["opened"]),
    autostart=False,
)
async def test_f41(w: World, delay_s: float) -> None:
    w.inject("answer", command="+CIPTIMEOUT")  # this firmware does not bound an open
    await w.up()
    await w.start("echo", others=[_LONG])
    w.victim.victim = False
    w.inject("open_late", delay_s=delay_s, times=1)
    late = w.connect("download", victim=True)
    await late.over.wait()
    if not w.calm:
        assert late.duration_s < w.timeouts.connect_s + 1
        link = next(n for n in w.module.dce.stack.links if n and n.state is State.OPENING)
        w.notes["opened"] = await _until(lambda: link.state is not State.OPENING, 100)
        w.notes["closed"] = await _until(lambda: link.state is State.CLOSED, 100)


def _refused_late(w: World, calm: World | None) -> list[str]:
    waited = [c.duration_s for c in w.connections if c.victim and c.end == "RST"]
    early = [s for s in waited if s < w.timeouts.queue_s]
    return [f"refused after {s:.2f} s" for s in early]


@row(
    42,
    "ten links busy, an eleventh client",
    [
        case("and a twelfth", CR, 5.0, frees=False),
        case("one becomes free after 3 s", T, 5.0, frees=True),
    ],
    timeouts={"queue_s": 5},
    rules=Rules(check=_refused_late),
)
async def test_f42(w: World, frees: bool) -> None:
    stays, leaves = (echo(rounds=n, size=200, pause_s=1.0) for n in (12, 3))
    await w.start(stays, others=[stays] * 8 + [leaves if frees else stays])
    w.victim.victim = False
    w.hurt("an eleventh client", lambda: w.connect("download", victim=True))
    if not frees:
        await trio.sleep(1)
        w.hurt("a twelfth client", lambda: w.connect("upload", victim=True))
    w.excused_s = 0.05  # it waits exactly queue_s, and then is reset


# -- starts --


def _still_there(w: World, calm: World | None) -> list[str]:
    servers = list(w.module.dce.stack.servers)
    return [f"servers go on listening: {servers}"] if servers else []


def _started_in(w: World, calm: World | None) -> float:
    return w.notes["up"] - (w.struck_at or 0.0)


@row(
    43,
    "network open already at the start, and NETCLOSE fails",
    [
        # N is 0 for the traffic; to close what is open takes the start a second or two
        case("NETCLOSE works", T, 3.0),
        case("NETCLOSE is ERROR", T, 3.0, lines=[]),
        case("NETCLOSE is +NETCLOSE: 1 and ERROR", T, 3.0, lines=["+NETCLOSE: 1"]),
    ],
    rules=Rules(measure=_started_in, check=_still_there),
    autostart=False,
)
async def test_f43(w: World, **netclose: list[str]) -> None:
    w.hurt("network open", w.module.preset.network_open)
    w.hurt("a server", lambda: w.module.preset.server(5000))
    if netclose:
        w.inject("answer", command="+NETCLOSE", **netclose)
    await w.up()
    w.notes["up"] = trio.current_time()
    await w.start("download")


@row(
    44,
    "NETOPEN fails three times, then works",
    [
        case("by its result", CR, 30.0, how="result"),
        case("with ERROR", CR, 30.0, how="error"),
    ],
    rules=Rules(measure=_started_in),
    timeouts={"connect_s": 3},
    autostart=False,
)
async def test_f44(w: World, how: str) -> None:
    w.inject("netopen_fails", times=3, how=how)
    w.connect("download", victim=True)
    await w.up()
    w.notes["up"] = trio.current_time()


def _ghosts(w: World, connected: bool) -> None:
    w.module.dce.settings.rxget = 1  # as the last run of ours had set it
    w.module.preset.ghost_links(10, connected=connected)
    for index in range(4):
        w.module.preset.server(5000 + index, index)


@row(
    45,
    "ghost links, their data, and servers at the start",
    [
        case("ten links connected", T, 10.0, connected=True),
        case("ten links closed, their data unread", T, 10.0, connected=False),
        case("and NETCLOSE fails", T, 10.0, connected=True, final="ERROR"),
        case("and NETCLOSE fails, data unread", T, 10.0, connected=False, final="ERROR"),
    ],
    rules=Rules(measure=_started_in, check=_still_there),
    profile={"stale_data_after_reuse": True},
    autostart=False,
)
async def test_f45(w: World, connected: bool, **netclose: str) -> None:
    w.hurt("ghosts", lambda: _ghosts(w, connected))
    if netclose:
        w.inject("answer", command="+NETCLOSE", **netclose)
    await w.up()
    w.notes["up"] = trio.current_time()
    await w.start("download", others=["upload", *["echo"] * 8])


# -- restarts --

_BOOTS_S = (1.0, 3.0, 11.0)


def _restarts(limit_s: float, *kinds: str) -> list[Case]:
    """Every boot time under every traffic; N is counted from the end of the boot."""
    return [
        case(f"{kind}, B = {boot_s:g} s", XA, limit_s + boot_s, kind=kind, boot_s=boot_s)
        for kind in kinds or KINDS
        for boot_s in _BOOTS_S
    ]


@row(47, "the module restarts and says RDY", _restarts(5.0), rules=Rules(calm=False))
async def test_f47(w: World, kind: str, boot_s: float) -> None:
    await under(w, kind)
    w.inject("reboot", banner="RDY", boot_s=boot_s)


@row(48, "the module restarts, and is at 115200 baud", _restarts(10.0), rules=Rules(calm=False))
async def test_f48(w: World, kind: str, boot_s: float) -> None:
    await under(w, kind)
    w.inject("reboot", banner="*ATREADY: 1", boot_s=boot_s, baudrate=115200)


@row(
    49,
    "the module restarts without a word",
    [
        *_restarts(15.0, "idle", "download"),
        # rulings.md 5: where a payload may be pending, silence until the module's own 15 s
        # are over comes first; 5 s more is what F47 has
        *_restarts(15.0 + 5.0, "upload"),
        *(
            case(
                f"of a send: before its {phase}",
                XA,
                15.0 + 5.0 + 3.0,
                kind="upload",
                boot_s=3.0,
                on_send={"phase": phase},
            )
            for phase in ("prompt", "payload", "ok", "result")
        ),
    ],
    rules=Rules(calm=False),
)
async def test_f49(w: World, kind: str, boot_s: float, **moment: Any) -> None:
    await under(w, kind)
    w.inject("reboot", banner="none", boot_s=boot_s, **moment)


class _LogLines(logging.Handler):
    """Counts what a user would see in the log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count it."""
        self.count += 1


def _loop_told(w: World, calm: World | None) -> list[str]:
    """The log is bounded, and says what such a loop means."""
    loops = [e for e in w.lifecycle.journal.events() if isinstance(e, RestartLoop)]
    problems = [] if loops else ["no word of a restart loop"]
    if w.notes["log lines"] > 200:
        problems.append(f"{w.notes['log lines']} log lines in two minutes")
    return problems


@row(
    50,
    "the module restarts every 8 s for 2 min",
    [
        case("and says so", XA, 30.0, banner="RDY", boot_s=3.0),
        case("without a word", XA, 30.0, banner="none", boot_s=3.0),
        case("and is hardly there", XA, 30.0, banner="*ATREADY: 1", boot_s=7.5),
    ],
    rules=Rules(calm=False, check=_loop_told, measure=served),
)
async def test_f50(w: World, banner: str, boot_s: float) -> None:
    await under(w, "upload")
    seen = _LogLines()
    log = logging.getLogger("modemproxy")
    log.addHandler(seen)
    w.inject("boot_loop", period_s=8, for_s=120, banner=banner, boot_s=boot_s)
    await trio.sleep(120)
    log.removeHandler(seen)
    w.notes["log lines"] = seen.count
    await trio.sleep(boot_s)  # the last of them
    await serve_again(w)

"""Rows F55 to F57 and F59: another process, the network, and a client that does not read.

F58 (servers on the module) and F60 (UDP) have files of their own.
"""

import logging
import tracemalloc
from typing import Any, Final

import trio

from tests.matrix.harness import Rules, extra_s, row
from tests.matrix.rows import X1, XA, T, case
from tests.matrix.scenes import IDLE, note_victims, serve_again, served, settled, under
from tests.matrix.traffic import Connection, download, echo, upload
from tests.matrix.world import World


class _Oddities(logging.Handler):
    """Counts what the log says of a line that is not as it should be."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count it."""
        self.count += record.getMessage().startswith("odd on the line")


def _odd(w: World, calm: World | None) -> list[str]:
    """It was noticed, whatever came of it."""
    return [] if w.notes["odd"] else ["nobody noticed"]


def _over_with(w: World, calm: World | None) -> float:
    """Whoever is reset has been, a client was served, and nobody else waits for long."""
    assert calm is not None
    return max(settled(w, calm), extra_s(w, calm))


_ANY = f"{T}|{X1}|{XA}"
_UNKNOWABLE = (
    "inside a payload a foreign command is payload: the module counts its bytes as ours, and "
    "nothing on the line ever tells; only the lock on the port prevents it (F55 says so, "
    "tests/line/test_port.py shows it)"
)


@row(
    55,
    "another process writes AT to the port",
    [
        # nothing was being sent: its OK belongs to nobody, and nobody is hurt
        case("idle", T, 3.0, kind="idle"),
        case("behind a payload", _ANY, 3.0, kind="upload", on_send={"phase": "ok"}),
        case("behind a send", _ANY, 3.0, kind="upload", on_send={"phase": "result"}),
        case("before a read", _ANY, 3.0, kind="download", on_command={"name": "+CIPRXGET"}),
        case(
            "inside a payload",
            f"{X1}|{XA}",
            3.0,
            kind="upload",
            on_send={"phase": "payload"},
            xfail=_UNKNOWABLE,
        ),
    ],
    rules=Rules(probe=False, measure=_over_with, check=_odd),
    complaints=("input while a command executes", "not a command line"),
)
async def test_f55(w: World, kind: str, **moment: Any) -> None:
    now_and_then = echo(rounds=3, size=100, pause_s=5.0)
    roles = {"upload": upload(90_000), "download": download(90_000)}
    role = roles.get(kind, now_and_then)
    await w.start(role, others=[role, now_and_then])
    await trio.sleep(2.5 if kind == "idle" else 1.0)
    oddities = _Oddities()
    log = logging.getLogger("modemproxy.module.health")
    log.addHandler(oddities)
    w.inject("foreign_command", text="AT", **moment)
    if not w.calm:
        await w.struck.wait()
    await serve_again(w)
    await w.finish()
    log.removeHandler(oddities)
    w.notes["odd"] = oddities.count
    note_victims(w)


def _refused_in_time(w: World, calm: World | None) -> list[str]:
    """Clients that came meanwhile waited connect_s (rulings.md 17), and were reset."""
    late = [p for p in w.probes[:1] if p.duration_s > w.timeouts.connect_s + 1]
    kept = [p for p in w.probes[:1] if p.end != "RST"]
    return [f"{p.name}: {p.end} after {p.duration_s:.1f} s" for p in late + kept]


_LOSSES: dict[str, dict[str, Any]] = {
    "registration denied": {"fault": "registration", "state": "denied"},
    "registration denied, without a word": {
        "fault": "registration",
        "state": "denied",
        "urc": False,
    },
    "no coverage": {"fault": "registration", "state": "searching"},
    "no coverage, without a word": {
        "fault": "registration",
        "state": "searching",
        "urc": False,
    },
    "SIM removed": {"fault": "sim"},
    "SIM removed, without a word": {"fault": "sim", "urc": False},
    "CFUN=0, and stuck there": {"fault": "radio_off", "stuck": True},
}


@row(
    56,
    "no registration, no SIM, no radio; and then it is back",
    [
        case(f"{what}, for {after_s:g} s", XA, 15.0, after_s=after_s, **given)
        for what, given in _LOSSES.items()
        for after_s in (100.0, 1200.0)
    ],
    rules=Rules(calm=False, probe=False, measure=served, check=_refused_in_time),
)
async def test_f56(w: World, fault: str, after_s: float, **given: Any) -> None:
    await under(w, "download")
    lost = w.inject(fault, **given)
    await trio.sleep(60)
    w.probe()
    await trio.sleep(after_s - 60)
    lost.lift()
    await serve_again(w)


@row(
    57,
    "the network gives the module another address",
    [
        case("idle", XA, 70.0, kind="idle"),
        case("idle, told by +CGEV", XA, 70.0, kind="idle", told=True),
        case("upload", XA, 70.0, kind="upload"),
        case("download", XA, 70.0, kind="download"),
        case("idle, old connections live on", XA, 70.0, kind="idle", links_die=False),
    ],
    rules=Rules(calm=False),
)
async def test_f57(w: World, kind: str, **given: bool) -> None:
    await under(w, kind)
    w.inject("new_address", **given)


_SLOW_S: Final = 60.0
_PRODUCT: Final = [
    tracemalloc.Filter(True, f"*/modemproxy/{part}/*")
    for part in ("at", "line", "module", "surfaces")
]


def _arrived(connections: list[Connection]) -> int:
    return sum(len(c.received) + len(c.fars[-1].received) for c in connections)


def _kept() -> int:
    """Bytes that the product's code has allocated and still keeps."""
    snapshot = tracemalloc.take_snapshot().filter_traces(_PRODUCT)
    return sum(trace.size for trace in snapshot.traces)


def _others_fair(w: World, calm: World | None) -> list[str]:
    """The rest of the line is for the others, as if the slow reader was not there."""
    assert calm is not None
    share = w.notes["others"] / calm.notes["others"]
    problems = [] if share >= 0.95 else [f"the others had {share:.1%} of their share"]
    if w.notes["grown"] > 50_000:
        problems.append(f"memory grew by {w.notes['grown']:.0f} bytes")
    if w.notes["went on"]:
        problems.append(f"{w.notes['went on']:.0f} bytes came through all the same")
    return problems


@row(
    59,
    "a client reads nothing for 60 s, and every buffer on its way is full",
    T,
    0.0,
    # what the others lose is told by their share, see the check
    rules=Rules(check=_others_fair, measure=lambda w, calm: 0.0),
    profile={"baudrate": 57600, "receive_buffer_bytes": 8000},
    modem={"baudrate": 57600},
    queues=(9096, 6000, 6000),
    window_bytes=6000,
)
async def test_f59(w: World) -> None:
    slow = w.connect(IDLE if w.calm else download(50_000), victim=True)
    others = [w.connect(role) for role in (upload(150_000), download(150_000), echo(100))]
    await slow.moved(down=50)
    w.hurt("the client stops reading", slow.client_may_read.shut)
    await trio.sleep(_SLOW_S / 2)
    sent = slow.fars[-1].sent
    tracemalloc.start()
    arrived, kept = _arrived(others), _kept()
    await trio.sleep(_SLOW_S / 2)
    w.notes["others"] = _arrived(others) - arrived
    w.notes["grown"] = _kept() - kept
    tracemalloc.stop()
    w.notes["went on"] = slow.fars[-1].sent - sent
    slow.client_may_read.reopen()

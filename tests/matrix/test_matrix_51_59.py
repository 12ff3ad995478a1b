"""Rows F51 to F57 and F59: the port, the line's bytes, the network, and a client that idles.

F58 (servers on the module) and F60 (UDP) have files of their own.
"""

from collections.abc import Callable
from typing import Any

import trio

from modemproxy.journal import FlowControlDropped
from tests.matrix.harness import Rules, row
from tests.matrix.roles import Role
from tests.matrix.rows import X1, XA, T, case
from tests.matrix.scenes import IDLE, note_victims, serve_again, served, settled, under
from tests.matrix.setting import CablePort
from tests.matrix.traffic import download, echo, upload
from tests.matrix.world import World

_RESTORED = Rules(calm=False, probe=False, measure=served)


@row(
    51,
    "the device vanishes for 5 s and is back under another name",
    [
        case("idle", XA, 5.0, kind="idle"),
        case("download", XA, 5.0, kind="download"),
        # rulings.md 5: a payload may be pending, and the module's 15 s go by in silence
        case("upload", XA, 15.0, kind="upload"),
        case("the module has restarted meanwhile", XA, 5.0 + 3.0, kind="idle", restarts=True),
    ],
    rules=_RESTORED,
    complaints=("data entry was not completed in time",),
)
async def test_f51(w: World, kind: str, **given: bool) -> None:
    await under(w, kind)
    w.inject("vanish", for_s=5, elsewhere=True, **given)
    await trio.sleep(5)
    await serve_again(w)
    assert w.cable.name == "/dev/ttyUSB1"


class _WiredPort(CablePort):
    """A port with a UART's output buffer, and with flow control that counts."""

    def __init__(self, w: World, without_cts: Callable[[], object]) -> None:
        """Args: without_cts: called when flow control is not asked for (any more)."""
        super().__init__(w.cable)
        self._line, self._module = w.cable, w.module
        self._without_cts = without_cts
        self._until = w.module.bytes_in
        without_cts()  # it is always opened without

    @property
    def unsent(self) -> int:
        """What the module has not taken yet, as TIOCOUTQ tells."""
        return max(0, self._until - self._module.bytes_in)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        self._until += len(data)
        await super().send_all(data)

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Without flow control, nobody looks at CTS."""
        if not rtscts:
            self._without_cts()
        await super().set_line(baudrate=baudrate, rtscts=rtscts)

    async def aclose(self) -> None:
        """Close, and lose what was not sent (tcflush)."""
        self._line.flush()
        await super().aclose()


def _dropped(w: World, calm: World | None) -> list[str]:
    """It is said once, and only where CTS stays low, that flow control is not wired."""
    events = w.lifecycle.journal.events()
    said = sum(isinstance(event, FlowControlDropped) for event in events)
    return [] if said == w.notes["to be said"] else [f"FlowControlDropped {said} times"]


@row(
    52,
    "CTS is low: the module takes no bytes",
    [
        case("for 10 s", T, 10.0, kind="echo", for_s=10.0),
        case("for 10 s, in the middle of a send", T, 10.0, for_s=10.0, kind="payload"),
        case("for 10 s, idle", T, 10.0, for_s=10.0, kind="idle"),
        case("for ever, under a download", XA, 15.0, kind="download", for_s=None),
        case("for ever, idle", XA, 15.0, kind="idle", for_s=None),
        case("for ever, from the start", T, 15.0, kind="start", for_s=None),
        # rulings.md 5: a payload may be pending, and the module's 15 s go by in silence
        case("for ever, in the middle of a send", XA, 15.0 + 15.0, kind="payload", for_s=None),
        case("for ever, before a send", XA, 15.0 + 15.0, kind="command", for_s=None),
    ],
    rules=Rules(check=_dropped),
    modem={"flow_control": "rtscts"},
    autostart=False,
    # half a command has left, and what the proxy says next does not wait for its answer
    complaints=("input while a command executes", "data entry was not completed in time"),
)
async def test_f52(w: World, kind: str, for_s: float | None) -> None:
    blocked: list[Any] = []

    async def open_port() -> CablePort:
        await trio.lowlevel.checkpoint()
        # nobody waits for CTS any more, low as it is
        return _WiredPort(w, lambda: [each.close() for each in blocked])

    w.lifecycle._open_port = open_port
    w.notes["to be said"] = 0 if for_s else 1
    w.excused_s = 1.0  # what was not sent in time has to catch up
    if kind == "start":
        blocked.append(w.inject("blocked", on_command={"name": "+IFC"}))
        w.connect(echo(), victim=True)
        return
    await w.up()
    await w.start(_BLOCKED_UNDER[kind][0], others=_BLOCKED_UNDER[kind][1:])
    await trio.sleep(8 if kind == "idle" else 0.2)
    blocked.append(w.inject("blocked", for_s=for_s, **_BLOCKED_AT.get(kind, {})))


_BLOCKED_UNDER: dict[str, list[Role]] = {
    "idle": [IDLE, IDLE],
    "echo": [echo(), download(200_000), upload(200_000)],
    "download": [download(200_000), download(200_000)],
    "payload": [upload(200_000), download(200_000)],
    "command": [upload(200_000), download(200_000)],
}
_BLOCKED_AT: dict[str, dict[str, Any]] = {
    "payload": {"on_send": {"phase": "prompt"}},
    "command": {"on_send": {"phase": "result"}},
}


_LOSERS = [download(200_000)] * 4 + [upload(100_000), echo(60)]


def _reset_behind(w: World, calm: World | None) -> float:
    """The longest time from the loss before a reset to that reset.

    A loss outside a read's answer may be that of a send's result: as in F17, that takes up
    to 25 s to find out.
    """
    took = [0.0]
    for reset in (c for c in w.connections if c.end == "RST"):
        losses = [s for s in w.box.log if w.box.started + s.time <= reset.ended_at]
        excused_s = 22.0 if losses[-1].detail == "in line" else 0.0
        took.append(reset.ended_at - w.box.started - losses[-1].time - excused_s)
    return max(took)


def _one_each(w: World, calm: World | None) -> list[str]:
    resets = sum(c.end == "RST" for c in w.connections)
    losses = len(w.box.log)
    return [f"{resets} resets for {losses} losses"] if resets > losses else []


@row(
    53,
    "the host's receiver overruns: 1 to 64 bytes are lost",
    [
        case("5 times in a megabyte", f"{T}|{X1}", 3.0, per_mb=5.0),
        case("10 times in a megabyte", f"{T}|{X1}", 3.0, per_mb=10.0),
    ],
    rules=Rules(measure=_reset_behind, check=_one_each),
    complaints=("input while a command executes",),
)
async def test_f53(w: World, per_mb: float) -> None:
    first, *others = _LOSERS
    await w.start(first, others=others)
    w.inject("overrun", per_mb=per_mb)
    await w.finish()
    note_victims(w)


_OUTCOMES_54 = f"{T}|{X1}|{XA}"  # X1: the one whose payload was under way


@row(
    54,
    "deaf for 15 s, and then everything is answered late",
    [
        case("idle", _OUTCOMES_54, 20.0, kind="idle"),
        case("idle, and it has heard nothing", _OUTCOMES_54, 20.0, kind="idle", keep=False),
        case("download", _OUTCOMES_54, 20.0, kind="download"),
        case(
            "download, and it has heard nothing",
            _OUTCOMES_54,
            20.0,
            kind="download",
            keep=False,
        ),
        case("before a prompt", _OUTCOMES_54, 20.0, kind="upload", on_send={"phase": "prompt"}),
        case(
            "before a payload", _OUTCOMES_54, 20.0, kind="upload", on_send={"phase": "payload"}
        ),
        case(
            "before the OK of a send",
            _OUTCOMES_54,
            20.0,
            kind="upload",
            on_send={"phase": "ok"},
        ),
        case("behind a send", _OUTCOMES_54, 20.0, kind="upload", on_send={"phase": "result"}),
        case(
            "before a payload, and it has heard nothing",
            _OUTCOMES_54,
            20.0,
            kind="upload",
            on_send={"phase": "payload"},
            keep=False,
        ),
    ],
    rules=Rules(calm=False, probe=False, measure=settled),
    complaints=(
        "input while a command executes",
        "data entry was not completed in time",
        # what it has heard of a payload when its time is up, it takes for commands
        "not a command line",
        "LF that is not after a CR",
    ),
)
async def test_f54(w: World, kind: str, **given: Any) -> None:
    await under(w, kind)
    w.inject("deaf", for_s=15, **given)
    await w.struck.wait()
    await serve_again(w)
    await w.finish()
    note_victims(w)

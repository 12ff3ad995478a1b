"""The loops that the proxy is compared with: each owns the tty and does what it can.

best         the commands that are needed, the largest chunk, nothing else: the yardstick
round robin  a plain multiplexer: every link in turn, 1460 bytes, no query, no priorities
typical      what embedded drivers do: asks CIPRXGET=4 before each read, reads 64 bytes,
             looks again every 500 ms or when data is announced; sends as it is told

With one link, or with bulk links only, best and round robin are the same commands.
All written from their descriptions; nobody's code.
"""

import time
from collections.abc import Sequence
from typing import Final, Literal

from modemproxy.at.transfer import CHUNK
from modemproxy.bench.far import HOST
from modemproxy.bench.figures import Meter
from modemproxy.bench.payload import Checker, stretch
from modemproxy.bench.runs import Run
from modemproxy.bench.wire import Busy, Wire
from modemproxy.bench.world import World

Style = Literal["best", "typical"]

PING: Final = 32
PING_PAUSE_S: Final = 0.1
_TYPICAL_READ: Final = 64
_TYPICAL_POLL_S: Final = 0.5


class Job:
    """What a loop does on one link.

    Attributes:
        service: the far service it talks to.
        meter: what it received.
    """

    def __init__(self, service: str, style: Style) -> None:
        self.service = service
        self.meter = Meter()
        self._typical = style == "typical"
        self._checker = Checker()
        self._poll_at = 0.0

    def step(self, wire: Wire, link: int) -> bool:
        """Do what is to be done in this turn; False when it was nothing."""
        raise NotImplementedError

    def due_at(self) -> float:
        """Return when there will be something to do without being told."""
        return self._poll_at

    def _receive(self, wire: Wire, link: int) -> int:
        data = self._read(wire, link)
        if data:
            self.meter.note(time.monotonic(), len(data))
            self._checker.feed(data)
            self.meter.wrong = self._checker.wrong
        return len(data)

    def _read(self, wire: Wire, link: int) -> bytes:
        if not self._typical:
            return wire.read(link, CHUNK)[0]
        now = time.monotonic()
        if link not in wire.hinted and now < self._poll_at:
            return b""
        self._poll_at = now + _TYPICAL_POLL_S
        waiting = wire.query(link)
        if not waiting:
            wire.hinted.discard(link)
            return b""
        return wire.read(link, min(waiting, _TYPICAL_READ))[0]


class Down(Job):
    """Receive without end."""

    def step(self, wire: Wire, link: int) -> bool:
        """Read once."""
        return bool(self._receive(wire, link))


class Up(Job):
    """Send without end; a refusal is followed by the next try at once."""

    def __init__(self, service: str, style: Style, size: int = CHUNK) -> None:
        super().__init__(service, style)
        self._size = size
        self._position = 0

    def step(self, wire: Wire, link: int) -> bool:
        """Send once."""
        try:
            wire.send(link, stretch(self._position, self._size))
        except Busy:
            return True
        self._position += self._size
        return True


class Both(Up):
    """Send and receive in turn."""

    def step(self, wire: Wire, link: int) -> bool:
        """Send once, read once."""
        super().step(wire, link)
        self._receive(wire, link)
        return True


class Ping(Job):
    """Send 32 bytes, wait for them, pause, again.

    Attributes:
        times: how long each took, seconds.
    """

    def __init__(self, service: str, style: Style) -> None:
        super().__init__(service, style)
        self.times: list[float] = []
        self._missing = 0
        self._sent_at = self._next_at = 0.0

    def step(self, wire: Wire, link: int) -> bool:
        """Send when it is time; read when there is something."""
        if self._missing:
            return self._take(wire, link)
        if time.monotonic() < self._next_at:
            return False
        self._sent_at = time.monotonic()
        wire.send(link, stretch(self._checker.position, PING))
        self._missing = PING
        return True

    def due_at(self) -> float:
        """Return when the next ping, or look, is to be."""
        return self._poll_at if self._missing else self._next_at

    def _take(self, wire: Wire, link: int) -> bool:
        if link not in wire.hinted and not self._typical:
            return False
        count = self._receive(wire, link)
        self._missing -= count
        if not self._missing:
            now = time.monotonic()
            self.times.append(now - self._sent_at)
            self._next_at = now + PING_PAUSE_S
        return count > 0


async def run_loop(world: World, jobs: Sequence[Job], seconds: float) -> Run:
    """Let a loop have the tty for a while; link numbers are the places in ``jobs``."""
    before = await world.counters()
    wire = Wire(world.tty, world.line.baudrate)
    try:
        _open(wire, world, jobs)
        begun = await world.counters()
        since = time.monotonic()
        _turn(wire, jobs, since + seconds)
        run = Run(since, time.monotonic(), (await world.counters()).since(begun))
        wire.stop()
    finally:
        wire.close()
    run.up = await world.arrivals(run.since, run.until)
    for job in jobs:
        run.note_received(job.service, job.meter)
        run.times += job.times if isinstance(job, Ping) else []
    run.wrong += (await world.counters()).since(before).wrong
    return run


def _open(wire: Wire, world: World, jobs: Sequence[Job]) -> None:
    wire.start()
    for link, job in enumerate(jobs):
        wire.open(link, HOST, world.ports[job.service])


def _turn(wire: Wire, jobs: Sequence[Job], until: float) -> None:
    """Every link in turn until the time is over."""
    while (now := time.monotonic()) < until:
        worked = False
        for link, job in enumerate(jobs):
            worked |= job.step(wire, link)
        if not worked:
            due = min(job.due_at() for job in jobs)
            wire.listen(max(0.0, min(due, until, now + _TYPICAL_POLL_S) - now))

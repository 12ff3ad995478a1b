"""Bytes at the speed of a UART: 10 bits each, on an absolute schedule.

A direction is a clock that says when its last byte has passed. A chunk starts where the one
before ended if it was waiting by then, else now; it is handed on when its last bit has
passed. Lateness of the operating system therefore never adds up. Chunks are what passes in
one tick; a tick is longer while much is queued, which saves wake-ups and changes no rate.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, runtime_checkable

import trio

BITS_PER_BYTE: Final = 10

#: Length of a chunk at the start of a burst, and of the later ones.
TICK_S: Final = 0.001
BULK_TICK_S: Final = 0.004

#: A sleep shorter than this is not worth its wake-up.
_GRAIN_S: Final = 50e-6

#: When the schedule is this late (a suspended machine), it starts anew.
_TOO_LATE_S: Final = 0.25

#: Sleeps until a time of ``trio.current_time()``.
Sleeper = Callable[[float], Awaitable[None]]


@runtime_checkable
class KnowsWaiting(Protocol):
    """A stream that can say whether its last ``receive_some`` had to wait for bytes."""

    waited: bool


class PacedDirection:
    """The clock of one direction of a line.

    Args:
        baudrate: asked for each chunk; None means no pacing.
        sleep_until: how to sleep; ``trio.sleep_until`` has a grain of 1 ms, see finetimer.
    """

    def __init__(
        self, baudrate: Callable[[], int | None], sleep_until: Sleeper = trio.sleep_until
    ) -> None:
        self._baudrate = baudrate
        self._sleep_until = sleep_until
        self._passed = trio.current_time()
        self._in_burst = False

    def chunk_bytes(self) -> int:
        """Return how many bytes to hand to ``wait_passed`` at once, at most."""
        rate = self._baudrate()
        if rate is None:
            return 65536
        tick = BULK_TICK_S if self._in_burst else TICK_S
        return max(1, int(rate * tick / BITS_PER_BYTE))

    async def wait_passed(
        self, size: int, *, queued: bool, since: float | None = None
    ) -> float | None:
        """Wait until ``size`` bytes have passed.

        Args:
            size: bytes of the chunk.
            queued: it was waiting already when the one before had passed.
            since: when it was there to be sent; None is now.

        Returns:
            The exact time its last bit passed, somewhat before the present; None without
            pacing.

        Cancellation: the time is taken as passed.
        """
        rate = self._baudrate()
        if rate is None:
            return None
        now = trio.current_time()
        behind = queued and now - self._passed < _TOO_LATE_S
        self._in_burst = behind
        ready = max(self._passed, now if since is None else since)
        self._passed = (self._passed if behind else ready) + size * BITS_PER_BYTE / rate
        if self._passed - now > _GRAIN_S:
            await self._sleep_until(self._passed)
        return self._passed


class PacedLine:
    """A wire between two streams, each way at the speed of a UART.

    Args:
        left, right: the two ends; not owned.
        baudrate: of both directions; None for no pacing.
        sleeper: makes a sleeper for each direction.
    """

    def __init__(
        self,
        left: trio.abc.Stream,
        right: trio.abc.Stream,
        baudrate: int | None,
        *,
        sleeper: Callable[[], Sleeper] = lambda: trio.sleep_until,
    ) -> None:
        self._ends = (left, right)
        self._baudrate = baudrate
        self._sleeper = sleeper
        self.passed_bytes = [0, 0]

    async def run(self) -> None:
        """Carry bytes both ways until one end closes; cancelled, it loses what is under way."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._carry, 0, nursery.cancel_scope)
            nursery.start_soon(self._carry, 1, nursery.cancel_scope)

    async def _carry(self, index: int, scope: trio.CancelScope) -> None:
        source, target = self._ends[index], self._ends[1 - index]
        direction = PacedDirection(lambda: self._baudrate, self._sleeper())
        while data := (await receive_paced(source, direction))[0]:
            await target.send_all(data)
            self.passed_bytes[index] += len(data)
        scope.cancel()


async def receive_paced(
    source: trio.abc.ReceiveStream, direction: PacedDirection
) -> tuple[bytes, float | None]:
    """Receive a chunk and return it when its last bit has passed, and when that was.

    The chunk is b"" at the end of the stream; the time is None without pacing.

    A chunk counts as queued when it was there without waiting. A tty says so itself; under a
    virtual clock, waiting is what takes time.
    """
    before = trio.current_time()
    data = await source.receive_some(direction.chunk_bytes())
    if data:
        if isinstance(source, KnowsWaiting):
            waited = source.waited
        else:
            waited = trio.current_time() - before > 4 * _GRAIN_S
        return bytes(data), await direction.wait_passed(len(data), queued=not waited)
    return b"", None

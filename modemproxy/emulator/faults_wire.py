"""The wire between the module and its DTE, where bytes may stand still or come in slices.

A module that nobody torments never notices: ``tormented`` is False and nothing is awaited.
Both directions can be held by several holders at once; each lets go of its own hold.
"""

from collections import deque
from collections.abc import Callable, Iterable

import trio

#: Cuts what is to be said into (pause before it in seconds, bytes).
Slicer = Callable[[bytes], Iterable[tuple[float, bytes]]]


class Hold:
    """Something that waits while at least one holder wants it to."""

    def __init__(self) -> None:
        self._holders: set[object] = set()
        self._free = trio.Event()

    @property
    def held(self) -> bool:
        """Whether anybody holds."""
        return bool(self._holders)

    def take(self, holder: object) -> None:
        """Hold; harmless when this holder does already."""
        self._holders.add(holder)

    def release(self, holder: object) -> None:
        """Let go; harmless when this holder does not hold."""
        self._holders.discard(holder)
        if not self._holders:
            self._free.set()
            self._free = trio.Event()

    async def wait_free(self) -> None:
        """Wait until nobody holds; a checkpoint only when somebody does."""
        while self._holders:
            await self._free.wait()


class Wire:
    """Both directions of one module's line.

    Attributes:
        reading: held while the module takes no bytes (CTS low).
        saying: held while what the module says does not get through.
        slicer: cuts what is said; None for not at all.
        taken: bytes taken from the module's queue so far; positions for ``pause_at``.
    """

    def __init__(self) -> None:
        self.reading = Hold()
        self.saying = Hold()
        self.slicer: Slicer | None = None
        self.taken = 0
        self._pauses: deque[tuple[int, float]] = deque()

    def forget(self) -> None:
        """Drop the pauses: what is queued is lost, to another client or by a restart."""
        self._pauses.clear()

    def took(self, size: int) -> None:
        """Note that bytes were taken from the module's queue, and are sent next."""
        self.taken += size

    def pause_at(self, position: int, seconds: float) -> None:
        """Stand still once, before the byte at a position (of ``taken``, not yet taken)."""
        self._pauses.append((position, seconds))

    @property
    def tormented(self) -> bool:
        """Whether ``send`` does anything but send."""
        return self.saying.held or self.slicer is not None or bool(self._pauses)

    async def send(self, stream: trio.abc.SendStream, data: bytes) -> None:
        """Send what was taken last, with all that is to happen to it.

        Cancellation: what was not sent yet is lost, like all that is under way on unplugging.
        """
        if not self.tormented:
            await stream.send_all(data)
            return
        for pause_s, part in self._parts(data):
            if pause_s > 0:
                await trio.sleep(pause_s)
            await self.saying.wait_free()
            await stream.send_all(part)

    def _parts(self, data: bytes) -> Iterable[tuple[float, bytes]]:
        start, wait = self.taken - len(data), 0.0
        done = 0
        while self._pauses and self._pauses[0][0] < self.taken:
            position, seconds = self._pauses.popleft()
            cut = max(done, position - start)
            yield from self._sliced(wait, data[done:cut])
            # an empty part before the pause hands its own pause on
            wait = seconds if cut > done else wait + seconds
            done = cut
        yield from self._sliced(wait, data[done:])

    def _sliced(self, wait: float, data: bytes) -> Iterable[tuple[float, bytes]]:
        if not data:
            return
        if self.slicer is None:
            yield wait, data
            return
        for pause, part in self.slicer(data):
            yield wait + pause, part
            wait = 0.0

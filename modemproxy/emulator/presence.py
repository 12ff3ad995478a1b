"""Whether a USB module's device nodes are there (profile option ``usb``; protocol.md 15).

They go with the power and come back some time after it, both ports at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import trio


class Unpluggable(Protocol):
    """A port that can vanish and be back: ``pty.PtyPort`` and its like."""

    def unplug(self) -> None:
        """Vanish; harmless when it has."""

    def plug_in(self) -> None:
        """Be there again; harmless when it is."""


class Presence:
    """Whether the device is there; always, unless it is a USB one.

    Attributes:
        here: whether it is.
    """

    def __init__(self) -> None:
        self.here = True
        self._changed = trio.Event()
        self._serving: set[trio.CancelScope] = set()

    def change(self, here: bool) -> None:
        """Let the device vanish, which ends whoever is served, or come back."""
        self.here = here
        if not here:
            for scope in self._serving:
                scope.cancel()
        self._changed.set()
        self._changed = trio.Event()

    @contextmanager
    def while_here(self) -> Iterator[None]:
        """Run the block until the device vanishes; not at all when it is not there."""
        with trio.CancelScope() as scope:
            self._serving.add(scope)
            if not self.here:
                scope.cancel()
            try:
                yield
            finally:
                self._serving.remove(scope)

    async def wait_here(self) -> None:
        """Wait until the device is there."""
        await self._wait(True)

    async def wait_gone(self) -> None:
        """Wait until the device is not there."""
        await self._wait(False)

    async def _wait(self, here: bool) -> None:
        await trio.lowlevel.checkpoint()
        while self.here is not here:
            await self._changed.wait()

    async def move(self, port: Unpluggable) -> None:
        """Unplug and plug in a port as the device goes and comes, until cancelled."""
        while True:
            await self.wait_gone()
            port.unplug()
            await self.wait_here()
            port.plug_in()

"""The emulated module on a tty of this machine.

A pty accepts every speed and knows none. The speed the user has set is read from the kept
descriptor; the module garbles what comes or goes at another than its own.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

import trio

from modemproxy.emulator.finetimer import FineTimer
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.pacing import Sleeper
from modemproxy.emulator.ptystream import PtyStream
from modemproxy.emulator.ttyuser import UserWatch

__all__ = ["PtyPort", "PtyStream", "Served", "serve_pty", "serve_second_pty"]


class Served(Protocol):
    """An AT port of a module: ``EmulatedModule`` itself, or its ``second``."""

    dte_baudrate: Callable[[], int | None]

    @property
    def baudrate(self) -> int:
        """The speed a fresh tty of it is set to."""

    async def serve(
        self, stream: trio.abc.Stream, *, pace: bool, sleeper: Callable[[], Sleeper]
    ) -> None:
        """Plug a DTE in until its stream ends."""

    def set_dtr(self, on: bool) -> None:
        """Hear that DTR changed."""


class PtyPort:
    """A module's tty that can be unplugged and plugged in again.

    Args:
        module: the port of the module that it is.
        nursery: where it is served.
        link: the symlink, re-pointed at every new tty.
        pace: run the line at the module's speed.
    """

    def __init__(
        self, module: Served, nursery: trio.Nursery, link: Path | None, *, pace: bool
    ) -> None:
        self._module = module
        self._nursery = nursery
        self._link = link
        self._pace = pace
        self._stream: PtyStream | None = None
        self._scope = trio.CancelScope()
        self._last_path = ""

    @property
    def path(self) -> str:
        """The tty, ``/dev/pts/N``.

        Raises:
            RuntimeError: it is unplugged.
        """
        if self._stream is None:
            raise RuntimeError("the port is unplugged")
        return self._stream.path

    @property
    def slave_fd(self) -> int:
        """The kept descriptor of the tty end, to look at its state; not to be closed.

        Raises:
            RuntimeError: it is unplugged.
        """
        if self._stream is None:
            raise RuntimeError("the port is unplugged")
        return self._stream.slave_fd

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    def plug_in(self) -> None:
        """Make a new tty and serve it; the module goes on as it was."""
        if self._stream is None:
            self._serve_on(PtyStream(self._link, speed=self._module.baudrate))

    def plug_in_elsewhere(self) -> None:
        """Plug it in under another number than the last, behind the same symlink."""
        if self._stream is not None:
            return
        stream = PtyStream(self._link, speed=self._module.baudrate)
        if stream.path == self._last_path:
            # the kernel gives the lowest free number: this one must not be free
            stream, taken = PtyStream(self._link, speed=self._module.baudrate), stream
            taken.close()
        self._serve_on(stream)

    def _serve_on(self, stream: PtyStream) -> None:
        self._stream = stream
        self._last_path = stream.path
        self._scope = trio.CancelScope()
        self._module.dte_baudrate = lambda: stream.speed
        # watched from the start: the first user may be here before the task is
        watch = UserWatch(stream.path)
        self._nursery.start_soon(self._serve, stream, watch, self._scope)

    def unplug(self) -> None:
        """Make the tty vanish; its user sees EOF or EIO. Bytes under way are lost."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._module.dte_baudrate = lambda: None
            self._scope.cancel()
            stream.close()

    async def _serve(
        self, stream: PtyStream, watch: UserWatch, scope: trio.CancelScope
    ) -> None:
        with scope, ExitStack() as stack:
            stack.callback(watch.close)

            def sleeper() -> Sleeper:
                timer = FineTimer()
                stack.callback(timer.close)
                return timer

            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._let_next_in, watch, stream)
                await self._module.serve(stream, pace=self._pace, sleeper=sleeper)

    async def _let_next_in(self, watch: UserWatch, stream: PtyStream) -> None:
        while True:
            await watch.wait_all_left()
            stream.end_exclusive()
            # a pty has no DTR; on a tty the kernel drops it with the last user
            self._module.set_dtr(False)
            self._module.set_dtr(True)


@asynccontextmanager
async def serve_pty(
    module: EmulatedModule,
    *,
    link: Path | None = None,
    baudrate: int | None = None,
    pace: bool = True,
) -> AsyncIterator[PtyPort]:
    """Put a module on a pty for as long as the block runs.

    Args:
        module: not owned; it can be served again later.
        link: a symlink to make, to move when it is one already, and to remove at the end.
        baudrate: the module's speed from now on; None leaves it.
        pace: pass bytes at that speed, each direction for itself.

    Yields:
        The port: ``path`` (it is path-like itself), ``unplug()``, ``plug_in()``.

    Raises:
        OSError: the symlink cannot be made.
    """
    if baudrate is not None:
        module.preset.baudrate(baudrate)
    async with trio.open_nursery() as nursery:
        async with _plugged_in(module, PtyPort(module, nursery, link, pace=pace)) as port:
            yield port
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def serve_second_pty(
    module: EmulatedModule, *, link: Path | None = None
) -> AsyncIterator[PtyPort]:
    """Put the second AT port of a module on a pty for as long as the block runs.

    Args:
        module: not owned; its first port may be served elsewhere, or not at all.
        link: as for ``serve_pty``.

    Yields:
        The port.

    Raises:
        OSError: the symlink cannot be made.
    """
    async with trio.open_nursery() as nursery:
        second = PtyPort(module.second, nursery, link, pace=False)
        async with _plugged_in(module, second) as port:
            yield port
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _plugged_in(module: EmulatedModule, port: PtyPort) -> AsyncIterator[PtyPort]:
    """Have a port there whenever the device is, and the module's time go on without it."""
    port.plug_in()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(module.presence.move, port)
            nursery.start_soon(_keep_time, module)
            yield port
            nursery.cancel_scope.cancel()
    finally:
        port.unplug()


async def _keep_time(module: EmulatedModule) -> None:
    timer = FineTimer()
    try:
        await module.keep_time(timer)
    finally:
        timer.close()

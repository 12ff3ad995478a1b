"""The emulated module on a tty of this machine.

The slave end is opened here too, and kept: else the master reports a hang-up between two
users, and a fresh pty would be a cooked terminal that echoes the boot banner. It is raw from
the start. Closing the port is what pulling the cable is: the user sees EOF or EIO.

A pty accepts every speed and knows none. The speed the user has set is read from the kept
descriptor; the module garbles what comes or goes at another than its own.
"""

import errno
import os
import tty
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from modemproxy.emulator.finetimer import FineTimer
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.pacing import Sleeper
from modemproxy.emulator.ttyuser import UserWatch, end_exclusive, preset_speed, tty_speed

_CHUNK: Final = 65536


class PtyStream(trio.abc.Stream):
    """The module's end of a pty as a trio stream.

    Args:
        link: a symlink to keep pointing at the tty; None for no such link.
        speed: what the tty is set to until a user sets something.

    Attributes:
        path: the tty, ``/dev/pts/N``.
        waited: whether the last ``receive_some`` found nothing at first.
    """

    def __init__(self, link: Path | None = None, *, speed: int = 115200) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        preset_speed(self._slave, speed)
        os.set_blocking(self._master, False)
        self._link = link
        self.waited = False
        self.path = os.ttyname(self._slave)
        if link is not None:
            _point(link, self.path)

    @property
    def speed(self) -> int:
        """The speed that the user of the tty has set."""
        return tty_speed(self._slave)

    @property
    def slave_fd(self) -> int:
        """The kept descriptor of the tty end."""
        return self._slave

    def end_exclusive(self) -> None:
        """Let the next user in after one that was killed; nothing when unplugged."""
        if self._slave >= 0:
            end_exclusive(self._slave)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Take bytes from the user; blocks while there is none, user or not."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self.waited = False
        while True:
            try:
                data = os.read(self._fd(), max_bytes or _CHUNK)
            except BlockingIOError:
                self.waited = True
                await trio.lowlevel.wait_readable(self._fd())
            else:
                await trio.lowlevel.cancel_shielded_checkpoint()
                return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Give bytes to the user; blocks while the kernel's buffer is full."""
        rest = memoryview(data)
        await trio.lowlevel.checkpoint_if_cancelled()
        while rest:
            try:
                rest = rest[os.write(self._fd(), rest) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._fd())
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel's buffer has room."""
        await trio.lowlevel.wait_writable(self._fd())

    def _fd(self) -> int:
        if self._master < 0:
            raise trio.ClosedResourceError("the cable was pulled")
        return self._master

    def close(self) -> None:
        """Pull the cable, remove the symlink; harmless when done already."""
        if self._master < 0:
            return
        if self._link is not None:
            _unpoint(self._link, self.path)
        trio.lowlevel.notify_closing(self._master)
        for fd in (self._master, self._slave):
            os.close(fd)
        self._master = self._slave = -1

    async def aclose(self) -> None:
        """Pull the cable."""
        self.close()
        await trio.lowlevel.checkpoint()


def _point(link: Path, target: str) -> None:
    """Make or move a symlink, atomically; refuse to replace anything else."""
    if link.exists() and not link.is_symlink():
        raise FileExistsError(errno.EEXIST, "exists and is no symlink", str(link))
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


def _unpoint(link: Path, target: str) -> None:
    # somebody may have taken the link over meanwhile: then it is theirs
    if link.is_symlink() and os.readlink(link) == target:
        with suppress(FileNotFoundError):
            link.unlink()


class PtyPort:
    """A module's tty that can be unplugged and plugged in again.

    Args:
        module: whose it is.
        nursery: where it is served.
        link: the symlink, re-pointed at every new tty.
        pace: run the line at the module's speed.
    """

    def __init__(
        self, module: EmulatedModule, nursery: trio.Nursery, link: Path | None, *, pace: bool
    ) -> None:
        self._module = module
        self._nursery = nursery
        self._link = link
        self._pace = pace
        self._stream: PtyStream | None = None
        self._scope = trio.CancelScope()

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
        if self._stream is not None:
            return
        stream = PtyStream(self._link, speed=self._module.baudrate)
        self._stream = stream
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
                nursery.start_soon(_let_next_in, watch, stream)
                await self._module.serve(stream, pace=self._pace, sleeper=sleeper)


async def _let_next_in(watch: UserWatch, stream: PtyStream) -> None:
    while True:
        await watch.wait_all_left()
        stream.end_exclusive()


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
        port = PtyPort(module, nursery, link, pace=pace)
        port.plug_in()
        try:
            yield port
        finally:
            port.unplug()
            nursery.cancel_scope.cancel()

"""The module's end of a pty as a trio stream.

The slave end is opened here too, and kept: else the master reports a hang-up between two
users, and a fresh pty would be a cooked terminal that echoes the boot banner. It is raw from
the start. Closing the stream is what pulling the cable is: the user sees EOF or EIO.
"""

import errno
import os
import tty
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from modemproxy.emulator.ttyuser import end_exclusive, preset_speed, tty_speed

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

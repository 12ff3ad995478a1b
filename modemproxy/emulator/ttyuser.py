"""The tty side of a pty: speed of its user, exclusive mode, and when the user leaves.

What the kernel offers through ioctl and inotify, and Python does not wrap.
"""

import ctypes
import fcntl
import os
import struct
import termios
from typing import Final

import trio

_TCGETS2: Final = 0x802C542A
_TERMIOS2_BYTES: Final = 44
_OSPEED_AT: Final = 40
_IN_CLOSE: Final = 0x08 | 0x10  # IN_CLOSE_WRITE | IN_CLOSE_NOWRITE
_IN_OPEN: Final = 0x20
_EVENT: Final = struct.Struct("iIII")

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def tty_speed(fd: int) -> int:
    """Return the output speed of a tty, bits a second; odd ones too."""
    raw = fcntl.ioctl(fd, _TCGETS2, bytes(_TERMIOS2_BYTES))
    return int(struct.unpack_from("I", raw, _OSPEED_AT)[0])


def preset_speed(fd: int, rate: int) -> None:
    """Set a tty to a speed, if that is one of the usual ones."""
    code = getattr(termios, f"B{rate}", None)
    if code is not None:
        attributes = termios.tcgetattr(fd)
        attributes[4] = attributes[5] = code
        termios.tcsetattr(fd, termios.TCSANOW, attributes)


def end_exclusive(fd: int) -> None:
    """Let others open the tty again (TIOCNXCL)."""
    fcntl.ioctl(fd, termios.TIOCNXCL)


class UserWatch:
    """Counts the opens of a device node, to know when the last user has left.

    An exclusive open (TIOCEXCL) of a user that was killed lasts as long as anybody, the
    emulator included, has the tty open: somebody must notice and clear it. The kernel says
    nothing to the master while the emulator's own descriptor is there, so this watches the
    node with inotify.

    Args:
        path: the device node, /dev/pts/N.
    """

    def __init__(self, path: str) -> None:
        self._fd = int(_LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if _LIBC.inotify_add_watch(self._fd, os.fsencode(path), _IN_CLOSE | _IN_OPEN) < 0:
            code = ctypes.get_errno()
            self.close()
            raise OSError(code, os.strerror(code), path)
        self.users = 0

    def close(self) -> None:
        """Stop watching."""
        os.close(self._fd)

    async def wait_all_left(self) -> None:
        """Wait until a user has left and none is there."""
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            if self._count(os.read(self._fd, 4096)) and self.users <= 0:
                self.users = 0
                return

    def _count(self, events: bytes) -> bool:
        """Take note of events; True when one of them was a close."""
        closed, position = False, 0
        while position < len(events):
            _, mask, _, name_bytes = _EVENT.unpack_from(events, position)
            position += _EVENT.size + name_bytes
            if mask & _IN_OPEN:
                self.users += 1
            if mask & _IN_CLOSE:
                self.users, closed = self.users - 1, True
        return closed

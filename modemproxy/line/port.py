"""The tty as a trio stream: the only file that knows trio_serial.

trio-serial 0.4 opens, locks and configures the port; this adapter adds what a binary
line to a module needs on top of it:

* errors in trio's words: ``BrokenResourceError`` when the device failed or hung up (the
  library lets ``OSError(EIO)`` and ``termios.error`` through), ``b""`` for hang-up only
  (with the library's VMIN=0 an empty read means nothing);
* a raw line with nothing left over from a getty, and nobody else on it: flock for the
  polite, TIOCEXCL for the rest, taken back on close because a pty whose other end stays
  open would keep it (and refuse the next start of whoever is not root);
* a change of speed while open, and the speed read back from the kernel;
* closing that never waits for a module that does not take its bytes, and that leaves DTR
  alone: with AT&D2 a falling DTR closes links.
"""

import array
import contextlib
import errno
import fcntl
import logging
import os
import struct
import termios
from pathlib import Path
from typing import Final

import trio
import trio_serial.linux

from modemproxy.errors import LineClosed
from modemproxy.line.lowlatency import reduce_latency

log = logging.getLogger(__name__)

_TCGETS2: Final = 0x802C542A
_OSPEED_INDEX: Final = 10


class Port(trio.abc.Stream):
    """A serial line with a speed; memory streams stand in for it in tests."""

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Change speed and flow control; a line without either ignores it."""
        await trio.lowlevel.checkpoint()

    @property
    def unsent(self) -> int:
        """Bytes that were written and have not left; 0 where that is not known."""
        return 0

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Write what can be written without waiting; return how many bytes that was.

        Raises:
            trio.BrokenResourceError: the device failed.
        """
        return 0


class StreamPort(Port):
    """Any byte stream as a port: no speed, no flow control."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Pass on."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Pass on."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Pass on."""
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Pass on."""
        await self._stream.aclose()


class _RawSerial(trio_serial.linux.LinuxSerialStream):
    """trio-serial's stream, made strictly raw."""

    _owned = False  # closing a port that is somebody else's must not touch its state

    def _reconfigure_port(self, force_update: bool = False) -> None:
        try:
            super()._reconfigure_port(force_update)
            if self._fd is None:
                return
            attributes = termios.tcgetattr(self._fd)
            attributes[0] |= termios.IGNBRK
            attributes[0] &= ~(termios.BRKINT | termios.IGNPAR | termios.IMAXBEL)
            attributes[3] &= ~termios.TOSTOP
            attributes[6][termios.VMIN] = 1
            attributes[6][termios.VTIME] = 0
            termios.tcsetattr(self._fd, termios.TCSANOW, attributes)
            fcntl.ioctl(self._fd, termios.TIOCEXCL)
            self._owned = True
        except termios.error as error:
            raise OSError(*error.args) from error

    def set_line(self, baudrate: int, rtscts: bool) -> None:
        """Apply speed and flow control to the open port."""
        self._baudrate = baudrate
        self._rtscts = rtscts
        self._reconfigure_port(force_update=True)

    def _close(self, notify_closing: bool = False) -> None:
        if self._fd is not None and self._owned:
            with contextlib.suppress(OSError, termios.error):
                fcntl.ioctl(self._fd, termios.TIOCNXCL)
                # A close waits up to 30 s for unsent output (closing_wait) and would
                # stop the whole program with it.
                termios.tcflush(self._fd, termios.TCOFLUSH)
        super()._close(notify_closing)


class SerialPort(Port):
    """The tty of a module, exclusively ours and raw."""

    def __init__(self, raw: _RawSerial, path: str) -> None:
        self._raw = raw
        self._path = path

    @classmethod
    async def open(cls, path: str, *, baudrate: int, rtscts: bool) -> "SerialPort":
        """Open the tty at ``path``.

        Args:
            path: the device, best by a stable name (``/dev/serial/by-id/...``).
            baudrate: bits per second, any the kernel and the hardware can do.
            rtscts: hardware flow control.

        Raises:
            LineClosed: it is not there, not permitted, not a tty, or somebody has it
                (named where that can be seen).
        """
        await trio.lowlevel.checkpoint()
        raw = _RawSerial(path, exclusive=True, baudrate=baudrate, rtscts=rtscts)
        raw._hangup_on_close = False  # set_hangup() before aopen() does just this
        try:
            await raw.aopen()
        except (OSError, ValueError) as error:
            raise LineClosed(_why_not(path, error)) from error
        port = cls(raw, path)
        port.reduce_latency()
        return port

    def reduce_latency(self) -> None:
        """Set the adapter's knobs to the quick side, and say so."""
        for said in reduce_latency(self._raw.fd, os.path.realpath(self._path)):
            log.info("%s: %s", self._path, said)

    @property
    def actual_baudrate(self) -> int:
        """The speed the kernel says the line has."""
        buffer = array.array("i", [0] * 64)
        fcntl.ioctl(self._raw.fd, _TCGETS2, buffer)
        return buffer[_OSPEED_INDEX]

    @property
    def unsent(self) -> int:
        """Bytes the kernel still has to put on the wire."""
        try:
            raw = fcntl.ioctl(self._raw.fd, termios.TIOCOUTQ, struct.pack("i", 0))
        except OSError:  # the device is gone, and the reader has more to say about that
            return 0
        value: int = struct.unpack("i", raw)[0]
        return value

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Change speed and flow control.

        Raises:
            LineClosed: the hardware cannot do that speed, or is gone.
        """
        await trio.lowlevel.checkpoint()
        try:
            self._raw.set_line(baudrate, rtscts)
        except (OSError, ValueError) as error:
            raise LineClosed(f"{self._path}: cannot set {baudrate} baud: {error}") from error

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Write what the kernel takes at once."""
        try:
            return os.write(self._raw.fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._broken(error) from error

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of ``data``; a checkpoint only when the kernel's buffer is full.

        Cancelling leaves an unknown part of it on the wire: callers shield it.

        Raises:
            trio.BrokenResourceError: the device failed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        view = memoryview(data)
        while view:
            if not (sent := self.send_nowait(view)):
                await self.wait_send_all_might_not_block()
            view = view[sent:]

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel would take a byte."""
        try:
            await trio.lowlevel.wait_writable(self._raw.fd)
        except OSError as error:
            raise self._broken(error) from error

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has arrived, at least a byte; ``b""`` only after a hang-up.

        Raises:
            trio.BrokenResourceError: the device failed.
        """
        while True:
            try:
                await trio.lowlevel.wait_readable(self._raw.fd)
                return os.read(self._raw.fd, max_bytes or 65536)
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._broken(error) from error

    async def aclose(self) -> None:
        """Close the port, dropping what was not sent."""
        await self._raw.aclose()
        await trio.lowlevel.checkpoint()

    def _broken(self, error: OSError) -> trio.BrokenResourceError:
        return trio.BrokenResourceError(f"{self._path}: {error}")


def _why_not(path: str, error: OSError | ValueError) -> str:
    """Say why a port did not open, and what to do about it."""
    code = getattr(error, "errno", None)
    if code == errno.ENOENT:
        return f"{path}: no such device (unplugged, or another name: see /dev/serial/by-id)"
    if code == errno.EACCES:
        return f"{path}: permission denied (add the user to the group that owns it: dialout)"
    if code == errno.ENOTTY:
        return f"{path}: not a serial device"
    if code == errno.EBUSY or "exclusively lock" in str(error):
        return f"{path}: in use by {describe_holders(path)}"
    return f"{path}: {error}"


def describe_holders(path: str, proc: Path = Path("/proc")) -> str:
    """Name the processes that hold a device, as far as this user may see them."""
    device = os.path.realpath(path)
    holders = [
        f"{_command_name(entry)} (pid {entry.name})"
        for entry in sorted(proc.glob("[0-9]*"))
        if int(entry.name) != os.getpid() and _holds(entry, device)
    ]
    if not holders:
        return "another process (root can see which: fuser -v " + device + ")"
    return ", ".join(holders)


def _holds(process: Path, device: str) -> bool:
    try:
        return any(os.readlink(fd) == device for fd in (process / "fd").iterdir())
    except OSError:  # ended meanwhile, or not ours to look into
        return False


def _command_name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "?"

"""AT exchanges on the tty, as lean as they can be: the yardstick for the proxy.

Synchronous and blocking on purpose: nothing between the reading of an answer and the
writing of the next command. It trusts the module completely, and would be no driver.
"""

import fcntl
import os
import select
import struct
import termios
import tty
from typing import Final

from modemproxy.bench.world import BenchError

_TCGETS2: Final = 0x802C542A
_TCSETS2: Final = 0x402C542B
_TERMIOS2: Final = struct.Struct("4IB19s2I")
_CBAUD: Final = 0o10017
_BOTHER: Final = 0o10000
#: A read that brings nothing for so many tenths of a second is given up.
_SILENCE_DS: Final = 30


class Busy(Exception):
    """The module refused a send for now."""


class Wire:
    """The module's tty, and the exchanges on it.

    Args:
        path: the tty.
        baudrate: its speed.

    Attributes:
        hinted: links that have announced data and were not read empty since.
    """

    def __init__(self, path: str, baudrate: int) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._fd)
        _set_line(self._fd, baudrate)
        termios.tcflush(self._fd, termios.TCIOFLUSH)
        self._buffer = b""
        self.hinted: set[int] = set()

    def close(self) -> None:
        """Close the tty; what the module does next is not heard."""
        os.close(self._fd)

    # -- session --

    def start(self) -> None:
        """Bring the module to where links can be opened."""
        self._command(b"AT")
        self._until(b"OK\r\n")
        for text in (b"ATE0", b"AT+CIPRXGET=1"):
            self._command(text)
            self._until(b"OK\r\n")
        self._command(b"AT+NETOPEN")
        self._until(b"+NETOPEN: 0\r\n")

    def stop(self) -> None:
        """Close the network, and every link with it."""
        self._command(b"AT+NETCLOSE")
        self._until(b"+NETCLOSE: 0\r\n")
        self.hinted.clear()

    def open(self, link: int, host: str, port: int) -> None:
        """Open a TCP connection."""
        self._command(b'AT+CIPOPEN=%d,"TCP","%b",%d' % (link, host.encode(), port))
        self._until(b"+CIPOPEN: %d,0\r\n" % link)

    def close_link(self, link: int) -> None:
        """Close a TCP connection."""
        self._command(b"AT+CIPCLOSE=%d" % link)
        self._until(b"+CIPCLOSE: %d,0\r\n" % link)
        self.hinted.discard(link)

    # -- data --

    def send(self, link: int, data: bytes) -> None:
        """Send; returns when the module has confirmed it.

        Raises:
            Busy: it refused, nothing was sent.
        """
        self._command(b"AT+CIPSEND=%d,%d" % (link, len(data)))
        while b"\r\n>" not in self._buffer:
            if b"\r\nERROR\r\n" in self._buffer:
                self._line_with(b"ERROR")
                raise Busy
            self._more()
        self._until(b">")
        os.write(self._fd, data)
        self._until(b"+CIPSEND: %d," % link)
        self._until(b"\r\n")

    def read(self, link: int, limit: int) -> tuple[bytes, int]:
        """Read; returns the bytes and how many are left. Nothing there is no error."""
        self._command(b"AT+CIPRXGET=2,%d,%d" % (link, limit))
        header = self._line_with(b"+CIPRXGET: 2,", b"ERROR")
        if header.endswith(b"ERROR"):
            self.hinted.discard(link)
            return b"", 0
        _, _, count, rest = header.split(b",")
        data = self._exactly(int(count))
        self._until(b"OK\r\n")
        if rest == b"0":
            self.hinted.discard(link)
        else:
            self.hinted.add(link)
        return data, int(rest)

    def query(self, link: int) -> int:
        """Ask how many bytes wait."""
        self._command(b"AT+CIPRXGET=4,%d" % link)
        header = self._line_with(b"+CIPRXGET: 4,")
        self._until(b"OK\r\n")
        return int(header.rpartition(b",")[2])

    def listen(self, wait_s: float) -> None:
        """Hear what the module says by itself; wait for it at most so long."""
        while (has_line := b"\r\n" in self._buffer.lstrip()) or self._readable(wait_s):
            wait_s = 0
            if has_line:
                self._note(self._line())
            else:
                self._more()

    def wait_hint(self, link: int) -> None:
        """Wait until a link has announced data."""
        while link not in self.hinted:
            self._note(self._line())

    # -- bytes --

    def _readable(self, wait_s: float) -> bool:
        return bool(select.select([self._fd], [], [], wait_s)[0])

    def _command(self, text: bytes) -> None:
        os.write(self._fd, text + b"\r")

    def _more(self) -> None:
        data = os.read(self._fd, 65536)
        if not data:
            raise BenchError(f"the bare loop heard nothing after {self._buffer[-60:]!r}")
        self._buffer += data

    def _until(self, token: bytes) -> None:
        """Skip to behind ``token``; what the module announced before it is noted."""
        while (at := self._buffer.find(token)) < 0:
            self._more()
        for line in self._buffer[:at].split(b"\r\n"):
            self._note(line)
        self._buffer = self._buffer[at + len(token) :]

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _line(self) -> bytes:
        """Return the next line that is not empty."""
        while True:
            while (at := self._buffer.find(b"\r\n")) < 0:
                self._more()
            line, self._buffer = self._buffer[:at], self._buffer[at + 2 :]
            if line:
                return line

    def _line_with(self, *starts: bytes) -> bytes:
        """Return the next line that begins so; others are noted."""
        while True:
            line = self._line()
            if line.startswith(starts):
                return line
            self._note(line)

    def _note(self, line: bytes) -> None:
        if line.startswith(b"+CIPRXGET: 1,"):
            self.hinted.add(int(line[13:]))


def _set_line(fd: int, baudrate: int) -> None:
    """Set any speed, and have reads end after silence."""
    raw = fcntl.ioctl(fd, _TCGETS2, bytes(_TERMIOS2.size))
    iflag, oflag, cflag, lflag, line, chars, _, _ = _TERMIOS2.unpack(raw)
    control = bytearray(chars)
    control[termios.VMIN], control[termios.VTIME] = 0, _SILENCE_DS
    cflag = cflag & ~_CBAUD | _BOTHER
    fields = (iflag, oflag, cflag, lflag, line, bytes(control), baudrate, baudrate)
    fcntl.ioctl(fd, _TCSETS2, _TERMIOS2.pack(*fields))

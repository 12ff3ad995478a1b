"""What the line allows: the exact wire cost of each exchange, as arithmetic.

One exchange is one AT command with its payload, echo off, link number of one digit. ``L``
is the time from the last byte of a command or payload to the first byte of its answer.

    send  AT+CIPSEND=1,N CR, N bytes | CR LF >, CR LF OK CR LF, CR LF +CIPSEND: 1,N,N CR LF
          (N + 40 + 3d) bytes and 2 L, d the digits of N
    read  AT+CIPRXGET=2,1,N CR | CR LF +CIPRXGET: 2,1,N,rest CR LF, N bytes, CR LF OK CR LF
          (N + 47 + 2d) bytes and 1 L, four digits of rest
    open  AT+CIPOPEN=1,"TCP","host",port CR | CR LF OK CR LF, CR LF +CIPOPEN: 1,0 CR LF

Command mode is half duplex: a line that moves both ways alternates.
"""

from dataclasses import dataclass
from typing import Final, Literal

from modemproxy.at.transfer import CHUNK

Direction = Literal["up", "down", "both"]

DIRECTIONS: Final[tuple[Direction, ...]] = ("up", "down", "both")
BITS_PER_BYTE: Final = 10

_SEND_BYTES: Final = 40
_READ_BYTES: Final = 47
_QUERY_BYTES: Final = 45
_OPEN_BYTES: Final = 23 + 6 + 17  # the command without host and port, OK, the result
_NOTICE_BYTES: Final = 18


@dataclass(frozen=True, slots=True)
class Line:
    """A serial line to a module.

    Attributes:
        baudrate: bits a second; a byte is ten.
        latency_s: turn-around of the module.
    """

    baudrate: int
    latency_s: float

    def wire_s(self, count: float) -> float:
        """Return the time that ``count`` bytes take."""
        return count * BITS_PER_BYTE / self.baudrate

    def send_s(self, size: int) -> float:
        """Return the time of one send."""
        return self.wire_s(size + _SEND_BYTES + 3 * len(str(size))) + 2 * self.latency_s

    def read_s(self, size: int) -> float:
        """Return the time of one read that asks for what is there."""
        return self.wire_s(size + _READ_BYTES + 2 * len(str(size))) + self.latency_s

    def query_s(self) -> float:
        """Return the time of asking how much waits (CIPRXGET=4)."""
        return self.wire_s(_QUERY_BYTES) + self.latency_s

    def echo_s(self, size: int) -> float:
        """Return the time of a send and of the read that brings it back."""
        return self.send_s(size) + self.read_s(size)

    def open_s(self, host: str, port: int) -> float:
        """Return the time of an open on a network without delay."""
        text = len(host) + len(str(port))
        return self.wire_s(_OPEN_BYTES + text) + self.latency_s

    def first_byte_s(self, host: str, port: int, size: int) -> float:
        """Return the time of an open, the notice of ``size`` bytes and reading them."""
        return self.open_s(host, port) + self.wire_s(_NOTICE_BYTES) + self.read_s(size)

    def goodput(self, direction: Direction, size: int = CHUNK) -> float:
        """Return the most payload bytes a second in exchanges of ``size``; both is the sum."""
        if direction == "up":
            return size / self.send_s(size)
        if direction == "down":
            return size / self.read_s(size)
        return 2 * size / (self.send_s(size) + self.read_s(size))

    def as_row(self) -> dict[str, str | int | float | None]:
        """Return what JSON says about it."""
        return {"baud": self.baudrate, "latency_ms": self.latency_s * 1000}

    def __str__(self) -> str:
        return f"{self.baudrate} baud, {self.latency_s * 1000:g} ms"

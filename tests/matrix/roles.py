"""What connections do, and the bytes that they carry.

A connection is a row of rounds. In each the client sends some bytes and waits for the far
side's bytes of that round; the far side does the opposite. Both read all the time. After
the last round one of them closes, and the other must see a clean end.

The bytes name their connection, direction and position, and between that comes what a
careless parser takes for the module's own words. No line in them starts with ``AT``: a
module that was told a wrong length would run it as a command, which no driver can prevent.
"""

from dataclasses import dataclass
from typing import Final, Literal

HOSTILE: Final = (
    b"\r\nOK\r\n\r\nERROR\r\n\r\n> \r\n>\r\n+CME ERROR: 3\r\n\x00\x00\x00\x11\x13\x1a\x1b+++"
    b"\r\n+IPCLOSE: 3,1\r\n\r\n+CIPRXGET: 2,4,5,0\r\nhello\r\nOK\r\n+CIPSEND: 5,1460,1460\r\n"
    b"\r\n+CIPRXGET: 1,6\r\n+CIPERROR: 8\r\nRECV FROM:1\r\n\r\n*ATREADY: 1\r\n\xff\xff\xfe"
) + bytes(range(256))

#: What a far program sends at once.
PIECE: Final = 4096


def content(number: int, direction: str, size: int) -> bytes:
    """Return the first ``size`` bytes of a stream; each block says where it belongs."""
    parts, length, index = [], 0, 0
    while length < size:
        start = index * 37 % len(HOSTILE)
        block = b"<%d %s %d>" % (number, direction.encode(), index) + HOSTILE[start:][:200]
        parts.append(block)
        length += len(block)
        index += 1
    return b"".join(parts)[:size]


@dataclass(frozen=True, slots=True)
class Role:
    """What a connection does.

    Attributes:
        name: for people.
        rounds: (bytes up, bytes down) of each round.
        closes: who closes after the last round.
        pause_s: how long the client waits between two rounds.
        think_s: how long the far side waits before each answer.
        piece: the far side sends so many bytes at once ...
        piece_s: ... and waits so long after each piece.
    """

    name: str
    rounds: tuple[tuple[int, int], ...]
    closes: Literal["client", "far"] = "far"
    pause_s: float = 0.0
    think_s: float = 0.0
    piece: int = PIECE
    piece_s: float = 0.0

    @property
    def up(self) -> int:
        """Bytes to the far side in all."""
        return sum(up for up, _ in self.rounds)

    @property
    def down(self) -> int:
        """Bytes to the client in all."""
        return sum(down for _, down in self.rounds)


def upload(size: int = 60000) -> Role:
    """Send much; the far side answers a little when it has all of it, and closes."""
    return Role("upload", ((size, 64),))


def download(size: int = 60000) -> Role:
    """Ask a little; the far side answers much, and closes."""
    return Role("download", ((64, size),))


def echo(rounds: int = 40, size: int = 700, pause_s: float = 0.0) -> Role:
    """Ask and answer in turn; the client closes."""
    return Role("echo", ((size, size),) * rounds, closes="client", pause_s=pause_s)

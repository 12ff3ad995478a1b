"""UDP clients that ask and count, and the verdict on what they and the far side got.

U1: each delivered datagram is byte for byte one that was sent, to where it was delivered.
U2: none is delivered twice. What is not delivered is a loss, which UDP allows.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import trio

#: What an AT parser that looks for words in payload trips over.
HOSTILE: Final = (
    b"\r\nOK\r\n",
    b"\r\n> ",
    b"\r\nERROR\r\n",
    b"\r\n+CIPRXGET: 2,9,5,0\r\n",
    b"\r\n+CIPSEND: 9,5,5\r\n",
    b"\r\n+IPCLOSE: 9,1\r\n",
    b"\r\n*ATREADY: 1\r\n",
    b"\x00\x1a\x1b\x11\x13+++",
    bytes(range(256)),
)


def datagrams(client: int, count: int, *, least: int = 1, most: int = 1400) -> list[bytes]:
    """Make datagrams of all sizes; all but the shortest say whose they are, and which."""
    source = random.Random(client)
    sizes = [least, most, *(source.randint(least, most) for _ in range(count - 2))][:count]
    source.shuffle(sizes)
    made = []
    for number, size in enumerate(sizes):
        data = b"%x.%x " % (client, number)
        while len(data) < size:
            data += source.choice(HOSTILE) + source.randbytes(source.randrange(300))
        made.append(data[:size])
    return made


@dataclass
class Asker:
    """A client that sends datagrams and expects each of them back.

    Attributes:
        number: its own.
        datagrams: what it sends, in order.
        outstanding: how many answers it waits for at a time.
        patience_s: how long it waits for one.
        sent, got: what it has sent, and what came back.
    """

    number: int
    datagrams: list[bytes]
    outstanding: int = 1
    patience_s: float = 2.0
    sent: list[bytes] = field(default_factory=list)
    got: list[bytes] = field(default_factory=list)
    over: bool = False
    _news: trio.Event = field(default_factory=trio.Event)
    _lost: int = 0

    def note(self, data: bytes) -> None:
        """An answer came."""
        self.got.append(data)
        self._news.set()

    async def ask_all(self, send: Callable[[bytes], Awaitable[object]]) -> None:
        """Send everything, with so many outstanding; what stays away is given up."""
        for data in self.datagrams:
            await self._wait_until_outstanding(self.outstanding - 1)
            self.sent.append(data)
            await send(data)
        await self._wait_until_outstanding(0)
        self.over = True

    def once_more(self) -> "Asker | None":
        """Give the client that asks for what stayed away, if something did."""
        missing = [data for data in self.datagrams if data not in self.got]
        if not missing:
            return None
        return Asker(self.number, missing, self.outstanding, self.patience_s)

    async def _wait_until_outstanding(self, most: int) -> None:
        while (left := len(self.sent) - len(self.got) - self._lost) > most:
            self._news = trio.Event()
            with trio.move_on_after(self.patience_s):
                await self._news.wait()
                continue
            self._lost += left


def wrongs(askers: list[Asker], far: list[bytes]) -> list[str]:
    """Say where U1 or U2 does not hold.

    Args:
        askers: the clients of an echo.
        far: what its far side got.
    """
    found = []
    sent: Counter[bytes] = sum((Counter(asker.sent) for asker in askers), Counter())
    for data, count in (Counter(far) - sent).items():
        found.append(f"the far side got {count} more of {data[:40]!r} than were sent")
    for asker in askers:
        for data, count in (Counter(asker.got) - Counter(asker.sent)).items():
            found.append(f"client {asker.number} got {count} too many of {data[:40]!r}")
    return found

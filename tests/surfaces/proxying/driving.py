"""What the tests of the proxy protocols share: feeding a server, and judging hosts."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from modemproxy.at.tcpip import OpenLink
from modemproxy.surfaces.proxying.refusals import Refused

EventT = TypeVar("EventT", covariant=True)

#: The only form in which a client's destination may reach the module.
_OPEN = re.compile(r'\+CIPOPEN=3,"TCP","[0-9a-z.:-]{1,254}",[1-9][0-9]{0,4}')


class Server(Protocol[EventT]):
    """What ``Socks5Server`` and ``HttpProxyServer`` have in common."""

    @property
    def trailing_data(self) -> bytes: ...

    def receive_data(self, data: bytes) -> None: ...

    def data_to_send(self) -> bytes: ...

    def next_event(self) -> EventT | None: ...


class Told(NamedTuple):
    """What became of a client's bytes; ``unread`` were left in the kernel."""

    event: object
    sent: bytes
    ahead: bytes


def tell(server: Server[object], data: Iterable[bytes]) -> Told:
    """Play the driver: feed until an event comes; what was not fed counts as ahead."""
    pieces = iter(data)
    sent = b""
    event = None
    for piece in pieces:
        server.receive_data(piece)
        event = server.next_event()
        sent += server.data_to_send()
        if event is not None:
            break
    ahead = server.trailing_data if event is not None else b""
    return Told(event, sent, ahead + b"".join(pieces))


def bytewise(data: bytes) -> Iterator[bytes]:
    for byte in data:
        yield bytes((byte,))


def reason(told: Told) -> str:
    """The reason of a refusal; it must be fit for one line of a log, and short."""
    assert isinstance(told.event, Refused)
    text = told.event.reason
    assert text.isprintable()
    assert 0 < len(text) < 2000
    return text


def assert_safe(host: str, port: int) -> None:
    """A host that leaves the package is one argument of one AT command, and no more."""
    assert _OPEN.fullmatch(OpenLink(3, host, port).text)


#: What a mutation puts in: structure of all these protocols, and of AT commands.
_SPICES: Sequence[bytes] = (
    b"\r\nAT+CRESET\r",
    b'",80\r\nAT+CFUN=0\r\n',
    b'"',
    b",",
    b"\\22",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b"\x1a\x1b",
    b"+++",
    b"\xff\xff",
    b"\xc0\x0c",
    b"\x05\x01\x00",
    b"%22",
    b"@",
    b"[",
    b"]:",
    b"://",
    b" " * 50,
    b"a" * 300,
    "é".encode(),
)


def mutated(samples: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """``count`` inputs, each one or more accidents away from a good one."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(rng.choice(samples))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            _mutate(data, rng)
        yield bytes(data)


def _mutate(data: bytearray, rng: random.Random) -> None:
    at = rng.randint(0, len(data))
    kind = rng.randrange(7)
    if kind == 0:
        data[at : at + 1] = bytes((rng.randrange(256),))
    elif kind == 1:
        data[at:at] = rng.choice(_SPICES)
    elif kind == 2:
        del data[at : at + rng.randint(1, 8)]
    elif kind == 3:
        del data[at:]
    elif kind == 4:
        data[at:at] = data[at : at + rng.randint(1, 40)]
    elif kind == 5 and data:
        data[at % len(data)] ^= 1 << rng.randrange(8)
    else:
        data += rng.randbytes(rng.randint(1, 40))

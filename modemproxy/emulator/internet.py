"""What the module's TCP/IP stack needs of the world around it.

All methods are synchronous and never wait. The stack asks (``connect``, ``write`` ...), the
world answers later through a *sink* that the stack handed over. A sink may be called at any
time, also from inside the very call that handed it over; a sink whose link has meanwhile
been closed ignores what it is told.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

Address = tuple[str, int]


class Trouble(Enum):
    """Why a connection did not come about."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NO_NAME = "no such name"


class Attempt(Protocol):
    """Something under way that can be given up."""

    def cancel(self) -> None:
        """Give it up; no sink is called any more."""


class Remote(Protocol):
    """The far end of one TCP link, as the module's stack holds it."""

    def write(self, data: bytes) -> None:
        """Send; ``Sink.acked`` follows when the far socket has taken the bytes."""

    def resume(self) -> None:
        """Say that ``Sink.room`` may have grown."""

    def finish(self) -> None:
        """Close in an orderly way: FIN after everything written."""

    def abort(self) -> None:
        """Close at once: RST."""


class Sink(Protocol):
    """What the stack wants to hear about one TCP link."""

    def connected(self, remote: Remote, ip: str) -> None:
        """The connection is up."""

    def failed(self, why: Trouble) -> None:
        """The connection will not come about."""

    def room(self) -> int:
        """How many bytes ``arrived`` may bring now: the TCP window."""

    def arrived(self, data: bytes) -> None:
        """Bytes came in, at most ``room()`` of them."""

    def acked(self, count: int) -> None:
        """The far socket took ``count`` more of the written bytes."""

    def ended(self, *, reset: bool) -> None:
        """The far side closed: a FIN after all its data, or a RST."""


class DatagramSink(Protocol):
    """What the stack wants to hear about one UDP link."""

    def datagram(self, data: bytes, source: Address) -> None:
        """One datagram came in."""


class Datagrams(Protocol):
    """A bound UDP socket."""

    def send_to(self, data: bytes, target: Address) -> None:
        """Send one datagram; a name in ``target`` is resolved, a bad one is a loss."""

    def close(self) -> None:
        """Release the port."""


class Listener(Protocol):
    """A listening TCP socket."""

    def close(self) -> None:
        """Stop listening; accepted connections live on."""


#: Called with a new far client; None means: no link free, turn it away.
Accept = Callable[[Remote, Address], Sink | None]


#: Called with the addresses of a name.
Resolved = Callable[[Sequence[str]], None]


class Internet(Protocol):
    """The world. ``memory.MemoryInternet`` for tests, ``sockets.SocketInternet`` for real."""

    def connect(self, host: str, port: int, sink: Sink) -> Attempt:
        """Open a TCP connection; the sink hears ``connected`` or ``failed``."""

    def bind(self, port: int, sink: DatagramSink) -> Datagrams | None:
        """Bind a UDP port of the module; None when it is taken."""

    def listen(self, port: int, accept: Accept) -> Listener | None:
        """Listen on a TCP port of the module; None when it is taken."""

    def resolve(self, name: str, done: Resolved) -> Attempt:
        """Look a name up; ``done`` gets its addresses of both families, none for no name."""

"""One of the module's ten sockets as a UDP port with one far side.

Not a stream: each ``send()`` is one datagram, each ``receive()`` another. Nothing is ever
split, merged, sent twice or waited for; what can not be sent while it is fresh is dropped
and counted (``datagram_out.py``).

In buffer mode the module does not say who sent what it received: whatever reaches the port
counts as the far side's. So every client has a port of its own, and none is used again
soon (``ports.py``).

A link ends when the line, the module or the network does (``BrokenResourceError``), or by
``abort()`` (``ClosedResourceError``). Datagrams that had been read can still be received
after the first.
"""

from collections.abc import Callable

import trio

from modemproxy.at.urcs import SendConfirmed
from modemproxy.errors import LinkReset
from modemproxy.module.boundaries import Boundaries
from modemproxy.module.datagram_in import Inbox
from modemproxy.module.datagram_out import MAX_DATAGRAM, Outbox
from modemproxy.module.datagram_work import DatagramWork
from modemproxy.module.destination import Destination
from modemproxy.module.life import Exclusive, LineContext, LinkLife


class DatagramTooLong(ValueError):
    """A datagram that one CIPSEND can not carry: empty, or longer than ``MAX_DATAGRAM``."""


class DatagramLink:
    """A UDP port of the module that talks to one far side.

    Attributes:
        inbox, outbox: what is known of the two directions, with their counts.
    """

    def __init__(
        self,
        number: int,
        target: str,
        host: str,
        port: int,
        context: LineContext,
        weight: float,
        *,
        boundaries: Boundaries,
    ) -> None:
        """Args:
        number: the link number, 0 to 9.
        target: the far side, for the log.
        host: the far side: an address, or a name that the module looks up.
        port: the far port.
        context: what the links of the session share.
        weight: its share of the line relative to others.
        boundaries: whether reads end where datagrams do.
        """
        self._life = LinkLife(number, target, context)
        self._weight = weight
        self.inbox = Inbox(context.hints, boundaries)
        self.outbox = Outbox(boundaries)
        self._destination = Destination(host, port)
        self._work = DatagramWork(self._life, self.inbox, self.outbox, self._destination)
        self._far_closed = False
        self._started_at = 0.0
        self._on_close: Callable[[DatagramLink], None] = lambda link: None
        self._receive_guard = Exclusive("receiving")

    @property
    def number(self) -> int:
        """The link number, 0 to 9."""
        return self._life.number

    @property
    def target(self) -> str:
        """The far side, for the log."""
        return self._life.target

    @property
    def reset(self) -> LinkReset | None:
        """Why the link broke, or None."""
        return self._life.reset

    @property
    def whole(self) -> bool:
        """One read is one datagram, as far as is known."""
        return self.inbox.boundaries.kept

    @property
    def far_closed(self) -> bool:
        """The module's socket is closed already."""
        return self._far_closed

    @property
    def drained(self) -> bool:
        """Never: a datagram may come at any time, and must not be the next socket's."""
        return False

    @property
    def sent(self) -> int:
        """How many datagrams the module's stack took."""
        return self.outbox.sent

    @property
    def received(self) -> int:
        """How many datagrams were read."""
        return self.inbox.received

    @property
    def waiting(self) -> int:
        """How many datagrams wait to be sent."""
        return self.outbox.waiting

    @property
    def dropped(self) -> int:
        """How many datagrams, of either direction, were given up or lost on the line."""
        outbox = self.outbox
        return outbox.dropped_full + outbox.dropped_old + outbox.lost + self.inbox.lost

    @property
    def idle_since(self) -> float:
        """When something last moved (trio's clock); infinity while something waits."""
        if not (self.outbox.empty and self.inbox.empty):
            return float("inf")
        return max(self._started_at, self.outbox.used_at, self.inbox.used_at)

    # -- life, and what the module reports ----------------------------------------------

    def start(self) -> None:
        """The open succeeded: take part in sharing the line."""
        self._started_at = trio.current_time()
        self._life.join(self._work, self._weight)

    def sent_within(self, seconds: float, now: float) -> bool:
        """Never to be repented: a datagram with foreign bytes in it has left."""
        return False

    @property
    def result_due(self) -> bool:
        """The result line of a send is still to come."""
        flight = self.outbox.flight
        return flight is not None and flight.confirmed is None

    def on_close(self, callback: Callable[["DatagramLink"], None]) -> None:
        """Have ``callback`` called once, when the owner closes the link."""
        self._on_close = callback

    def fail(self, reason: str, *, everywhere: bool = False) -> None:
        """Break the link: everyone who uses it gets an error. The first reason counts."""
        self._life.fail(reason, everywhere=everywhere)

    def note_hint(self) -> None:
        """``+CIPRXGET: 1,<link>``; behind a read's header it is about more than that read."""
        self.inbox.note_hint(behind=not self._life.channel.header_due(self.number))
        self._life.kick()

    def note_far_close(self, reason: int, *, heard: bool = True) -> None:
        """``+IPCLOSE``, or found out without it: the module has given the port up."""
        self._far_closed = True
        self.fail(f"the module closed its socket (reason {reason})")

    def note_send_result(self, result: SendConfirmed) -> None:
        """``+CIPSEND: <link>,<requested>,<confirmed>``, before or after OK."""
        self._work.writer.note_send_result(result)

    # -- the owner's side ---------------------------------------------------------------

    async def send(self, data: bytes) -> bool:
        """Queue one datagram; never waits.

        Args:
            data: 1 to ``MAX_DATAGRAM`` bytes.

        Returns:
            Whether older datagrams were dropped: the queue was full, or they too old.

        Raises:
            DatagramTooLong: it can not be sent; the caller counts it.
            LocalProtocolError: the far side is no host name and no address.
            trio.BrokenResourceError: the link broke.
            trio.ClosedResourceError: we closed it.
        """
        await trio.lowlevel.checkpoint()
        self._check_open()
        self._check_whole()
        self._destination.check()
        if not 1 <= len(data) <= MAX_DATAGRAM:
            raise DatagramTooLong(f"a datagram of {len(data)} bytes")
        dropped = self.outbox.put(data, trio.current_time())
        self._life.kick()
        return dropped

    async def receive(self) -> bytes:
        """Wait for one datagram.

        Raises:
            trio.BrokenResourceError: the link broke.
            trio.ClosedResourceError: we closed it.
            trio.BusyResourceError: another task is receiving.
        """
        with self._receive_guard:
            await trio.lowlevel.checkpoint()
            while True:
                self._check_open()
                if (data := self.inbox.take()) is not None:
                    self._life.kick()  # there is room for another
                    return data
                self._check_whole()
                await self._life.wait_received()

    def abort(self) -> None:
        """Close now; the pool sees to it that the module does too."""
        if not self._life.closed:
            self._life.closed = True
            self._life.leave()
            self._on_close(self)

    def _check_open(self) -> None:
        if self._life.closed:
            raise trio.ClosedResourceError(f"link {self.number} is closed")

    def _check_whole(self) -> None:
        if self.reset is not None:
            raise trio.BrokenResourceError(self.reset.reason) from self.reset

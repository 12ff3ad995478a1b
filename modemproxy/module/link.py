"""One of the module's ten sockets as a trio stream.

A link is used from two sides. Its owner (the relay) calls the stream's methods: they only
move bytes between the owner and two small buffers, and wait for room or for data. The
scheduler uses its ``LinkWork``, which does the AT commands (``linkwork.py``, ``reading.py``,
``sending.py``). In between stands what is known about the two directions (``inbound.py``,
``outbound.py``).

A link ends in one of three ways:

* the far side closed, its last byte was read, and nothing of ours was lost on the way:
  ``receive_some()`` returns ``b""``;
* anything else from outside: every waiting and later call raises ``BrokenResourceError``
  from the ``LinkReset`` that says why; bytes that had arrived can still be read first;
* ``aclose()`` or ``abort()``: calls raise ``ClosedResourceError``.

The number goes back to the pool only when the module has confirmed that it is free.
"""

from collections.abc import Callable
from operator import index

import trio

from modemproxy.at.results import CLOSE_REASONS
from modemproxy.at.urcs import SendConfirmed
from modemproxy.errors import LinkReset
from modemproxy.module.inbound import Inbound
from modemproxy.module.life import Exclusive, LineContext, LinkLife
from modemproxy.module.linkwork import LinkWork
from modemproxy.module.outbound import MAX_ACK_GAP_S, QUEUE_LIMIT, Outbound


class Link(trio.abc.Stream):
    """A TCP connection of the module, from its open to its end."""

    def __init__(self, number: int, target: str, context: LineContext, weight: float) -> None:
        self._life = LinkLife(number, target, context)
        self._weight = weight
        self.inbound = Inbound(context.hints)
        self.outbound = Outbound(min(MAX_ACK_GAP_S, context.stall_s / 4))
        self.outbound.ack_usable = context.habits.counts_acked
        self._work = LinkWork(self._life, self.inbound, self.outbound)
        self._on_close: Callable[[Link], None] = lambda link: None
        self._send_guard = Exclusive("sending")
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
    def far_closed(self) -> bool:
        """The module's socket is closed already."""
        return self.inbound.far_closed

    @property
    def unread(self) -> bool:
        """Bytes for the owner are known to wait, here or in the module."""
        return self.inbound.unread

    @property
    def drained(self) -> bool:
        """Nothing unread can be left in the module under this number."""
        return self.inbound.ended

    # -- life, and what the module reports ----------------------------------------------

    def start(self, *, look: bool = False) -> None:
        """The open succeeded: take part in sharing the line.

        Args:
            look: bytes may wait already, and the report of them be lost: read at once.
        """
        self.inbound.open(trio.current_time(), look=look)
        self._life.join(self._work, self._weight)

    def sent_within(self, seconds: float, now: float) -> bool:
        """Whether a send is under way, or ended less than ``seconds`` ago."""
        outbound = self.outbound
        return outbound.sending is not None or now - outbound.confirmed_at < seconds

    @property
    def result_due(self) -> bool:
        """The result line of a send is still to come."""
        sending = self.outbound.sending
        return sending is not None and sending.confirmed is None

    def on_close(self, callback: Callable[["Link"], None]) -> None:
        """Have ``callback`` called once, when the owner closes the link."""
        self._on_close = callback

    def fail(self, reason: str, *, everywhere: bool = False) -> None:
        """Break the link: everyone who uses it gets an error. The first reason counts."""
        self._life.fail(reason, everywhere=everywhere)

    def lose_number(self, reason: str) -> None:
        """The module has given the number away: a read under way brings another's bytes."""
        self._life.lost_number = True
        self.fail(reason)

    def note_hint(self) -> None:
        """``+CIPRXGET: 1,<link>``; behind a read's header it is about more than that read."""
        channel, number = self._life.channel, self.number
        if channel.header_due(number):
            self.inbound.note_hint()
        else:
            self.inbound.note_more(sure=not channel.reading(number))
        self._life.kick()

    def note_far_close(self, reason: int, *, heard: bool = True) -> None:
        """``+IPCLOSE``, or found out without it: read what is left, then end or break."""
        if self.far_closed:
            return
        damaged_at = self._life.channel.damaged_at
        self.inbound.note_far_close(trio.current_time(), heard=heard, damaged_at=damaged_at)
        if reason != 1:
            self._work.reader.end_reason = CLOSE_REASONS.get(reason, f"close reason {reason}")
        self._life.notify()
        self._life.kick()

    def note_send_result(self, result: SendConfirmed) -> None:
        """``+CIPSEND: <link>,<requested>,<confirmed>``, before or after OK."""
        self._work.writer.note_send_result(result)

    # -- the owner's side: a trio stream ----------------------------------------------

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Queue ``data`` for the far side; waits while more than two chunks are queued.

        Returning does not mean delivered: see ``wait_delivered``. Cancelling may leave a
        first part of ``data`` queued, as with any trio stream.

        Raises:
            trio.BrokenResourceError: the link broke, or the far side closed.
            trio.ClosedResourceError: we closed it.
            trio.BusyResourceError: another task is sending.
        """
        with self._send_guard:
            await trio.lowlevel.checkpoint_if_cancelled()
            view = memoryview(data)
            waited = False
            while True:
                self._check_sendable()
                if room := max(0, QUEUE_LIMIT - len(self.outbound.queue)):
                    self.outbound.queue += view[:room]
                    view = view[room:]
                    self._life.kick()
                if not view:
                    break
                await self._life.wait_sent()
                waited = True
            if not waited:  # waiting is a checkpoint already
                await trio.lowlevel.cancel_shielded_checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room in the queue; raises as ``send_all`` does."""
        with self._send_guard:
            self._check_sendable()
            await trio.lowlevel.checkpoint()
            while len(self.outbound.queue) >= QUEUE_LIMIT:
                await self._life.wait_sent()
                self._check_sendable()

    async def wait_delivered(self) -> None:
        """Wait until the far side has acknowledged everything that was sent.

        On firmware without CIPACK: until the module's stack has confirmed everything.

        Raises:
            trio.BrokenResourceError, trio.ClosedResourceError: the link ended before.
        """
        await trio.lowlevel.checkpoint()
        self.outbound.flushing = True
        self._life.kick()
        try:
            while not self.outbound.delivered:
                self._check_sendable()
                await self._life.wait_sent()
        finally:
            self.outbound.flushing = False

    async def look(self) -> None:
        """Ask the module whether bytes wait: reports of them are only hints.

        Returns when ``unread`` is to be relied on, or the link is over.
        """
        await trio.lowlevel.checkpoint()
        self.inbound.look(trio.current_time())
        self._life.kick()
        while self.inbound.looking and not (self._over or self.unread):
            await self._life.wait_received()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return bytes from the far side; ``b""`` when it closed and all has arrived.

        Raises:
            trio.BrokenResourceError: the link broke: bytes may be missing.
            trio.ClosedResourceError: we closed it.
            trio.BusyResourceError: another task is receiving.
        """
        if max_bytes is not None and index(max_bytes) < 1:
            raise ValueError("max_bytes must be at least 1")
        with self._receive_guard:
            if not self._receive_would_wait:
                await trio.lowlevel.checkpoint()
            while True:
                self._check_open()
                if data := self.inbound.take(max_bytes):
                    self._life.kick()
                    return data
                self._check_whole()
                if self.inbound.ended:
                    return b""
                await self._life.wait_received()

    @property
    def _receive_would_wait(self) -> bool:
        """Waiting is a checkpoint already; a second one costs a turn of the event loop."""
        return not (self.inbound.chunks or self._over)

    async def aclose(self) -> None:
        """Close once the module has taken what is queued; cancelled, at once."""
        try:
            await trio.lowlevel.checkpoint()
            while not (self.outbound.empty or self._over):
                await self._life.wait_sent()
        finally:
            self.abort()

    def abort(self) -> None:
        """Close now; the pool sees to it that the module does too."""
        if not self._life.closed:
            self._life.closed = True
            self._life.leave()
            self._on_close(self)

    @property
    def _over(self) -> bool:
        return self.inbound.far_closed or self._life.closed or self._life.reset is not None

    def _check_open(self) -> None:
        if self._life.closed:
            raise trio.ClosedResourceError(f"link {self.number} is closed")

    def _check_whole(self) -> None:
        if (reset := self._life.reset) is not None:
            raise trio.BrokenResourceError(reset.reason) from reset

    def _check_sendable(self) -> None:
        self._check_open()
        self._check_whole()
        if self.far_closed:
            raise trio.BrokenResourceError("the far side has closed")

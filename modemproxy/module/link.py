"""One of the module's ten sockets as a trio stream.

A link is used from two sides. Its owner (the relay) calls the stream's methods: they only
move bytes between the owner and two small buffers, and wait for room or for data. The
scheduler calls ``offer()`` and ``exchange()``: they do the AT commands (``reading.py``,
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
from math import inf
from operator import index
from typing import Final

import trio

from modemproxy.at.results import CLOSE_REASONS
from modemproxy.at.urcs import SendConfirmed
from modemproxy.errors import LinkReset
from modemproxy.line.policy import Grant, Offer, Work
from modemproxy.module.inbound import Inbound
from modemproxy.module.life import Exclusive, LineContext, LinkLife
from modemproxy.module.outbound import MAX_ACK_GAP_S, QUEUE_LIMIT, Outbound
from modemproxy.module.reading import Reader
from modemproxy.module.sending import Writer

#: While another link's send result is this young, ours would be answered busy.
_RESULT_GRACE_S: Final = 0.25


class Link(trio.abc.Stream):
    """A TCP connection of the module, from its open to its end."""

    def __init__(self, number: int, target: str, context: LineContext, weight: float) -> None:
        self._life = LinkLife(number, target, context)
        self._weight = weight
        self.inbound = Inbound(context.hints)
        self.outbound = Outbound(min(MAX_ACK_GAP_S, context.stall_s / 4))
        self._reader = Reader(self._life, self.inbound, self.outbound)
        self._writer = Writer(self._life, self.inbound, self.outbound)
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

    def start(self) -> None:
        """The open succeeded: take part in sharing the line."""
        self.inbound.open(trio.current_time())
        self._life.join(self, self._weight)

    def sent_within(self, seconds: float, now: float) -> bool:
        """Whether a send is under way, or ended less than ``seconds`` ago."""
        outbound = self.outbound
        return outbound.sending is not None or now - outbound.confirmed_at < seconds

    def on_close(self, callback: Callable[["Link"], None]) -> None:
        """Have ``callback`` called once, when the owner closes the link."""
        self._on_close = callback

    def fail(self, reason: str) -> None:
        """Break the link: everyone who uses it gets an error. The first reason counts."""
        self._life.fail(reason)

    def note_hint(self) -> None:
        """``+CIPRXGET: 1,<link>``."""
        self.inbound.note_hint()
        self._life.kick()

    def note_far_close(self, reason: int) -> None:
        """``+IPCLOSE``: read what is left, then end or break."""
        if self.far_closed:
            return
        self.inbound.note_far_close(trio.current_time())
        if reason != 1:
            self._reader.end_reason = CLOSE_REASONS.get(reason, f"close reason {reason}")
        self._life.notify()
        self._life.kick()

    def note_send_result(self, result: SendConfirmed) -> None:
        """``+CIPSEND: <link>,<requested>,<confirmed>``, before or after OK."""
        self._writer.note_send_result(result)

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
        return not (self._over or self.inbound.ended or self.inbound.chunks)

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
        return self.far_closed or self._life.closed or self.reset is not None

    def _check_open(self) -> None:
        if self._life.closed:
            raise trio.ClosedResourceError(f"link {self.number} is closed")

    def _check_whole(self) -> None:
        if self.reset is not None:
            raise trio.BrokenResourceError(self.reset.reason) from self.reset

    def _check_sendable(self) -> None:
        self._check_open()
        self._check_whole()
        if self.far_closed:
            raise trio.BrokenResourceError("the far side has closed")

    # -- the scheduler's side ---------------------------------------------------------

    def offer(self, now: float) -> Offer:
        """Say what this link could do now."""
        inbound, outbound = self.inbound, self.outbound
        write = 0 if self.far_closed else outbound.ready(now)
        hold_until = self._write_barred_until(now) if write else now
        if hold_until > now:
            write = 0
        last_send = max(self._life.context.results_due.values(), default=-inf)
        return Offer(
            read=inbound.read_offer(now),
            small_read=inbound.small,
            write=write,
            upkeep=self._upkeep_due(now),
            soon=not write and bool(outbound.queue) and now < last_send + _RESULT_GRACE_S,
            due_at=max(now, self._due_at(now, hold_until)),
        )

    def _due_at(self, now: float, hold_until: float) -> float:
        due = min(self.inbound.due_at(), self.outbound.due_at(now), self._stall_at())
        return min(due, hold_until) if hold_until > now else due

    def _write_barred_until(self, now: float) -> float:
        """Other links may bar a send: several are busy, or a result is just due."""
        due = self._life.context.results_due
        others = [at for key, at in due.items() if key != self.number]
        recent = max(others, default=-_RESULT_GRACE_S)
        return max(self._life.context.scheduler.write_hold.until, recent + _RESULT_GRACE_S)

    def _upkeep_due(self, now: float) -> bool:
        return (
            self.outbound.result_overdue(now)
            or self.inbound.poll_due(now)
            or self.outbound.probe_due_at() <= now
            or self._stall_at() <= now
        )

    def _stall_at(self) -> float:
        since = self.outbound.stuck_since
        return inf if since is None else since + self._life.context.stall_s

    async def exchange(self, grant: Grant) -> int:
        """Do one exchange; all outcomes are this link's own business.

        Raises:
            LineError: the line ended.
        """
        if grant.work is Work.READ:
            return await self._reader.read(grant.size)
        if grant.work is Work.WRITE and not self.outbound.probe_wanted(trio.current_time()):
            return await self._writer.send(grant.size)
        return await self._upkeep()

    async def _upkeep(self) -> int:
        now = trio.current_time()
        if self._stall_at() <= now:
            self.fail(f"no progress for {self._life.context.stall_s:.0f} s")
            return 0
        if self.outbound.wants_ack(now):
            await self._writer.ask_ack()
            return 0
        self.inbound.polling = True
        try:
            return await self._reader.read(self.inbound.room)
        finally:
            self.inbound.polling = False

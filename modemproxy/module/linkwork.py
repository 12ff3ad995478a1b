"""What a link does with the line: its offers to the scheduler, and the exchanges chosen."""

from math import inf
from typing import Final

import trio

from modemproxy.line.policy import Grant, Offer, Work
from modemproxy.module.inbound import Inbound
from modemproxy.module.life import LinkLife
from modemproxy.module.outbound import Outbound
from modemproxy.module.reading import Reader
from modemproxy.module.sending import Writer

#: While another link's send result is this young, ours would be answered busy.
_RESULT_GRACE_S: Final = 0.25
#: Asking CIPACK what became of a send is offered as a send of one byte.
_QUESTION: Final = 1


class LinkWork:
    """One link as the scheduler sees it: the ``Source`` of its exchanges."""

    def __init__(self, life: LinkLife, inbound: Inbound, outbound: Outbound) -> None:
        self._life = life
        self._inbound = inbound
        self._outbound = outbound
        self.reader = Reader(life, inbound, outbound)
        self.writer = Writer(life, inbound, outbound)

    def offer(self, now: float) -> Offer:
        """Say what this link could do now; what it waits for, only if that is nothing."""
        inbound, outbound = self._inbound, self._outbound
        hold_until = now
        write = outbound.ready(now) if outbound.queue and not inbound.far_closed else 0
        if write and (hold_until := self._write_barred_until()) > now:
            write = 0
        overdue = outbound.result_overdue(now)
        if overdue:
            write = _QUESTION  # nothing can be sent before it is answered: it takes that turn
        read, stall_at = inbound.read_offer(now), self._stall_at()
        upkeep = (
            overdue
            or stall_at <= now
            or inbound.poll_due(now)
            or outbound.probe_due_at() <= now
        )
        offer = Offer(read, inbound.small, write, upkeep)
        if not (read or write):
            due_at = min(inbound.due_at(), outbound.due_at(now), stall_at)
            offer.due_at = max(now, min(due_at, hold_until) if hold_until > now else due_at)
            offer.soon = bool(outbound.queue) and now < self._last_send_at() + _RESULT_GRACE_S
        return offer

    def _write_barred_until(self) -> float:
        """Other links may bar a send: several are busy, or a result is just due."""
        barred_until = self._life.context.scheduler.write_hold.until
        for key, at in self._life.context.results_due.items():
            if key != self._life.number:
                barred_until = max(barred_until, at + _RESULT_GRACE_S)
        return barred_until

    def _last_send_at(self) -> float:
        return max(self._life.context.results_due.values(), default=-inf)

    def _stall_at(self) -> float:
        since = self._outbound.stuck_since
        if since is None or self._outbound.sending is not None:  # its result comes first
            return inf
        if self._inbound.far_closed:  # then nothing goes on, and the end has its own judge
            return inf
        return since + self._life.context.stall_s

    async def exchange(self, grant: Grant) -> int:
        """Do one exchange; all outcomes are this link's own business.

        Raises:
            LineError: the line ended.
        """
        if grant.work is Work.READ:
            return await self.reader.read(grant.size)
        now = trio.current_time()
        asks = self._outbound.probe_wanted(now) or self._outbound.result_overdue(now)
        if grant.work is Work.WRITE and not asks:
            return await self.writer.send(grant.size, now)
        return await self._upkeep()

    async def _upkeep(self) -> int:
        now = trio.current_time()
        if self._stall_at() <= now:
            await self._judge_stall(now)
            return 0
        if self._outbound.wants_ack(now):
            await self.writer.ask_ack()
            return 0
        self._inbound.polling = True
        try:
            return await self.reader.read(self._inbound.room)
        finally:
            self._inbound.polling = False

    async def _judge_stall(self, now: float) -> None:
        """Ask once more before giving up: on a busy line the last time may be long ago."""
        if self._outbound.ack_usable:
            await self.writer.ask_ack()
        if self._stall_at() <= now:
            self._life.fail(f"no progress for {self._life.context.stall_s:.0f} s")

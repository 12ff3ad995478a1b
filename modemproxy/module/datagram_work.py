"""What a datagram link does with the line: its offers to the scheduler.

One exchange is one datagram, whole: what the scheduler grants in bytes is what such an
exchange is charged for, and no reason to cut one.
"""

from math import inf
from typing import Final

from modemproxy.line.policy import Grant, Offer, Work
from modemproxy.module.datagram_in import Inbox
from modemproxy.module.datagram_out import Outbox
from modemproxy.module.datagram_reading import DatagramReader
from modemproxy.module.datagram_sending import DatagramWriter
from modemproxy.module.destination import Destination
from modemproxy.module.life import LinkLife

#: While another link's send result is this young, ours would be answered busy.
_RESULT_GRACE_S: Final = 0.25


class DatagramWork:
    """One datagram link as the scheduler sees it: the ``Source`` of its exchanges."""

    def __init__(
        self, life: LinkLife, inbox: Inbox, outbox: Outbox, destination: Destination
    ) -> None:
        self._life = life
        self._inbox = inbox
        self._outbox = outbox
        self.reader = DatagramReader(life, inbox, outbox)
        self.writer = DatagramWriter(life, inbox, outbox, destination)

    def offer(self, now: float) -> Offer:
        """Say what this link could do now."""
        inbox, outbox = self._inbox, self._outbox
        self.writer.note_time(now)
        write = 0 if self._must_read_first else outbox.ready(now)
        due_at = min(inbox.due_at(), outbox.due_at(now))
        if write and (barred_until := self._barred_until()) > now:
            write, due_at = 0, min(due_at, barred_until)
        last_send = max(self._life.context.results_due.values(), default=-inf)
        return Offer(
            read=inbox.read_size if inbox.wanted else 0,
            small_read=inbox.small,
            write=write,
            upkeep=inbox.poll_due(now),
            soon=not write and bool(outbox.waiting) and now < last_send + _RESULT_GRACE_S,
            due_at=max(now, due_at),
        )

    @property
    def _must_read_first(self) -> bool:
        """Where answers may merge, no other one is asked for while one waits."""
        return self._inbox.wanted and not self._inbox.boundaries.kept

    def _barred_until(self) -> float:
        """Other links may bar a send: several are busy, or a result is just due."""
        due = self._life.context.results_due
        others = [at for key, at in due.items() if key != self._life.number]
        recent = max(others, default=-inf)
        return max(self._life.context.scheduler.write_hold.until, recent + _RESULT_GRACE_S)

    async def exchange(self, grant: Grant) -> int:
        """Do one exchange; all outcomes are this link's own business.

        Raises:
            LineError: the line ended.
        """
        match grant.work:
            case Work.READ:
                return await self.reader.read()
            case Work.WRITE:
                return await self.writer.write()
            case _:
                return await self.reader.poll()

"""The read exchange of a datagram link: one read, one datagram."""

import logging
from typing import Final

import trio

from modemproxy.at.results import Refused
from modemproxy.at.transfer import QueryUnread, ReadData
from modemproxy.errors import CommandError, DamagedAnswer, NoAnswer
from modemproxy.module.datagram_in import Inbox
from modemproxy.module.datagram_out import Outbox
from modemproxy.module.life import LinkLife

log = logging.getLogger(__name__)

#: Refusals and damages in a row before a link is given up.
_PATIENCE: Final = 3


class DatagramReader:
    """Fetches a link's datagrams."""

    def __init__(self, life: LinkLife, inbox: Inbox, outbox: Outbox) -> None:
        self._life = life
        self._inbox = inbox
        self._outbox = outbox
        self._errors = 0

    async def poll(self) -> int:
        """Look whether there is something although nothing says so."""
        self._inbox.polling = True
        try:
            return await self.read()
        finally:
            self._inbox.polling = False

    async def read(self) -> int:
        """Ask for one datagram; return how many bytes came.

        Always as many as a datagram may have, because what a shorter read leaves of one is
        not defined (protocol.md 5.6).

        Raises:
            LineError: the line ended. Everything else is the link's own business.
        """
        inbox, number = self._inbox, self._life.number
        inbox.begin_read()
        try:
            reply = await self._life.channel.roundtrip(ReadData(number, inbox.read_size))
        except Refused as error:
            await self._refused(error)
            return 0
        except (DamagedAnswer, NoAnswer) as error:
            inbox.note_damaged(trio.current_time())
            self._count_error(error)
            return 0
        self._errors = 0
        now = trio.current_time()
        if reply.data:
            inbox.note_data(reply.data, reply.rest, now)
            self._outbox.note_answer()
            self._life.notify_received()
        else:
            inbox.note_empty(now)
        return len(reply.data)

    async def _refused(self, error: Refused) -> None:
        inbox, failure = self._inbox, error.failure
        if failure.is_network_closed:
            self._life.network_closed(error)
        elif failure.is_ip("Invalid parameter") and inbox.shorten_reads():
            log.info("this firmware reads no more than %d bytes at once", inbox.read_size)
        elif failure.is_no_data or await self._is_empty():
            self._errors = 0
            inbox.note_empty(trio.current_time())
        else:
            self._count_error(error)

    async def _is_empty(self) -> bool:
        """A bare ERROR to a read proves nothing; this does. Refused means no such link."""
        try:
            return await self._life.channel.roundtrip(QueryUnread(self._life.number)) == 0
        except Refused as error:
            return error.failure.text != "ERROR"
        except CommandError:
            return False

    def _count_error(self, error: CommandError) -> None:
        self._errors += 1
        if self._errors >= _PATIENCE:
            self._life.fail(f"cannot be read: {error}")

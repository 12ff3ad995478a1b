"""The read exchange of a link, and the verdict on its end."""

import logging
from typing import Final

import trio

from modemproxy.at.results import Refused
from modemproxy.at.transfer import QueryUnread, ReadData, ReadReply
from modemproxy.errors import CommandError, DamagedAnswer, NoAnswer
from modemproxy.module.inbound import Inbound
from modemproxy.module.life import LinkLife
from modemproxy.module.outbound import Outbound

log = logging.getLogger(__name__)

#: Errors in a row before a link is given up.
_PATIENCE: Final = 3


class Reader:
    """Fetches a link's bytes and decides how it ended.

    Attributes:
        end_reason: why the end will be a reset even if everything can be read.
    """

    def __init__(self, life: LinkLife, inbound: Inbound, outbound: Outbound) -> None:
        self._life = life
        self.inbound = inbound
        self.outbound = outbound
        self.end_reason: str | None = None
        self._errors = 0

    async def read(self, size: int) -> int:
        """Ask for up to ``size`` bytes; return how many came.

        Raises:
            LineError: the line ended. Everything else is the link's own business.
        """
        self.inbound.begin_read()
        try:
            reply = await self._life.channel.roundtrip(
                ReadData(self._life.number, size), on_reply=self._note_reply
            )
        except Refused as error:
            await self._read_refused(error)
            return 0
        except (DamagedAnswer, NoAnswer) as error:
            self._life.fail(f"bytes lost on the line: {error}")
            if isinstance(error, DamagedAnswer):
                self._life.context.note_loss()
            return 0
        return len(reply.data)

    def _note_reply(self, reply: ReadReply, now: float) -> None:
        self._errors = 0
        if self._life.lost_number:
            log.warning("link %d: %d bytes dropped", self._life.number, len(reply.data))
        elif reply.data:
            self.inbound.note_data(reply.data, reply.rest, now)
            self._life.notify_received()
        else:
            self._note_empty(now)

    async def _read_refused(self, error: Refused) -> None:
        if error.failure.is_no_data:
            self._errors = 0
            self._note_empty(trio.current_time())
        elif error.failure.is_network_closed:
            self._life.network_closed(error)
        elif await self._unread_count() == 0:
            self._note_empty(trio.current_time())
        else:
            self._errors += 1
            if self._errors >= _PATIENCE:
                self._life.fail(f"cannot be read: {error}")

    async def _unread_count(self) -> int:
        """A bare ERROR to a read proves nothing; this does. Refused means no such link."""
        command = QueryUnread(self._life.number)
        try:
            return await self._life.channel.roundtrip(command)
        except Refused as error:
            return 0 if error.failure.text != "ERROR" else -1
        except CommandError:
            return -1

    def _note_empty(self, now: float) -> None:
        if self.inbound.looking:
            self._life.notify_received()
        self.inbound.note_empty(now)
        if not self.inbound.ended:
            return
        self.inbound.end_seen_at = min(self.inbound.end_seen_at, now)
        if self._life.context.is_doubtful(self.inbound.end_seen_at):
            self.inbound.empty_answers = 1  # a network that has gone empties buffers too
        else:
            self._judge_end()

    def _judge_end(self) -> None:
        """The last byte was read: a clean end must be earned."""
        reason = self.end_reason or self._why_not_clean()
        if reason is None:
            log.info(
                "link %d -> %s closed by the far side", self._life.number, self._life.target
            )
            self._life.leave()
        else:
            self._life.fail(reason)

    def _why_not_clean(self) -> str | None:
        inbound, outbound = self.inbound, self.outbound
        if not outbound.empty:
            return "the far side closed while bytes for it were queued"
        if inbound.announced or inbound.promised:
            return "the far side closed, and announced bytes cannot be read any more"
        if max(inbound.data_at, inbound.looked_at) < self._life.channel.damaged_at:
            return "the far side closed, and the report of its last bytes may have been lost"
        if not outbound.confirmed:
            return None
        if outbound.ack_current:
            return "the far side closed without taking everything" if outbound.unacked else None
        if inbound.data_at > outbound.confirmed_at:
            return None
        return "the far side closed, and may not have taken everything"

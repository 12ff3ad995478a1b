"""The send exchange of a link, and what its outcome means."""

from typing import Final

import trio

from modemproxy.at.results import Failure, Refused, TcpipErr
from modemproxy.at.transfer import QueryAck, SendData
from modemproxy.at.urcs import SendConfirmed
from modemproxy.errors import CommandError, NoAnswer
from modemproxy.module.inbound import Inbound
from modemproxy.module.life import LinkLife
from modemproxy.module.outbound import RESULT_LIMIT_S, Outbound

#: Refusals and silences in a row before a link is given up.
_PATIENCE: Final = 3
_REFUSED_HOLD_S: Final = 0.2


class Writer:
    """Hands a link's bytes to the module and books what became of them."""

    def __init__(self, life: LinkLife, inbound: Inbound, outbound: Outbound) -> None:
        self._life = life
        self.inbound = inbound
        self.outbound = outbound

    def note_send_result(self, result: SendConfirmed) -> None:
        """``+CIPSEND: <link>,<requested>,<confirmed>``, before or after OK."""
        outbound, sending = self.outbound, self.outbound.sending
        if sending is None or sending.confirmed is not None:
            return
        if not (sending.accepted or self._life.channel.handed_over):
            return  # the module does not have its bytes: it is an earlier one's
        if result.requested != len(sending.data):
            if not outbound.may_be_late(result.requested, trio.current_time()):
                self._life.fail(
                    f"send result for {result.requested} bytes, {len(sending.data)} sent"
                )
            return
        sending.confirmed = result.confirmed
        if sending.accepted:
            self._settle_send()

    async def send(self, size: int, now: float) -> int:
        """Hand over up to ``size`` queued bytes; return how many the module accepted.

        Raises:
            LineError: the line ended. Everything else is the link's own business.
        """
        outbound = self.outbound
        data = outbound.begin(size, now)
        self._life.context.results_due[self._life.number] = now
        try:
            await self._life.channel.roundtrip(
                SendData(self._life.number, data), on_reply=self._note_accepted
            )
        except Refused as error:
            self._send_refused(error)
            return 0
        except NoAnswer as error:
            self._send_unanswered(error)
            return 0
        return len(data)

    def _note_accepted(self, _: None, now: float) -> None:
        """OK came behind the payload."""
        outbound = self.outbound
        outbound.note_accepted()
        self.inbound.note_sent(now, more=bool(outbound.queue))
        if outbound.sending is not None and outbound.sending.confirmed is not None:
            self._settle_send()
        elif outbound.sending is not None:
            self._life.context.results_due[self._life.number] = now
        self._life.notify_sent()

    def _send_refused(self, error: Refused) -> None:
        outbound = self.outbound
        self._life.context.results_due.pop(self._life.number, None)
        now = trio.current_time()
        if error.handed_over:
            self._life.fail(f"outcome of a send unknown: {error}")
        elif error.failure.is_busy:
            outbound.note_busy(now)
            scheduler = self._life.context.scheduler
            scheduler.meter.busy_answers += 1
            scheduler.write_hold.note_busy(self._life.number, now)
        elif error.failure.is_network_closed:
            outbound.note_not_sent()
            self._life.network_closed(error)
        else:
            outbound.note_not_sent()
            self._count_refusal(error, error.failure)

    def _send_unanswered(self, error: NoAnswer) -> None:
        self._life.context.results_due.pop(self._life.number, None)
        sending = self.outbound.sending
        if not error.handed_over:
            self.outbound.note_not_sent()
            self._count_refusal(error, None)
        elif sending is not None and sending.confirmed == len(sending.data):
            self.outbound.note_accepted()  # OK was lost, its result was not
            self._settle_send()
        else:
            self._life.fail(f"outcome of a send unknown: {error}")

    def _count_refusal(self, error: CommandError, failure: Failure | None) -> None:
        """Nothing was handed over: try again, but not for ever."""
        outbound = self.outbound
        outbound.refusals += 1
        outbound.hold_until = trio.current_time() + _REFUSED_HOLD_S
        gone = failure is not None and failure.is_err(TcpipErr.NOT_SUPPORTED)
        if gone or outbound.refusals >= _PATIENCE:
            self._life.fail(f"cannot send: {error}")

    def _settle_send(self) -> None:
        """Both OK and the result line are here."""
        outbound = self.outbound
        sending = outbound.sending
        assert sending is not None
        assert sending.confirmed is not None
        doubtful = outbound.may_be_late(len(sending.data), trio.current_time())
        if sending.confirmed < 0:
            self._life.fail("the module says that the connection is gone (confirmed -1)")
        elif doubtful or sending.confirmed != len(sending.data):
            sending.since = -RESULT_LIMIT_S  # CIPACK has to say how much was taken
            self._life.kick()
        else:
            self._settled(sending.confirmed)

    def _settled(self, count: int) -> None:
        self.outbound.settle(count, trio.current_time())
        self._life.context.results_due.pop(self._life.number, None)
        self._life.context.scheduler.write_hold.note_progress()
        self._life.kick()
        if self.outbound.empty:  # room was made when it was accepted
            self._life.notify_sent()

    async def ask_ack(self) -> None:
        """Ask CIPACK, and settle with its counters what is open.

        Raises:
            LineError: the line ended.
        """
        outbound = self.outbound
        try:
            reply = await self._life.channel.roundtrip(QueryAck(self._life.number))
        except CommandError as error:
            self._ack_refused(error)
            return
        if outbound.sending is not None:
            self._reconcile(outbound.sending.confirmed, reply.sent)
        if self._life.reset is None and reply.sent >= 0 and outbound.sending is None:
            if outbound.note_ack(reply.sent, reply.acked, trio.current_time()):
                self._life.context.scheduler.write_hold.note_progress()
            self._life.notify_sent()

    def _reconcile(self, confirmed: int | None, sent: int) -> None:
        """Settle a short, lost or doubtful result by the absolute counter, or reset."""
        outbound, now = self.outbound, trio.current_time()
        sending = outbound.sending
        assert sending is not None
        size = len(sending.data)
        count = size if confirmed is None else confirmed
        if outbound.sent_matches(sent, count):
            if confirmed is None:
                outbound.note_late(now)
            self._settled(count)
        elif outbound.may_be_late(size, now) and outbound.sent_matches(sent, 0):
            outbound.note_was_late(now)
        else:
            expected = outbound.confirmed + count
            self._life.fail(
                f"outcome of a send unknown: CIPACK says {sent}, expected {expected}"
            )

    def _ack_refused(self, error: CommandError) -> None:
        outbound = self.outbound
        if outbound.sending is not None:
            self._life.fail(f"outcome of a send unknown: {error}")
        elif isinstance(error, Refused) and error.failure.is_network_closed:
            self._life.network_closed(error)
        elif self.inbound.far_closed or outbound.ack_answered:
            # no firmware says much about a closed socket; else the command was garbled
            outbound.note_ack_refused(trio.current_time())
        else:
            outbound.ack_usable = False
            outbound.stuck_since = None
            self._life.notify_sent()

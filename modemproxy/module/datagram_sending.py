"""The send exchange of a datagram link, and what its outcome means."""

import logging
from typing import Final

import trio

from modemproxy.at.datagrams import SendDatagram
from modemproxy.at.results import Refused, TcpipErr
from modemproxy.at.urcs import SendConfirmed
from modemproxy.errors import CommandError, NoAnswer
from modemproxy.module.datagram_in import Inbox
from modemproxy.module.datagram_out import Outbox
from modemproxy.module.destination import Destination
from modemproxy.module.life import LinkLife

log = logging.getLogger(__name__)

#: Refusals and silences in a row before a link is given up.
_PATIENCE: Final = 3
_REFUSED_HOLD_S: Final = 0.2


class DatagramWriter:
    """Hands a link's datagrams to the module and books what became of them."""

    def __init__(
        self, life: LinkLife, inbox: Inbox, outbox: Outbox, destination: Destination
    ) -> None:
        self._life = life
        self._inbox = inbox
        self._outbox = outbox
        self._destination = destination

    def note_time(self, now: float) -> None:
        """Drop what is too old, and wait no longer for a result that was lost."""
        self._outbox.expire(now)
        if self._outbox.result_overdue(now):
            self._forget_result()
            self._outbox.settle(now)

    async def write(self) -> int:
        """Hand over the oldest datagram; return its size if the module took it.

        Raises:
            LineError: the line ended. Everything else is the link's own business.
        """
        now = trio.current_time()
        self.note_time(now)
        if not self._outbox.waiting:  # it grew too old since it was offered
            return 0
        if self._destination.must_resolve(now):
            await self._resolve()
            return 0
        return await self._send(now)

    async def _send(self, now: float) -> int:
        outbox, life, destination = self._outbox, self._life, self._destination
        data = outbox.begin(now)
        life.context.results_due[life.number] = now
        command = SendDatagram(life.number, data, destination.text, destination.port)
        try:
            await life.channel.roundtrip(command)
        except Refused as error:
            self._forget_result()
            self._refused(error)
            return 0
        except NoAnswer as error:
            self._forget_result()
            self._unanswered(error)
            return 0
        self._accepted(trio.current_time())
        return len(data)

    def _accepted(self, now: float) -> None:
        """OK: the module has all of it; its result may be here already."""
        flight = self._outbox.flight
        assert flight is not None
        flight.accepted = True
        self._inbox.note_sent(now)
        if flight.confirmed is not None:
            self._settle(flight.confirmed, now)
        elif self._life.reset is None and not self._life.closed:
            self._life.context.results_due[self._life.number] = now

    def note_send_result(self, result: SendConfirmed) -> None:
        """``+CIPSEND: <link>,<requested>,<confirmed>``, before or after OK."""
        flight = self._outbox.flight
        if flight is None or flight.confirmed is not None:
            return
        if not (flight.accepted or self._life.channel.handed_over):
            return  # of one that is not waited for any more
        if result.requested != len(flight.data):
            return  # of a send that was given up
        flight.confirmed = result.confirmed
        if flight.accepted:
            self._settle(result.confirmed, trio.current_time())
            self._life.kick()

    def _settle(self, confirmed: int, now: float) -> None:
        """Both OK and the result line are here."""
        outbox, life = self._outbox, self._life
        assert outbox.flight is not None
        self._forget_result()
        if confirmed == len(outbox.flight.data):
            outbox.settle(now)
            life.context.scheduler.write_hold.note_progress()
            return
        outbox.give_up()
        if confirmed < 0:
            life.fail("the module says that the socket is gone (confirmed -1)")

    def _forget_result(self) -> None:
        self._life.context.results_due.pop(self._life.number, None)

    def _refused(self, error: Refused) -> None:
        outbox, failure, now = self._outbox, error.failure, trio.current_time()
        if failure.is_busy and not error.handed_over:
            outbox.note_busy(now)
            self._life.context.scheduler.write_hold.note_busy(self._life.number, now)
            return
        if error.handed_over:
            outbox.give_up()
        else:
            outbox.put_back()
        if failure.is_network_closed:
            self._life.network_closed(error)
        elif self._destination.note_refused():
            log.info("%s: refused as a name; looking it up", self._destination.host)
        else:
            self._count_refusal(error, gone=failure.is_err(TcpipErr.NOT_SUPPORTED))

    def _unanswered(self, error: NoAnswer) -> None:
        outbox = self._outbox
        flight = outbox.flight
        if not error.handed_over:
            outbox.put_back()
            self._count_refusal(error, gone=False)
        elif flight is not None and flight.confirmed == len(flight.data):
            self._accepted(trio.current_time())  # OK was lost, its result was not
        else:
            outbox.give_up()

    def _count_refusal(self, error: CommandError, *, gone: bool) -> None:
        outbox = self._outbox
        outbox.refusals += 1
        outbox.hold_until = trio.current_time() + _REFUSED_HOLD_S
        if gone or outbox.refusals >= _PATIENCE:
            self._life.fail(f"cannot send: {error}")

    async def _resolve(self) -> None:
        """Have the module look the far side's name up; what waits is dropped if it can't."""
        error = await self._destination.resolve(self._life.channel)
        if error is None:
            self._outbox.renew(trio.current_time())
        else:
            log.warning("link %d -> %s: %s", self._life.number, self._life.target, error)
            self._outbox.drop_all()
            self._outbox.hold_until = self._destination.retry_at

"""The line's one reader: parses what the module says, and tells whom it concerns.

It is the only one that calls ``receive_some``. It parses, sets, hands a payload to the
kernel the moment its prompt is seen, and goes on: it never awaits another task.
Unsolicited codes go to ``on_urc``, which is synchronous.
"""

import logging
from collections.abc import Callable
from math import inf
from typing import Final

import trio

from modemproxy.at.datagrams import OpenUdp
from modemproxy.at.dte import (
    Broken,
    Completed,
    Echoed,
    Event,
    Failed,
    PromptReady,
    Stray,
    StrayPrompt,
    Unknown,
)
from modemproxy.at.tcpip import OpenLink
from modemproxy.at.trailer import Trailer
from modemproxy.at.transfer import ReadData, SendData
from modemproxy.at.urcs import LinkOpened, SendConfirmed, Urc
from modemproxy.errors import LineClosed, LineError, RemoteProtocolError
from modemproxy.line import wirelog, wiretext
from modemproxy.line.doubt import Doubt
from modemproxy.line.exchange import PAYLOAD_STALL_S, Exchange
from modemproxy.line.port import Port
from modemproxy.line.timing import Gather, Latency

log = logging.getLogger(__name__)

#: So much that is no text, outside a payload, is no accident: the module restarted at
#: another speed, and what is unanswered then will stay so.
_RUBBISH_BYTES: Final = 16
RUBBISH_PATIENCE_S: Final = 1.5
_ENDS: Final = (Completed, Failed, Broken)
#: A send whose result is here has arrived whole; its OK stands right beside it. So does
#: that of an open.
_OK_GRACE_S: Final = 2.0


class LineReader:
    """The hearing half of a channel.

    Attributes:
        on_urc: called by the reader for everything unsolicited.
        on_oddity: called by the reader with words for what a healthy line never shows
            (an echo, a result nobody asked for): grounds for a suspicion.
        data_entry_s: the module's own bound on a payload that does not come.
        latency: how quickly the module answers.
        entry_at: when the module may have begun to wait for a payload, last.
        lines_in: how many lines made sense so far.
    """

    def __init__(self, port: Port) -> None:
        """Args: port: stays the caller's to close."""
        self._port = port
        self._dte = wirelog.open_dialogue(trio.current_time)
        self._exchange = Exchange(port, self._dte)
        self._gather = Gather()
        self._doubt = Doubt()
        self._closed = trio.Event()
        self._echo_on = False
        self._in_data_entry = False
        self._out_of_step = False
        self._rubbish = 0
        self._other_speed = False
        self._sense = 0
        self.entry_at = -inf
        self.on_urc: Callable[[Urc], None] = lambda urc: None
        self.on_oddity: Callable[[str], None] = lambda what: None
        self.data_entry_s = 16.0
        self.latency = Latency()
        self.bytes_in = 0
        self.lines_in = 0

    @property
    def port(self) -> Port:
        """The port underneath, for bring-up to set its speed."""
        return self._port

    @property
    def bytes_out(self) -> int:
        """Bytes given to the kernel so far."""
        return self._exchange.bytes_out

    def learn_from(self, trailer: Trailer) -> None:
        """Judge reads by what this module's ends looked like on an earlier line."""
        self._dte.trailer = trailer

    @property
    def payload_pending(self) -> bool:
        """A send has begun whose payload the module may not have in full."""
        return self._in_data_entry or isinstance(self._dte.in_flight, SendData)

    @property
    def handed_over(self) -> bool:
        """The payload of the last send was written: a result may be its own."""
        return self._exchange.handed_over

    def reading(self, link: int) -> bool:
        """A read of this link is under way."""
        command = self._dte.in_flight
        return isinstance(command, ReadData) and command.link == link

    def sending(self, link: int) -> bool:
        """A send on this link has not had its OK."""
        command = self._dte.in_flight
        return isinstance(command, SendData) and command.link == link

    def opening(self, link: int) -> bool:
        """An open of this link has not had its OK."""
        command = self._dte.in_flight
        return isinstance(command, OpenLink | OpenUdp) and command.link == link

    def header_due(self, link: int) -> bool:
        """A read of this link is under way, and its header has not come."""
        return self.reading(link) and not self._dte.receiving

    @property
    def quiet_until(self) -> float:
        """Until when whatever is said may become payload: the module's own time-out."""
        if not self.payload_pending:
            return -inf
        command = self._dte.in_flight
        awaited = isinstance(command, SendData) and not self._dte.prompted
        prompt_s = SendData.prompt_s + self._exchange.lateness_s  # it may be on its way
        return self.entry_at + (prompt_s if awaited else 0.0) + self.data_entry_s

    async def read_forever(self) -> None:
        """Be the line's reader.

        Raises:
            LineClosed: always, when the device hung up or failed. The command in flight
                and every later one end with it too.
        """
        end: LineClosed | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._exchange.wakeup.keep_time)
                end = await self._read_to_end()
                nursery.cancel_scope.cancel()
            raise end
        finally:
            wirelog.note_end(self._dte, hung_up=end is not None)
            self.abort(end or LineClosed("the line was closed"))

    async def _read_to_end(self) -> LineClosed:
        """Read until the line ends, and say how it did."""
        try:
            while data := await self._port.receive_some():
                now = trio.current_time()
                self._receive(bytes(data), now)
                if pause := self._gather.pause(self._dte.missing, now):
                    await trio.sleep(pause)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            return LineClosed(f"the device failed: {error}")
        return LineClosed("the device hung up")

    def _receive(self, data: bytes, now: float) -> None:
        self.bytes_in += len(data)
        self.latency.note_heard(now)
        self._exchange.heard_at = now
        self._dte.receive_data(data)
        self._dispatch_all()
        if self._dte.receiving:
            self._exchange.expect_payload()
        elif self._dte.unframed_rubbish >= _RUBBISH_BYTES and not self._maybe_payload:
            if self._doubt.note_rubbish():
                self._exchange.hasten(now + PAYLOAD_STALL_S)
            else:
                self._other_speed = True  # a line that was only garbled would have an end
                self._note_rubbish(now)

    def _dispatch_all(self) -> None:
        while True:
            try:
                event = self._dte.next_event()
            except RemoteProtocolError as error:
                self.on_oddity(str(error))
                continue
            if event is None:
                return
            self._dispatch(event)

    def _dispatch(self, event: Event) -> None:
        self.lines_in += 1
        if isinstance(event, Urc):
            self._note_urc(event)
        elif isinstance(event, _ENDS):
            self._rubbish = 0
            self._other_speed = False
            event, kept = self._doubt.verdict(event)
            for urc in kept:
                self.on_urc(urc)
            self._exchange.end(event)
        elif isinstance(event, PromptReady):
            self.entry_at = self._exchange.heard_at
            self._exchange.hand_over()
        else:
            self._dispatch_odd(event)

    @property
    def _maybe_payload(self) -> bool:
        """What comes may be payload of a damaged read."""
        return self._doubt.noise or self._doubt.arisen or self._dte.receiving

    def _note_urc(self, urc: Urc) -> None:
        if self._doubt.keeps(urc, receiving=self._dte.receiving):
            return
        command = self._dte.in_flight
        if (
            isinstance(urc, SendConfirmed)
            and isinstance(command, SendData)
            and self.handed_over
            and (urc.link, urc.requested) == (command.link, len(command.data))
        ) or (isinstance(urc, LinkOpened) and self.opening(urc.link)):
            self._exchange.hasten(self._exchange.heard_at + _OK_GRACE_S)
        self.on_urc(urc)

    def _dispatch_odd(self, event: Event) -> None:
        doubt = self._doubt
        if isinstance(event, Unknown):
            self._note_unknown(event)
        elif self._maybe_payload or (doubt.ruled and isinstance(event, Stray)):
            log.debug("not believed: %s", type(event).__name__)
        elif isinstance(event, StrayPrompt):
            self._in_data_entry = True
            self.entry_at = self._exchange.heard_at
            self.on_oddity("a prompt nobody asked for")
        elif isinstance(event, Echoed):
            self._echo_on = True
            self.on_oddity(f"echo of {wiretext.visible(event.line, event)!r}")
        elif isinstance(event, Stray):
            self._out_of_step = True
            self.on_oddity(f"stray {event.what}")

    def _note_unknown(self, event: Unknown) -> None:
        now = self._exchange.heard_at
        self.lines_in -= 1
        log.debug("ignored: %r", wiretext.visible(event.line, event))
        self._doubt.note_unknown(event.line, receiving=self._dte.receiving)
        if self._doubt.arisen:
            self._exchange.hasten(now + PAYLOAD_STALL_S)
        elif not self._maybe_payload and _is_rubbish(event.line):
            self._note_rubbish(now)

    def _note_rubbish(self, now: float) -> None:
        """Most likely another speed: what is in flight will hardly be answered."""
        if not self._rubbish:
            self._sense = self.lines_in
            self.on_oddity("rubbish: is the module at another speed?")
        self._rubbish += 1
        self._exchange.hasten(now + RUBBISH_PATIENCE_S)

    def abort(self, error: LineError) -> None:
        """End the exchange under way now, shield or not, and let no other begin.

        Args:
            error: why; whoever wants something of the line is told.
        """
        self._exchange.abort(error)
        self._closed.set()

    async def wait_quiet(self, quiet_s: float, limit_s: float) -> bool:
        """Wait until nothing was heard for ``quiet_s``, at most ``limit_s``; say if so."""
        exchange = self._exchange
        deadline = trio.current_time() + limit_s
        while (now := trio.current_time()) < exchange.heard_at + quiet_s:
            if now >= deadline:
                return False
            exchange.check_open()
            await trio.sleep_until(min(deadline, exchange.heard_at + quiet_s))
        return True

    async def wait_closed(self) -> None:
        """Wait for the end of the line."""
        await self._closed.wait()


def _is_rubbish(line: bytes) -> bool:
    return not line.isascii() and len(line) >= _RUBBISH_BYTES

"""The DTE-DCE line driven by trio: the port's one reader, and one exchange at a time.

The reader is the only one that calls ``receive_some``. It parses, sets, hands a payload to
the kernel the moment its prompt is seen, and goes on: it never awaits another task.
``roundtrip()`` puts one command on the line and waits for its final result code; it is
called by one task at a time (the scheduler) and is shielded from its first byte to its
end, so a cancelled caller never poisons the next command.

When an answer does not come, the line is out of step, and nobody gets it before it is in
step again (``resync.py``).

Unsolicited codes go to ``on_urc``, which is synchronous.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from typing import Final, TypeVar, cast

import trio

from modemproxy.at.commands import Basic, Command
from modemproxy.at.dte import (
    AnyCommand,
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
from modemproxy.at.results import Refused
from modemproxy.at.transfer import SendData
from modemproxy.at.urcs import SendConfirmed, Urc
from modemproxy.errors import (
    DamagedAnswer,
    LineClosed,
    LineSilent,
    NoAnswer,
    RemoteProtocolError,
)
from modemproxy.line import resync, wirelog, wiretext
from modemproxy.line.exchange import Exchange
from modemproxy.line.port import Port
from modemproxy.line.timing import Gather, Latency

log = logging.getLogger(__name__)

ReplyT = TypeVar("ReplyT")

#: So much that is no text, outside a payload, is no accident: the module restarted at
#: another speed, and what is unanswered then will stay so.
_RUBBISH_BYTES: Final = 16
_RUBBISH_PATIENCE_S: Final = 1.5
#: A send whose result is here has arrived whole; its OK stands right beside it.
_OK_GRACE_S: Final = 2.0


class AtChannel:
    """One serial line to one module.

    Attributes:
        on_urc: called by the reader for everything unsolicited.
        on_oddity: called by the reader with words for what a healthy line never shows
            (an echo, a result nobody asked for): grounds for a suspicion.
        on_resync: called with the reason whenever the line has to be brought into step.
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
        self._closed = trio.Event()
        self._echo_on = False
        self._in_data_entry = False
        self._rubbish = 0
        self.entry_at = -inf
        self.on_urc: Callable[[Urc], None] = lambda urc: None
        self.on_oddity: Callable[[str], None] = lambda what: None
        self.on_resync: Callable[[str], None] = lambda why: None
        self.data_entry_s = 16.0
        self.latency = Latency()
        self.commands = 0
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

    @property
    def payload_pending(self) -> bool:
        """A send has begun whose payload the module may not have in full."""
        return self._in_data_entry or isinstance(self._dte.in_flight, SendData)

    @property
    def quiet_until(self) -> float:
        """Until when whatever is said may become payload: the module's own time-out."""
        return self.entry_at + self.data_entry_s if self.payload_pending else -inf

    # -- the reader ---------------------------------------------------------------------

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
            self.abort("the line was closed" if end is None else str(end))

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
        self._dte.receive_data(data)
        self._dispatch_all()
        self._exchange.note_heard(now)
        if self._dte.unframed_rubbish >= _RUBBISH_BYTES:
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
        elif isinstance(event, Completed | Failed | Broken):
            self._rubbish = 0
            self._exchange.end(event)
        elif isinstance(event, PromptReady):
            self.entry_at = trio.current_time()
            self._exchange.hand_over()
        else:
            self._dispatch_odd(event)

    def _note_urc(self, urc: Urc) -> None:
        command = self._dte.in_flight
        if (
            isinstance(urc, SendConfirmed)
            and isinstance(command, SendData)
            and (urc.link, urc.requested) == (command.link, len(command.data))
        ):
            self._exchange.hasten(trio.current_time() + _OK_GRACE_S)
        self.on_urc(urc)

    def _dispatch_odd(self, event: Event) -> None:
        if isinstance(event, StrayPrompt):
            self._in_data_entry = True
            self.entry_at = trio.current_time()
            self.on_oddity("a prompt nobody asked for")
        elif isinstance(event, Echoed):
            self._echo_on = True
            self.on_oddity(f"echo of {wiretext.visible(event.line, event)!r}")
        elif isinstance(event, Stray):
            self.on_oddity(f"stray {event.what}")
        elif isinstance(event, Unknown):
            self.lines_in -= 1
            log.debug("ignored: %r", wiretext.visible(event.line, event))
            if not event.line.isascii() and len(event.line) >= _RUBBISH_BYTES:
                self._note_rubbish(trio.current_time())

    def _note_rubbish(self, now: float) -> None:
        """Most likely another speed: what is in flight will hardly be answered."""
        if not self._rubbish:
            self.on_oddity("rubbish: is the module at another speed?")
        self._rubbish += 1
        self._exchange.hasten(now + _RUBBISH_PATIENCE_S)

    # -- exchanges ------------------------------------------------------------------------

    async def roundtrip(
        self, command: Command[ReplyT], *, limit_s: float | None = None
    ) -> ReplyT:
        """Do one exchange; one task at a time.

        Args:
            command: what to do.
            limit_s: a tighter bound than the command's own, seconds.

        Shielded: cancelling takes effect after the final result code. Bounded by the
        command's own time-out. Echo that was switched on meanwhile is switched off
        before: with it, payload would come back as text.

        Raises:
            Refused: the module said no.
            NoAnswer: it said nothing; the line is in step again.
            DamagedAnswer: bytes were lost on the line; it is in step again.
            LineClosed, LineSilent: the line is gone.
        """
        if self._echo_on:
            await self._silence_echo()
        event = await self._run(command, limit_s or command.timeout_s)
        if event is None:
            with trio.CancelScope(shield=True):
                await self._give_up(command)
        if isinstance(event, Failed):
            raise Refused(command.shown, event.failure, handed_over=event.handed_over)
        if isinstance(event, Broken):
            self.on_resync(event.problem)
            with trio.CancelScope(shield=True):
                await resync.find_step(self, command)
            raise DamagedAnswer(command.shown, event.problem)
        return cast(ReplyT, cast(Completed, event).reply)

    async def probe(self, command: AnyCommand, wait_s: float) -> bool:
        """Send a command just to see whether OK comes back within ``wait_s``."""
        event = await self._run(command, wait_s)
        if event is None:
            self._dte.abandon()
        answered = isinstance(event, Completed)
        self._in_data_entry = self._in_data_entry and not answered
        return answered

    async def _run(self, command: AnyCommand, limit_s: float) -> Event | None:
        """Write a command and wait for its end; None when time is up. Shielded."""
        now = trio.current_time()
        if isinstance(command, SendData):
            self.entry_at = now
        self.commands += 1
        self.latency.note_asked(self._exchange.begin(command, limit_s, now), now)
        return await self._exchange.wait()

    async def _silence_echo(self) -> None:
        self._echo_on = False
        await self.probe(Basic("E0"), _RUBBISH_PATIENCE_S)
        self._echo_on = False  # the command that switches it off is echoed itself

    async def _give_up(self, command: AnyCommand) -> None:
        """Bring the line back into step after ``command`` got no answer, then say so."""
        prompted = self._dte.prompted
        damaged = self._dte.receiving
        self._dte.abandon()
        self.on_resync(f"no answer to {command.shown}")
        if self._rubbish:  # and no wonder: whatever we wrote there was rubbish too
            raise LineSilent(command.shown)
        if isinstance(command, SendData) and not prompted:
            self._in_data_entry = True
            await resync.miss_prompt(self, command)
        else:
            self._in_data_entry = prompted
            await resync.find_step(self, command)
        self._in_data_entry = False
        if damaged:
            raise DamagedAnswer(command.shown, "the payload stopped short")
        raise NoAnswer(command.shown, handed_over=prompted)

    # -- the end ----------------------------------------------------------------------------

    def abort(self, reason: str) -> None:
        """End the exchange under way now, shield or not, and let no other begin."""
        self._exchange.abort(LineClosed(reason))
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


@asynccontextmanager
async def open_channel(port: Port) -> AsyncIterator[AtChannel]:
    """Run a channel over ``port``, which is closed in the end.

    The body is cancelled and LineClosed raised (in a group) when the line ends.
    """
    channel = AtChannel(port)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.read_forever)
            try:
                yield channel
            finally:
                nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await port.aclose()

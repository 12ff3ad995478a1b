"""The DTE-DCE line driven by trio: one exchange at a time.

``roundtrip()`` puts one command on the line and waits for its final result code; it is
called by one task at a time (the scheduler) and is shielded from its first byte to its
end, so a cancelled caller never poisons the next command.

When an answer does not come, the line is out of step, and nobody gets it before it is in
step again (``resync.py``).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from typing import Any, Final, TypeVar, cast

import trio

from modemproxy.at.commands import Attention, Basic, Command
from modemproxy.at.dte import AnyCommand, Broken, Completed, Event, Failed
from modemproxy.at.results import Refused
from modemproxy.at.transfer import SendData
from modemproxy.errors import DamagedAnswer, LineSilent, NoAnswer, WriteBlocked
from modemproxy.line import resync, wirelog
from modemproxy.line.port import Port
from modemproxy.line.reader import RUBBISH_PATIENCE_S, LineReader

ReplyT = TypeVar("ReplyT")

#: Some firmware says ERROR behind a payload, and OK when it got through in the end.
_VERDICT_S: Final = 0.25
_VERDICT_LIMIT_S: Final = 0.5
#: What a program that knows nothing says first, AT up to three times, completes a payload
#: of so many bytes (``module/sync.py``).
_SMALL_BYTES: Final = 9


class AtChannel(LineReader):
    """One serial line to one module.

    Attributes:
        on_resync: called with the reason whenever the line has to be brought into step.
        on_small_send: called with True before a send is announced that a few bytes could
            complete, and with False once the module does not wait for them any more.
        commands: how many have been written.
        damaged_at: when an answer was damaged last, and reports may have been lost with it
            (trio's clock).
    """

    def __init__(self, port: Port) -> None:
        """Args: port: stays the caller's to close."""
        super().__init__(port)
        self.on_resync: Callable[[str], None] = lambda why: None
        self.on_small_send: Callable[[bool], None] = lambda pending: None
        self._small_send = False
        self.commands = 0
        self.damaged_at = -inf

    async def roundtrip(
        self,
        command: Command[ReplyT],
        *,
        limit_s: float | None = None,
        on_reply: Callable[[ReplyT, float], None] | None = None,
    ) -> ReplyT:
        """Do one exchange; one task at a time.

        Args:
            command: what to do.
            limit_s: a tighter bound than the command's own, seconds.
            on_reply: is told the reply and the time by the line's reader, the moment the
                reply is complete: whoever it wakes runs beside the caller, not after it.

        Shielded: cancelling takes effect after the final result code. Bounded by the
        command's own time-out. Echo that was switched on meanwhile is switched off
        before: with it, payload would come back as text.

        Raises:
            Refused: the module said no.
            NoAnswer: it said nothing; the line is in step again.
            DamagedAnswer: bytes were lost on the line; it is in step again.
            LineClosed, LineSilent: the line is gone.
        """
        if self._out_of_step:
            with trio.CancelScope(shield=True):
                await self._step_in_again()
        if self._echo_on:
            await self._silence_echo()
        event = await self._run(command, limit_s or command.timeout_s, on_reply)
        if isinstance(event, Completed):
            return cast(ReplyT, event.reply)
        if event is None:
            with trio.CancelScope(shield=True):
                await self._give_up(command)
        if isinstance(event, Failed):
            if event.handed_over:  # a second verdict would be taken for the next one's
                with trio.CancelScope(shield=True):
                    await self.wait_quiet(_VERDICT_S, _VERDICT_LIMIT_S)
            raise Refused(command.shown, event.failure, handed_over=event.handed_over)
        problem = cast(Broken, event).problem
        self.on_resync(problem)
        with trio.CancelScope(shield=True):
            await self._find_step(command)
        self._note_damage()
        raise DamagedAnswer(command.shown, problem)

    async def probe(self, command: AnyCommand, wait_s: float) -> bool:
        """Send a command just to see whether OK comes back within ``wait_s``."""
        event = await self._run(command, wait_s)
        if event is None:
            self._dte.abandon()
        answered = isinstance(event, Completed)
        self._in_data_entry = self._in_data_entry and not answered
        return answered

    async def _run(
        self,
        command: AnyCommand,
        limit_s: float,
        on_reply: Callable[[Any, float], None] | None = None,
    ) -> Event | None:
        """Write a command and wait for its end; None when time is up. Shielded."""
        now = trio.current_time()
        self._dte = self._exchange.dte = wirelog.renewed(self._dte, trio.current_time)
        if isinstance(command, SendData):
            self.entry_at = now
            if len(command.data) <= _SMALL_BYTES:
                self._small_send = True
                self.on_small_send(True)
        self.commands += 1
        self._doubt.begin(command)
        self.latency.note_asked(self._exchange.begin(command, limit_s, now), now)
        self._exchange.on_reply = on_reply
        try:
            event = await self._exchange.wait()
        except WriteBlocked:  # what had not left may have left at last
            self.entry_at = trio.current_time()
            raise
        if self._small_send and not self.payload_pending:
            self._small_send = False
            self.on_small_send(False)
        return event

    async def _step_in_again(self) -> None:
        """A result came that nobody asked for: the next one must be the next command's."""
        self.on_resync("a result that nobody asked for")
        with trio.move_on_at(max(self.quiet_until, trio.current_time())):
            await self.wait_closed()
        await self._find_step(Attention())

    async def _find_step(self, command: AnyCommand) -> None:
        await resync.find_step(self, command)
        self._out_of_step = False  # whatever came late has come by now

    async def _silence_echo(self) -> None:
        silence = Basic("E0")
        if not await self.probe(silence, RUBBISH_PATIENCE_S):
            with trio.CancelScope(shield=True):  # a late OK must not be the next one's
                await self._find_step(silence)
        self._echo_on = False  # the command that switches it off is echoed itself

    async def _give_up(self, command: AnyCommand) -> None:
        """Bring the line back into step after ``command`` got no answer, then say so."""
        prompted = self._dte.prompted
        damaged = self._doubt.give_up(receiving=self._dte.receiving)
        self._dte.abandon()
        self.on_resync(f"no answer to {command.shown}")
        if self._rubbish:  # and no wonder: whatever we wrote there was rubbish too
            # Noise may come while the module waits for a payload; another speed may not.
            noise = not self._other_speed or self.lines_in > self._sense
            self._in_data_entry |= noise and isinstance(command, SendData)
            raise LineSilent(command.shown)
        if isinstance(command, SendData) and not prompted:
            self._in_data_entry = True
            await resync.miss_prompt(self, command)
        else:
            self._in_data_entry = prompted
            await self._find_step(command)
        self._in_data_entry = False
        if damaged:
            self._note_damage()
            raise DamagedAnswer(command.shown, "the payload stopped short")
        raise NoAnswer(command.shown, handed_over=prompted)

    def _note_damage(self) -> None:
        self.damaged_at = trio.current_time()
        self.on_oddity("a damaged answer: reports may have been lost with it")


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

"""One exchange at a time: a command to the kernel, its payload at the prompt, its bound.

The task of an exchange begins it and waits; the line's reader tells what came. What the
kernel takes at once is written without waiting: only a full buffer needs the task.
"""

from collections.abc import Callable
from math import inf
from typing import Any, Final

import trio

from modemproxy.at.dte import AnyCommand, Completed, Dte, Event
from modemproxy.at.transfer import SendData
from modemproxy.errors import LineClosed, LineError, ModuleRebooted, WriteBlocked
from modemproxy.line.port import Port
from modemproxy.line.wakeup import Wakeup

#: A module that takes no byte for this long has its flow control wired wrong.
WRITE_LIMIT_S: Final = 12.0
#: An announced payload that stops coming, or eats its OK, has lost bytes on the line.
PAYLOAD_STALL_S: Final = 2.0
#: A module that was late is given so much more time for its prompt, for so long.
_LATE_LIMIT_S: Final = 15.0
_LATE_FOR_S: Final = 60.0
#: What takes longer than this may have its reason in the network.
_PROMPT_COMMAND_S: Final = 31.0
#: How often to look whether bytes of ours have left at last.
_LEFT_POLL_S: Final = 0.25
_NOTHING: Final = memoryview(b"")


class Exchange:
    """What is on the line now, and for how long it may take.

    Attributes:
        outcome: how the exchange ended, once the reader has set it.
        wakeup: where its task waits; ``keep_time()`` of it has to run.
        on_reply: is told the reply and the time, before the task of the exchange is woken.
        heard_at: when the module was heard last.
        bytes_out: to the kernel, so far.
        dte: the dialogue, which may be replaced between two exchanges.
        handed_over: the payload of the last command that had one was written.
    """

    def __init__(self, port: Port, dte: Dte) -> None:
        self._port = port
        self.dte = dte
        self._asked_at = 0.0
        self._limit_s = 0.0
        self._stage_s = 0.0
        self._deadline = 0.0
        self._unsent = _NOTHING
        self._late = False
        self._ended: LineError | None = None
        self._sending = trio.CancelScope()
        self.outcome: Event | None = None
        self.on_reply: Callable[[Any, float], None] | None = None
        self.wakeup = Wakeup()
        self.heard_at = 0.0
        self.bytes_out = 0
        self._lateness_s = 0.0
        self._late_at = -inf
        self._has_payload = False
        self.handed_over = False

    def begin(self, command: AnyCommand, limit_s: float, now: float) -> int:
        """Write a command line; return its length in bytes.

        Raises:
            LineClosed: the line has ended.
        """
        self.check_open()  # first: a command that the end cut off is in flight for ever
        data = self.dte.send(command)
        self.outcome = None
        self.on_reply = None
        self._late = False
        self._asked_at = now
        self._limit_s = limit_s
        self._stage_s = limit_s
        self._has_payload = isinstance(command, SendData)
        if isinstance(command, SendData):
            self._stage_s = command.prompt_s + self.lateness_s
            self.handed_over = False
        self._deadline = now + self._stage_s
        self._hand_to_kernel(data)
        return len(data)

    @property
    def lateness_s(self) -> float:
        """How long the module let us wait lately for what it can do at once, seconds."""
        return self._lateness_s if self.heard_at < self._late_at + _LATE_FOR_S else 0.0

    def _note_lateness(self) -> None:
        took = min(self.heard_at - self._asked_at, _LATE_LIMIT_S)
        if self._limit_s < _PROMPT_COMMAND_S and took >= self.lateness_s:
            self._lateness_s, self._late_at = took, self.heard_at

    def hand_over(self) -> None:
        """The module wants the payload: it gets it now, and time for its result."""
        self.handed_over = True
        self._note_lateness()
        self._asked_at = self.heard_at
        self._stage_s = self._limit_s
        self._deadline = self.heard_at + self._stage_s
        self._hand_to_kernel(self.dte.take_payload())
        if self._unsent:
            self.wakeup.wake()

    def expect_payload(self) -> None:
        """Inside an answer with a payload, silence from now on means loss."""
        self.wakeup.hasten(self.heard_at + PAYLOAD_STALL_S)

    def hasten(self, until: float) -> None:
        """Give the exchange less time than it had."""
        if until < self._deadline:
            self._deadline = until
            self.wakeup.hasten(until)

    def end(self, outcome: Event) -> None:
        """The module has answered."""
        if not self._has_payload:  # that may wait for the network, its prompt does not
            self._note_lateness()
        self.outcome = outcome
        if self.on_reply is not None and isinstance(outcome, Completed):
            self.on_reply(outcome.reply, self.heard_at)
        self.wakeup.wake()

    def abort(self, error: LineError) -> None:
        """End the exchange under way now, shield or not, and let no other begin."""
        self._ended = self._ended or error
        self._sending.cancel()
        self.wakeup.wake()

    def check_open(self) -> None:
        """Raise LineClosed if the line has ended, ModuleRebooted if that was why."""
        if self._ended is None:
            return
        if isinstance(self._ended, ModuleRebooted):
            raise ModuleRebooted(str(self._ended))
        raise LineClosed(str(self._ended))

    async def wait(self) -> Event | None:
        """Wait for the outcome of the command just begun; None when time is up. Shielded.

        Raises:
            LineClosed: the line ended.
            WriteBlocked: bytes of ours have not left for too long.
        """
        now = self._asked_at  # reading the clock costs as much as parsing a line
        while self.outcome is None:
            self.check_open()
            if self._unsent:
                await self._send_rest()
                now = trio.current_time()
                continue
            until = self._deadline
            if self.dte.receiving:
                stalls_at = self.heard_at + PAYLOAD_STALL_S
                if now >= stalls_at:  # it answered: whatever is unsent, it has been asked
                    return None
                until = min(until, stalls_at)
            blocked_at = self._asked_at + WRITE_LIMIT_S
            if now >= min(until, blocked_at) and self._port.unsent:
                self._give_time(now)
            elif now >= until:
                if not self._late:
                    return None
                self._late = False  # they have left: its time begins
                self._deadline = now + self._stage_s
            else:
                look_at = blocked_at if now < blocked_at else until
                await self.wakeup.wait(min(until, look_at), shield=True)
                if self.outcome is None:
                    now = trio.current_time()
        return self.outcome

    def _give_time(self, now: float) -> None:
        """Bytes of ours are still here: the module is not late, it has not been asked yet."""
        if now >= self._asked_at + WRITE_LIMIT_S:
            raise self._blocked()
        self._deadline = now + _LEFT_POLL_S
        self._late = True

    def _hand_to_kernel(self, data: bytes) -> None:
        self.bytes_out += len(data)
        try:
            sent = self._port.send_nowait(data)
        except trio.BrokenResourceError:
            sent = 0  # the task meets the same error, and is the one to say so
        self._unsent = memoryview(data)[sent:] if sent < len(data) else _NOTHING

    async def _send_rest(self) -> None:
        """Write what the kernel did not take at once; shielded."""
        data, self._unsent = self._unsent, _NOTHING
        try:
            with trio.fail_after(WRITE_LIMIT_S, shield=True) as self._sending:
                await self._port.send_all(data)
        except trio.TooSlowError:
            self.check_open()
            raise self._blocked() from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise LineClosed(f"the device failed: {error}") from error
        self._deadline = trio.current_time() + self._stage_s

    def _blocked(self) -> WriteBlocked:
        return WriteBlocked(
            f"the module took no byte for {WRITE_LIMIT_S:.0f} s "
            "(flow control on, but RTS/CTS not wired?)"
        )

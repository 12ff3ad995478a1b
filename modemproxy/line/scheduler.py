"""The one task that uses the line: asks the policy, runs an exchange, books its cost.

Links register as sources; everybody else calls ``execute()``. Only this task awaits
``AtChannel.roundtrip()``, so one exchange is on the line at a time, no turn is ever held
over a sleep, and a caller that is cancelled leaves the exchange under way to finish.

When the task ends, for whatever reason, everyone waiting for it is woken with an error.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar, cast

import trio

from modemproxy.at.commands import Command
from modemproxy.at.transfer import SendData
from modemproxy.errors import (
    CommandError,
    LineClosed,
    ModemProxyError,
    first_error,
)
from modemproxy.line.channel import AtChannel
from modemproxy.line.meter import LineMeter
from modemproxy.line.policy import SMALL, Grant, Lane, Offer, Policy, Work
from modemproxy.line.wakeup import Wakeup

ReplyT = TypeVar("ReplyT")

#: How long a report behind a small send is waited for: its bytes on the wire and a moment.
_LISTEN_S: Final = 0.001
_LISTEN_BYTES: Final = 24
#: How soon to look again at work that is due and may not be done yet.
_HELD_S: Final = 0.02
#: Bringing a line into step may take so long, the module's own time-outs included.
_RESYNC_S: Final = 60.0
_SLACK_S: Final = 5.0
#: Busy answers of this many links within the window close writing for all of them.
_BUSY_LINKS: Final = 3
_BUSY_WINDOW_S: Final = 0.2
_HOLD_FIRST_S: Final = 0.5
_HOLD_LIMIT_S: Final = 2.0


class Source(Protocol):
    """A link, as the scheduler sees it."""

    def offer(self, now: float) -> Offer:
        """Say what it could do now."""

    async def exchange(self, grant: Grant) -> int:
        """Do one exchange and return how many payload bytes it moved."""


@dataclass(slots=True, eq=False)
class _Request:
    """A control command on its way through the line."""

    command: Command[Any]
    limit_s: float | None = None
    done: trio.Event = field(default_factory=trio.Event)
    reply: object = None
    error: ModemProxyError | None = None


class WriteHold:
    """Holds writing on every link while several are told busy; ends by time.

    After its time one link may try one send; busy again doubles the time.
    """

    def __init__(self) -> None:
        self._busy: dict[int, float] = {}
        self._length_s = _HOLD_FIRST_S
        self.until = -math.inf

    def note_busy(self, key: int, now: float) -> None:
        """A link's send was answered busy."""
        self._busy[key] = now
        recent = [k for k, at in self._busy.items() if now - at <= _BUSY_WINDOW_S]
        if len(recent) >= _BUSY_LINKS or self.until > -math.inf:
            self.until = now + self._length_s
            self._length_s = min(_HOLD_LIMIT_S, self._length_s * 2)

    def note_progress(self) -> None:
        """A send was confirmed, or bytes were acknowledged: the module takes data again."""
        self._busy.clear()
        self.until = -math.inf
        self._length_s = _HOLD_FIRST_S


class Scheduler:
    """Shares one line among links and control commands."""

    def __init__(
        self, channel: AtChannel, policy: Policy, meter: LineMeter | None = None
    ) -> None:
        """Args: meter: counts what the line is used for."""
        self._channel = channel
        self._requests: deque[_Request] = deque()
        self._sources: dict[int, Source] = {}
        self._wakeup = Wakeup()
        self._kicked = False
        self._resting = False
        self._current: _Request | None = None
        self._ended = False
        #: Whose read the last exchange was, -1 when it was something else, and its end.
        self.just_read = (-1, -math.inf)
        #: How often it has looked for work; by when, at the latest, it has to do so again.
        self.turns = 0
        self.overdue_at = math.inf
        self.policy = policy
        self.meter = meter or LineMeter()
        self.write_hold = WriteHold()

    @property
    def channel(self) -> AtChannel:
        """The line underneath."""
        return self._channel

    @property
    def commands_waiting(self) -> int:
        """How many control commands are in the queue."""
        return len(self._requests)

    def add(self, key: int, source: Source, weight: float) -> None:
        """Let a link take part."""
        self._sources[key] = source
        self.policy.add(key, weight)
        self.kick()

    def remove(self, key: int) -> None:
        """A link is over."""
        self._sources.pop(key, None)
        self.policy.remove(key)

    def kick(self) -> None:
        """Say that an offer may have changed."""
        self._kicked = True
        self._wakeup.wake()

    async def execute(
        self, command: Command[ReplyT], *, limit_s: float | None = None
    ) -> ReplyT:
        """Have one control command done, in order of asking.

        Args:
            command: what to do.
            limit_s: a tighter bound on its answer than its own, seconds.

        Cancelling takes a command that waits out of the queue; one that is under way
        finishes without us.

        Raises:
            CommandError: refused, damaged or not answered; the line is in step.
            LineError: the line ended, before or meanwhile.
        """
        if self._ended:
            raise LineClosed("the line was closed")
        _ = command.text  # text that is not fit for the line is refused here, not in its task
        request = _Request(command, limit_s)
        self._requests.append(request)
        self.kick()
        try:
            await request.done.wait()
        finally:
            if request in self._requests:
                self._requests.remove(request)
        if request.error is not None:
            raise request.error
        return cast(ReplyT, request.reply)

    async def run(self) -> None:
        """Serve until cancelled or the line ends.

        Raises:
            LineError: the line ended; every waiter has been told.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._wakeup.keep_time)
                await self._serve()
        except* Exception as group:
            raise first_error(group) from None  # it is alone: keeping time raises nothing
        finally:
            self._ended = True
            self._fail_waiters()

    async def _serve(self) -> None:
        now = trio.current_time()
        while True:
            # An exchange is shielded; under load this is where cancelling takes effect.
            await trio.lowlevel.checkpoint_if_cancelled()
            self.turns += 1
            self._kicked = False  # whatever was said before is in the offers
            offers = {key: source.offer(now) for key, source in self._sources.items()}
            grant = self.policy.pick(now, offers, control=bool(self._requests))
            if grant is not None:
                self.overdue_at = now + self._bound_s(grant)
                now = await self._run(grant, now)  # the end of one is the time of the next
                continue
            due_at = min((o.due_at for o in offers.values()), default=math.inf)
            # upkeep that waits for its share, or for a send's result, is due already
            until = due_at if due_at > now else now + _HELD_S
            self.overdue_at = until + _SLACK_S
            self._resting = True
            await self._wait_for_work(until)
            self._resting = False
            now = trio.current_time()

    def _bound_s(self, grant: Grant) -> float:
        """How long an exchange can take with all that follows when it is not answered."""
        if grant.work is not Work.CONTROL:
            return SendData.timeout_s + _RESYNC_S
        request = self._requests[0]
        return (request.limit_s or request.command.timeout_s) + _RESYNC_S

    @property
    def wanted(self) -> bool:
        """It rests, and somebody has something for it to do."""
        return self._resting and self._kicked

    async def _run(self, grant: Grant, began: float) -> float:
        """Do one exchange and book it; return the time."""
        moved = 0
        if grant.work is Work.CONTROL:
            await self._run_control(self._requests.popleft())
        else:
            moved = await self._sources[grant.key].exchange(grant)
        now = trio.current_time()
        self.just_read = (grant.key if grant.work is Work.READ else -1), now
        self.policy.latency_s = self._channel.latency.seconds
        self.policy.charge(grant, now, now - began, moved)
        self.meter.note(grant.work.value, now - began, moved)
        if grant.lane is Lane.FAST and grant.work is Work.WRITE and 0 < moved <= SMALL:
            await self._listen(grant.key)
            now = trio.current_time()
        return now

    async def _listen(self, key: int) -> None:
        """Behind a keystroke, hear the module out before a long exchange begins.

        The report of an answer that is quick, or of an echo, stands right behind the
        send's result; beginning a bulk exchange in that moment would make the keystroke
        wait for the whole of it. A few milliseconds, and nobody holds the line.
        """
        source = self._sources.get(key)
        wait_s = _LISTEN_S + _LISTEN_BYTES * self._channel.latency.byte_s
        until = trio.current_time() + wait_s
        while source is not None and (now := trio.current_time()) < until:
            if source.offer(now).read:
                return
            await self._wait_for_work(until)

    async def _wait_for_work(self, due_at: float) -> None:
        if self._kicked:
            await trio.lowlevel.checkpoint()
        else:
            await self._wakeup.wait(due_at, shield=False)
        self._kicked = False

    async def _run_control(self, request: _Request) -> None:
        self._current = request
        try:
            request.reply = await self._channel.roundtrip(
                request.command, limit_s=request.limit_s
            )
        except CommandError as error:
            request.error = error
        self._current = None
        request.done.set()

    def _fail_waiters(self) -> None:
        waiting = [*self._requests, *([self._current] if self._current else [])]
        self._requests.clear()
        for request in waiting:
            request.error = LineClosed("the line was closed")
            request.done.set()

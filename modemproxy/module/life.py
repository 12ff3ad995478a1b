"""What one link's halves share: the session around them, and one way to break. (floor 3)"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from modemproxy.errors import LinkReset
from modemproxy.journal import Journal, LineLosesBytes, LinkBroken
from modemproxy.line.channel import AtChannel
from modemproxy.line.scheduler import Scheduler, Source
from modemproxy.module.habits import Habits
from modemproxy.module.inbound import HintHealth

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LineContext:
    """What the links of one session share.

    Attributes:
        scheduler: the line.
        stall_s: how long a link may make no progress.
        hints: whether data reports can be relied on.
        journal: is told of every link that breaks.
        habits: what was learned of the module.
        on_network_closed: called with words when a command says that the stack is down.
        is_doubtful: whether the module or its network may just have failed, and no check
            that began after a time has found it well.
        results_due: links whose send result is outstanding, with the time of the send.
    """

    scheduler: Scheduler
    stall_s: float = 300.0
    hints: HintHealth = field(default_factory=HintHealth)
    journal: Journal = field(default_factory=Journal)
    habits: Habits = field(default_factory=Habits)
    on_network_closed: Callable[[str], None] = lambda what: None
    is_doubtful: Callable[[float], bool] = lambda since: False
    results_due: dict[int, float] = field(default_factory=dict)

    def note_loss(self) -> None:
        """A read lost bytes on the line; when that happens often, it is said."""
        within_s = self.habits.losses.note(trio.current_time())
        if within_s is not None:
            self.journal.record(LineLosesBytes(within_s))


class LinkLife:
    """Whether a link takes part in sharing the line, and why it broke.

    Attributes:
        number: the link number, 0 to 9.
        target: the far side, for the log.
        reset: why the link broke, or None.
        lost_number: the number is another connection's; what comes under it is, too.
    """

    def __init__(self, number: int, target: str, context: LineContext) -> None:
        self.number = number
        self.target = target
        self.context = context
        self.reset: LinkReset | None = None
        self.closed = False
        self.lost_number = False
        self._live = False
        self._received = trio.Event()
        self._sent = trio.Event()

    @property
    def channel(self) -> AtChannel:
        """The line."""
        return self.context.scheduler.channel

    def kick(self) -> None:
        """Tell the scheduler that an offer may have changed."""
        self.context.scheduler.kick()

    def notify(self) -> None:
        """Wake everyone: the link is over, or about to be."""
        self.notify_received()
        self.notify_sent()

    def notify_received(self) -> None:
        """Wake who waits for bytes."""
        self._received.set()
        self._received = trio.Event()

    def notify_sent(self) -> None:
        """Wake who waits for room, or for what was sent to arrive."""
        self._sent.set()
        self._sent = trio.Event()

    async def wait_received(self) -> None:
        """Wait for bytes or the end; may return early."""
        await self._received.wait()

    async def wait_sent(self) -> None:
        """Wait for progress of what was sent, or the end; may return early."""
        await self._sent.wait()

    def join(self, source: Source, weight: float) -> None:
        """Take part in sharing the line."""
        self._live = True
        self.context.scheduler.add(self.number, source, weight)

    def leave(self) -> None:
        """Stop taking part; wake everyone."""
        if self._live:
            self._live = False
            self.context.scheduler.remove(self.number)
            self.context.results_due.pop(self.number, None)
        self.notify()

    def fail(self, reason: str, *, everywhere: bool = False) -> None:
        """Break the link: everyone who uses it gets an error. The first reason counts."""
        if self.reset is not None or self.closed:
            return
        self.reset = LinkReset(reason, everywhere=everywhere)
        self.context.journal.record(LinkBroken(self.number, self.target, reason))
        self.leave()

    def network_closed(self, error: Exception) -> None:
        """A command was told that the stack is down: that ends the session."""
        self.context.on_network_closed(str(error))


class Exclusive:
    """Turns a second concurrent user of one direction into an error at once."""

    __slots__ = ("_doing", "_taken")

    def __init__(self, doing: str) -> None:
        """Args: doing: what its user does, for the error."""
        self._doing = doing
        self._taken = False

    def __enter__(self) -> None:
        if self._taken:
            raise trio.BusyResourceError(f"another task is {self._doing} already")
        self._taken = True

    def __exit__(self, *_: object) -> None:
        self._taken = False

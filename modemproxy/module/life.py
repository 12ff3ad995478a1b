"""What one link's halves share: the session around them, and one way to break. (floor 3)"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from modemproxy.errors import LinkReset
from modemproxy.line.channel import AtChannel
from modemproxy.line.scheduler import Scheduler, Source
from modemproxy.module.inbound import HintHealth

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LineContext:
    """What the links of one session share.

    Attributes:
        scheduler: the line.
        stall_s: how long a link may make no progress.
        hints: whether data reports can be relied on.
        on_network_closed: called with words when a command says that the stack is down.
        results_due: links whose send result is outstanding, with the time of the send.
    """

    scheduler: Scheduler
    stall_s: float = 300.0
    hints: HintHealth = field(default_factory=HintHealth)
    on_network_closed: Callable[[str], None] = lambda what: None
    results_due: dict[int, float] = field(default_factory=dict)


class LinkLife:
    """Whether a link takes part in sharing the line, and why it broke.

    Attributes:
        number: the link number, 0 to 9.
        target: the far side, for the log.
        reset: why the link broke, or None.
    """

    def __init__(self, number: int, target: str, context: LineContext) -> None:
        self.number = number
        self.target = target
        self.context = context
        self.reset: LinkReset | None = None
        self.closed = False
        self._live = False
        self._changed = trio.Event()

    @property
    def channel(self) -> AtChannel:
        """The line."""
        return self.context.scheduler.channel

    def kick(self) -> None:
        """Tell the scheduler that an offer may have changed."""
        self.context.scheduler.kick()

    def notify(self) -> None:
        """Wake those who wait for a change."""
        self._changed.set()
        self._changed = trio.Event()

    async def wait_changed(self) -> None:
        """Wait for the next ``notify()``."""
        await self._changed.wait()

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

    def fail(self, reason: str) -> None:
        """Break the link: everyone who uses it gets an error. The first reason counts."""
        if self.reset is not None or self.closed:
            return
        self.reset = LinkReset(reason)
        log.info("link %d -> %s reset: %s", self.number, self.target, reason)
        self.leave()

    def network_closed(self, error: Exception) -> None:
        """A command was told that the stack is down: that ends the session."""
        self.context.on_network_closed(str(error))


@contextmanager
def exclusive(guard: trio.Lock, doing: str) -> Iterator[None]:
    """Turn a second concurrent user of one direction into an error at once."""
    try:
        guard.acquire_nowait()
    except (trio.WouldBlock, RuntimeError):
        raise trio.BusyResourceError(f"another task is {doing} already") from None
    try:
        yield
    finally:
        guard.release()

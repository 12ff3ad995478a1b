"""Whether the machine's clock was set: then the times of events do not fit together."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from modemproxy.journal import Event, Journal
from modemproxy.operate.plain_text import span

#: What is corrected without a jump is less than this from look to look.
_JUMP_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ClockSet(Event):
    """The clock jumped."""

    by_s: float

    @property
    def text(self) -> str:
        """Which way, and what that means."""
        way = "forward" if self.by_s > 0 else "back"
        by = span(abs(self.by_s))
        return f"the clock was set {way} by {by}: what is above has times of the old one"


def since_boot() -> float:
    """Seconds that nobody sets, and that go on while the machine sleeps."""
    return float(time.clock_gettime(time.CLOCK_BOOTTIME))


class ClockWatch:
    """Notices jumps, when it looks."""

    def __init__(
        self,
        journal: Journal,
        clock: Callable[[], float] = time.time,
        even: Callable[[], float] = since_boot,
    ) -> None:
        """Args:
        journal: is told.
        clock: the time of day, seconds since the epoch.
        even: seconds that nobody sets.
        """
        self._journal = journal
        self._clock = clock
        self._even = even
        self._ahead = clock() - even()

    def look(self) -> None:
        """Compare the two clocks."""
        ahead = self._clock() - self._even()
        if abs(ahead - self._ahead) >= _JUMP_S:
            self._journal.record(ClockSet(ahead - self._ahead))
        self._ahead = ahead

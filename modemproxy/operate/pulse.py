"""Whether the proxy does its work, which is more than that its process runs. Sync.

In a session the work is the scheduler's: it looks for something to do again and again, and
between two looks lies an exchange with the module, which has a bound, or a wait until a
time that it knows, or until somebody wants something. Outside of a session it is the
lifecycle's, which does one step after the other, and pauses that it knows the length of.
A module that is silent keeps them busy with bounded things; so does one that is away. A
loop that is stuck keeps nothing.
"""

from typing import Final, Protocol

import trio

#: How long somebody may have to wait until it looks, when it is not in an exchange.
_PATIENCE_S: Final = 5.0
#: How much later than meant a look of ours may come before the event loop itself is slow.
_LAG_S: Final = 1.0


class Worker(Protocol):
    """The scheduler, as far as it shows whether it works."""

    turns: int
    overdue_at: float

    @property
    def wanted(self) -> bool:
        """It rests, and somebody has something for it to do."""


class Striver(Protocol):
    """The lifecycle, as far as it shows whether it gets on."""

    @property
    def steps(self) -> object:
        """Is another one whenever something was done."""

    @property
    def patience_s(self) -> float:
        """How long it may stay the same, seconds."""


class Pulse:
    """Looks at the work now and then."""

    def __init__(self, look_s: float = 1.0) -> None:
        """Args: look_s: how far apart looks are meant to be, seconds."""
        self._look_s = look_s
        self._looked_at: float | None = None
        self._turns = -1
        self._worker: Worker | None = None
        self._wanted_since: float | None = None
        self._steps: object = None
        self._stepped_at = 0.0

    def is_alive(self, worker: Worker | None, striver: Striver) -> bool:
        """Judge.

        Args:
            worker: of the session; None outside of one.
            striver: has to get on then.
        """
        now = trio.current_time()
        lag_s = 0.0 if self._looked_at is None else now - self._looked_at - self._look_s
        self._looked_at = now
        return lag_s < _LAG_S and self._gets_on(worker, striver, now)

    def _gets_on(self, worker: Worker | None, striver: Striver, now: float) -> bool:
        if worker is None:
            return self._strives(striver, now)
        self._steps = None
        return self._works(worker, now)

    def _strives(self, striver: Striver, now: float) -> bool:
        if striver.steps != self._steps:
            self._steps, self._stepped_at = striver.steps, now
        return now - self._stepped_at <= striver.patience_s

    def _works(self, worker: Worker, now: float) -> bool:
        if worker is not self._worker or worker.turns != self._turns:
            self._worker, self._turns = worker, worker.turns
            self._wanted_since = None
        elif now > worker.overdue_at:
            return False
        if not worker.wanted:
            self._wanted_since = None
        elif self._wanted_since is None:
            self._wanted_since = now
        return self._wanted_since is None or now - self._wanted_since < _PATIENCE_S

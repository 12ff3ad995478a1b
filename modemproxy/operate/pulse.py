"""Whether the proxy does its work, which is more than that its process runs. Sync.

The work is the scheduler's: it looks for something to do again and again, and between two
looks lies an exchange with the module, which has a bound, or a wait until a time that it
knows, or until somebody wants something. A module that is silent keeps it busy with bounded
things; so does one that is away. A loop that is stuck keeps nothing.
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


class Pulse:
    """Looks at the work now and then."""

    def __init__(self, look_s: float = 1.0) -> None:
        """Args: look_s: how far apart looks are meant to be, seconds."""
        self._look_s = look_s
        self._looked_at: float | None = None
        self._turns = -1
        self._worker: Worker | None = None
        self._wanted_since: float | None = None

    def is_alive(self, worker: Worker | None) -> bool:
        """Judge.

        Args:
            worker: of the session; None outside of one: there all waits are bounded.
        """
        now = trio.current_time()
        lag_s = 0.0 if self._looked_at is None else now - self._looked_at - self._look_s
        self._looked_at = now
        return lag_s < _LAG_S and (worker is None or self._works(worker, now))

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

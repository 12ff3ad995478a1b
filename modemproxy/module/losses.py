"""Reads that lost bytes on the line: one is an accident, several are the wiring. Sync."""

from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Final

_MANY: Final = 3
_WITHIN_S: Final = 600.0
_SAY_EVERY_S: Final = 3600.0


@dataclass(slots=True)
class LossCount:
    """Counts them, and knows when it is worth a word; outlives the session."""

    _at: deque[float] = field(default_factory=lambda: deque(maxlen=_MANY))
    _said_at: float = -inf

    def note(self, now: float) -> float | None:
        """One more.

        Returns:
            Within how many seconds there were three, when that is to be said now.
        """
        self._at.append(now)
        within_s = now - self._at[0]
        rare = len(self._at) < _MANY or within_s > _WITHIN_S
        if rare or now - self._said_at < _SAY_EVERY_S:
            return None
        self._said_at = now
        return within_s

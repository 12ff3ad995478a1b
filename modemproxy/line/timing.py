"""What is measured of a line: the module's latency, and when a payload is complete. Sync.

A paced line delivers a payload in dozens of small pieces; waking up for each of them costs
more processor time than everything else an exchange needs. After a header the rest is
known to take ``missing / rate`` seconds, so the reader may sleep through most of it.

The rate is measured, not taken from the configured speed, which means nothing on USB.
Waking is meant to be early: bytes still missing then show that the estimate holds, and a
payload that is complete already shows that it was too low.
"""

from math import inf
from typing import Final

#: Wake so much earlier than estimated, so that no reply is ever found late.
_EARLY_S: Final = 0.0012
_EARLY_SHARE: Final = 0.02
#: Shorter sleeps than this are not worth their wake-up.
_WORTH_S: Final = 0.002
_LONGEST_S: Final = 0.5
_SMOOTHING: Final = 8


class Gather:
    """Estimates when an announced payload will be complete."""

    def __init__(self) -> None:
        self._rate = inf
        self._missing = 0
        self._since = 0.0

    def pause(self, missing: int, now: float) -> float:
        """Return how many seconds to leave the line alone; 0 for not at all.

        Args:
            missing: payload bytes still to come, 0 when none are announced.
            now: seconds.
        """
        if not missing:
            if self._missing:
                self._measure(now)
            return 0.0
        if self._missing:  # woken once already: see it through
            return 0.0
        self._missing, self._since = missing, now
        estimate = missing / self._rate
        pause = estimate * (1 - _EARLY_SHARE) - _EARLY_S
        return min(pause, _LONGEST_S) if pause >= _WORTH_S else 0.0

    def _measure(self, now: float) -> None:
        took = now - self._since
        rate = self._missing / took if took > 0 else inf
        self._missing = 0
        if rate >= self._rate or self._rate == inf:
            self._rate = rate
        else:
            self._rate += (rate - self._rate) / _SMOOTHING


class Latency:
    """Smoothed time from the last byte of a command to the first byte of its answer.

    Attributes:
        seconds: the estimate.
        byte_s: how long a byte takes on the wire; 0 while that is not known.
    """

    def __init__(self) -> None:
        self.seconds = 0.005
        self.byte_s = 0.0
        self._asked_at: float | None = None

    def note_asked(self, size: int, now: float) -> None:
        """A command of ``size`` bytes was handed to the kernel."""
        self._asked_at = now + size * self.byte_s

    def note_heard(self, now: float) -> None:
        """Bytes came: the first behind a command are the end of the module's time.

        Downwards the estimate follows quickly, upwards slowly: a host that was busy for
        once is not a slow module.
        """
        if self._asked_at is None:
            return
        error = max(0.0, now - self._asked_at) - self.seconds
        self.seconds += error / (8 if error < 0 else 64)
        self._asked_at = None

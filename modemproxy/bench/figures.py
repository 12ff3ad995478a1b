"""Arithmetic on what was measured: rates, percentiles, fairness.

Payload arrives in chunks of whole exchanges. A window cut anywhere would count one chunk
too many or too few; rates are therefore taken between arrivals: what came after the first
one, over the time from the first to the last.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

#: Arrivals closer together than this are pieces of one exchange.
_TOGETHER_S: Final = 0.0005

Arrival = tuple[float, int]


@dataclass(slots=True)
class Meter:
    """Notes when bytes arrived; times are ``time.monotonic()``, the same in all processes."""

    arrivals: list[Arrival] = field(default_factory=list)
    total: int = 0
    wrong: int = 0

    def note(self, now: float, count: int) -> None:
        """Book an arrival."""
        self.total += count
        last = self.arrivals[-1] if self.arrivals else None
        if last is not None and now - last[0] < _TOGETHER_S:
            self.arrivals[-1] = (last[0], last[1] + count)
        else:
            self.arrivals.append((now, count))

    def between(self, since: float, until: float) -> list[Arrival]:
        """Return the arrivals of a window."""
        return [arrival for arrival in self.arrivals if since <= arrival[0] <= until]


def volume(arrivals: Iterable[Arrival]) -> int:
    """Return how many bytes came."""
    return sum(count for _, count in arrivals)


def rate(arrivals: Sequence[Arrival]) -> float:
    """Return bytes a second between the first and the last arrival; 0 for fewer than two."""
    ordered = sorted(arrivals)
    if len(ordered) < 2 or ordered[-1][0] <= ordered[0][0]:
        return 0.0
    return volume(ordered[1:]) / (ordered[-1][0] - ordered[0][0])


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile; nan for no values."""
    if not values:
        return math.nan
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return sorted(values)[rank - 1]


def jain(values: Sequence[float]) -> float:
    """Return Jain's fairness index: 1 when all are equal, 1/n when one has everything."""
    squares = sum(value * value for value in values)
    if not squares:
        return math.nan
    return sum(values) ** 2 / (len(values) * squares)


def shares(values: Sequence[float]) -> list[float]:
    """Return each value as a share of their sum."""
    total = sum(values)
    return [value / total if total else math.nan for value in values]


def ratio(value: float, of: float) -> float:
    """Return a quotient, nan where there is none."""
    return value / of if of else math.nan


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line that fits best (least squares)."""
    if len(points) < 2:
        return math.nan
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return statistics.linear_regression(xs, ys).slope

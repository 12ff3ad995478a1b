"""A limit in bytes a second, shared by all who are given it.

Whoever moved bytes pays afterwards, by waiting until they are due: nothing is held while
it waits, and those who share a limit wait in the order in which they came.
"""

from math import inf
from typing import Final

import trio

#: What a limit allows at once after a pause, as seconds of it.
_BURST_S: Final = 0.25
#: Pieces are cut so that one is paid for in about this many seconds.
_PIECE_S: Final = 0.25
_PIECE_MIN: Final = 64


class Rate:
    """A limit; both directions of all of a listener's clients count."""

    def __init__(self, bytes_per_s: int = 0) -> None:
        """Args: bytes_per_s: the limit; 0 is none."""
        self._limit = bytes_per_s
        self._due = -inf

    def changed(self, bytes_per_s: int) -> "Rate":
        """Give the limit for those who come from now on: this one, unless it is another."""
        return self if bytes_per_s == self._limit else Rate(bytes_per_s)

    def piece(self, most: int) -> int:
        """Say how much to move at a time, at most ``most`` bytes: no long waits."""
        if not self._limit:
            return most
        return min(most, max(_PIECE_MIN, int(self._limit * _PIECE_S)))

    async def pay(self, count: int) -> None:
        """Wait for what ``count`` bytes cost; they count even when this is cancelled."""
        if self._limit and self._charge(count) > trio.current_time():
            await trio.sleep_until(self._due)

    def may_pass(self, count: int) -> bool:
        """Charge ``count`` bytes if they are due now, for those who drop what is not."""
        if self._limit and self._due > trio.current_time():
            return False
        self._charge(count)
        return True

    def _charge(self, count: int) -> float:
        if self._limit:
            earliest = trio.current_time() - _BURST_S
            self._due = max(self._due, earliest) + count / self._limit
        return self._due

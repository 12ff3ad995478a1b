"""The escape sequence of transparent mode, ``+++``, and the silences it needs.

Silence of a second, three plus signs with at most 0.9 s between two, silence of a second
(protocol.md 10). Until that is decided the plus signs are kept back; if it was no escape they
are data. No clock here: the time is given.
"""

from typing import Final

#: Silence before and after, seconds.
GUARD_S: Final = 1.0

#: Between two of the three, at most, seconds.
GAP_S: Final = 0.9

_GRAIN_S: Final = 0.001
_WHOLE: Final = 3


class EscapeWatch:
    """Looks for an escape in what a DTE sends.

    Args:
        now: when data mode began, seconds.
    """

    def __init__(self, now: float) -> None:
        self._last = now
        self._held = 0

    def feed(self, data: bytes, now: float) -> bytes:
        """Take bytes; return those that are data for certain, in order."""
        silence, self._last = now - self._last, now
        given_up = b""
        if self._held == _WHOLE or (self._held and silence > GAP_S):
            given_up = self._give_up()
        if self._held or silence >= GUARD_S:
            if not data.strip(b"+") and self._held + len(data) <= _WHOLE:
                self._held += len(data)
                return given_up
            given_up += self._give_up()
        return given_up + data

    def deadline(self) -> float | None:
        """Return when silence from now on decides something; None: nothing is kept back."""
        if not self._held:
            return None
        return self._last + (GUARD_S if self._held == _WHOLE else GAP_S + _GRAIN_S)

    def silence(self) -> tuple[bytes, bool]:
        """Decide at the deadline: return what was data after all, and whether it escaped."""
        if self._held == _WHOLE:
            self._held = 0
            return b"", True
        return self._give_up(), False

    def _give_up(self) -> bytes:
        data, self._held = b"+" * self._held, 0
        return data

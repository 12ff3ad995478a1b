"""Faults that must not meet, because together they do what no driver could see."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from modemproxy.emulator.faults import FaultBox

#: Each of these decides what becomes of a payload: two at a time would send it twice.
_SENDS: Final = frozenset({"send_fails", "short_confirm", "double_verdict"})
#: A byte less in a read, and one less in its count: nothing is missing.
_READS: Final = frozenset({"lose_payload", "flip_header", "wrong_length", "lose_bytes down"})
#: A CIPSEND that is late by more than we wait for its prompt, while the prompt is lost: its
#: payload is due when it seems long over, and the next AT becomes part of it.
_LATE: Final = frozenset({"hold up", "deaf"})
_PROMPTLESS: Final = frozenset({"mute", "prompt_lost", "lose_pieces", "lose_bytes down"})
_PAIRS: Final = (
    (_SENDS, _SENDS),
    (_READS, _READS),
    (_LATE, _PROMPTLESS),
    (_PROMPTLESS, _LATE),
)


class Exclusive:
    """Knows what is at work.

    Args:
        box: the emulator's faults; the others say so here.
    """

    def __init__(self, box: FaultBox) -> None:
        self._box = box
        self._own: set[str] = set()

    def keeps_out(self, name: str) -> bool:
        """Whether one of this name would meet one that it must not meet."""
        standing = self._own.union(self._box.standing)
        return any(name in some and others & standing for some, others in _PAIRS)

    @contextmanager
    def working(self, name: str) -> Iterator[None]:
        """One of the soak's own is at work."""
        self._own.add(name)
        try:
            yield
        finally:
            self._own.discard(name)

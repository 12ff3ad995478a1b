"""Faults that must not meet, because together they do what no driver could see."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from modemproxy.emulator.faults import FaultBox

_GROUPS: Final = (
    # each of these decides what becomes of a payload: two at a time would send it twice
    frozenset({"send_fails", "short_confirm", "double_verdict"}),
    # a byte less in a read, and one less in its count: nothing is missing
    frozenset({"lose_payload", "flip_header", "wrong_length", "lose_bytes"}),
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
        """Whether one of this name would meet another of its group."""
        standing = self._own.union(self._box.standing)
        return any(name in group and group & standing for group in _GROUPS)

    @contextmanager
    def working(self, name: str) -> Iterator[None]:
        """One of the soak's own is at work."""
        self._own.add(name)
        try:
            yield
        finally:
            self._own.discard(name)

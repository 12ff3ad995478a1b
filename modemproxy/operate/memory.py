"""What the journal is told beside what the module does: runs of the program, refusals."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Final

import trio

from modemproxy import __version__
from modemproxy.journal import ClientsRefused, Journal, ProgramStarted, ProgramStopped
from modemproxy.operate.program import Program

#: Who is refused again and again makes one event in so many seconds, for each listener.
_REFUSALS_S: Final = 10.0


@contextmanager
def remembered(program: Program) -> Iterator[None]:
    """Keep what happens while the body runs."""
    journal = program.lifecycle.journal
    program.chronicle.attach(journal)
    program.roster.on_refused = Refusals(journal).note
    journal.record(ProgramStarted(__version__, os.getpid()))
    try:
        yield
        journal.record(ProgramStopped())
    finally:
        program.chronicle.close()


@dataclass(slots=True)
class _Told:
    at: float = -inf
    count: int = 0


class Refusals:
    """Turns refused clients into events, but not each of a flood."""

    def __init__(self, journal: Journal) -> None:
        """Args: journal: is told."""
        self._journal = journal
        self._told: dict[str, _Told] = {}

    def note(self, surface: str, peer: str, why: str) -> None:
        """A client was not let in."""
        told = self._told.setdefault(surface, _Told())
        told.count += 1
        if trio.current_time() >= told.at + _REFUSALS_S:
            self._journal.record(ClientsRefused(surface, peer, why, told.count))
            told.at, told.count = trio.current_time(), 0

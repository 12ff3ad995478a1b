"""What the journal is told beside what the module does: runs of the program, refusals."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Final

import trio

from modemproxy import __version__
from modemproxy.errors import first_error
from modemproxy.journal import Journal
from modemproxy.operate.chronicle import Told
from modemproxy.operate.program import Program
from modemproxy.operate.runs import (
    ClientsRefused,
    ProgramFailed,
    ProgramStarted,
    ProgramStopped,
)

#: From a listener's first event about refusals to its next, seconds; then twice as long
#: each time, to the longest.
_PAUSE_S: Final = 10.0
_PAUSE_MAX_S: Final = 640.0
#: Among so many of the last events is the one that says how a run ended, if any does.
_LAST: Final = 20


@contextmanager
def remembered(program: Program) -> Iterator[None]:
    """Keep what happens while the body runs, and how that ends."""
    journal, chronicle = program.lifecycle.journal, program.chronicle
    cut_off = _was_cut_off(chronicle.read(_LAST))
    chronicle.attach(journal)
    refusals = Refusals(journal)
    program.roster.on_refused = refusals.note
    journal.record(ProgramStarted(__version__, os.getpid(), cut_off))
    try:
        with _judged(program, refusals):
            yield
    finally:
        chronicle.close()


@contextmanager
def _judged(program: Program, refusals: "Refusals") -> Iterator[None]:
    journal = program.lifecycle.journal
    try:
        yield
    except BaseException as error:
        refusals.own_up()
        first = first_error(error)
        if isinstance(first, trio.Cancelled | KeyboardInterrupt):
            journal.record(ProgramStopped(type(first).__name__))
        else:
            journal.record(ProgramFailed(f"{type(first).__name__}: {first}"))
        raise
    refusals.own_up()
    journal.record(ProgramStopped(program.why_stopping))


def _was_cut_off(last: Sequence[Told]) -> bool:
    """Whether the last run ended without a word."""
    ends = {each.__name__ for each in (ProgramStopped, ProgramFailed)}
    runs = [told["kind"] for told in last if told["kind"] in ends | {ProgramStarted.__name__}]
    return bool(last) and not (runs and runs[-1] in ends)


@dataclass(slots=True)
class _Silence:
    """After an event about a listener's refusals.

    Attributes:
        until: no other one before this time.
        pause_s: how long that is.
        untold: refused since.
        peer, why: the last of them.
    """

    until: float = -inf
    pause_s: float = 0.0
    untold: int = 0
    peer: str = ""
    why: str = ""


class Refusals:
    """Turns refused clients into events, but not each of a flood.

    Who is refused for hours makes an event every ten minutes or so; after a pause of that
    length the next one is told at once again.
    """

    def __init__(
        self, journal: Journal, clock: Callable[[], float] = trio.current_time
    ) -> None:
        """Args:
        journal: is told.
        clock: seconds that go on evenly.
        """
        self._journal = journal
        self._clock = clock
        self._silences: dict[str, _Silence] = {}

    def note(self, surface: str, peer: str, why: str) -> None:
        """A client was not let in."""
        silence, now = self._silences.setdefault(surface, _Silence()), self._clock()
        silence.peer, silence.why = peer, why
        silence.untold += 1
        if now < silence.until:
            return
        goes_on = now < silence.until + silence.pause_s
        longer_s = min(2 * silence.pause_s, _PAUSE_MAX_S)
        silence.pause_s = longer_s if goes_on else _PAUSE_S
        silence.until = now + silence.pause_s
        self._tell(surface, silence)

    def own_up(self) -> None:
        """Tell of those that no event has told of."""
        for surface, silence in self._silences.items():
            if silence.untold:
                self._tell(surface, silence)

    def _tell(self, surface: str, silence: _Silence) -> None:
        event = ClientsRefused(surface, silence.peer, silence.why, silence.untold)
        silence.untold = 0
        self._journal.record(event)

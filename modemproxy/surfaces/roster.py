"""Who is connected, what came of those who were, and how much each listener moved. Sync."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from modemproxy.surfaces.accesslog import write_line
from modemproxy.surfaces.visit import Visit


@dataclass(slots=True)
class Totals:
    """What one listener has had, of those who left.

    Attributes:
        connections: how many were let in.
        refused: how many were not.
        up, down: bytes to the far side, and to the client.
        causes: how they ended, by the two letters.
    """

    connections: int = 0
    refused: int = 0
    up: int = 0
    down: int = 0
    causes: Counter[str] = field(default_factory=Counter)


class Roster:
    """All visits of one run of the program.

    Attributes:
        on_refused: told of every client that was not let in: listener, peer, reason.
    """

    def __init__(self) -> None:
        self._visits: dict[int, Visit] = {}
        self._totals: dict[str, Totals] = {}
        self._listeners: list[Callable[[Visit], None]] = []
        self._last_id = 0
        self.on_refused: Callable[[str, str, str], None] = lambda surface, peer, why: None

    @property
    def visits(self) -> Mapping[int, Visit]:
        """Those who are inside, by number."""
        return self._visits

    @property
    def surfaces(self) -> set[str]:
        """The names of all listeners that have had anybody, also of those that are gone."""
        return {*self._totals, *(visit.surface for visit in self._visits.values())}

    def of(self, surface: str) -> Iterator[Visit]:
        """Give those who are inside by one listener."""
        return (visit for visit in list(self._visits.values()) if visit.surface == surface)

    def totals(self, surface: str) -> Totals:
        """Count what a listener has had; those who are inside included."""
        kept = self._kept(surface)
        inside = list(self.of(surface))
        return Totals(
            connections=kept.connections + len(inside),
            refused=kept.refused,
            up=kept.up + sum(visit.up for visit in inside),
            down=kept.down + sum(visit.down for visit in inside),
            causes=kept.causes.copy(),
        )

    def listen(self, on_end: Callable[[Visit], None]) -> None:
        """Have ``on_end`` called with every visit that ends; it must not wait."""
        self._listeners.append(on_end)

    @contextmanager
    def recorded(self, visit: Visit) -> Iterator[None]:
        """Have a client inside for as long as the body runs; then write its line.

        What a client can suffer ends here; see ``Visit.judged``.
        """
        self._last_id += 1
        visit.id = self._last_id
        self._visits[visit.id] = visit
        try:
            with visit.judged():
                yield
        finally:
            del self._visits[visit.id]
            self._count(visit)
            write_line(visit)
            for listener in self._listeners:
                listener(visit)

    def _count(self, visit: Visit) -> None:
        totals = self._kept(visit.surface)
        totals.connections += 1
        totals.up += visit.up
        totals.down += visit.down
        totals.causes[visit.cause] += 1

    def refuse(self, surface: str, peer: str, why: object) -> None:
        """Note a client that was not let in."""
        self._kept(surface).refused += 1
        self.on_refused(surface, peer, str(why))

    def _kept(self, surface: str) -> Totals:
        return self._totals.setdefault(surface, Totals())

"""Closing and opening one listener, and ending connections, while the rest goes on."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from modemproxy.journal import Event
from modemproxy.operate.admin import BadRequest
from modemproxy.operate.program import Program
from modemproxy.operate.report import Door
from modemproxy.surfaces.visit import Visit

DISABLED: Final = "disabled by the operator"
KICKED: Final = "ended by the operator"


@dataclass(frozen=True, slots=True)
class Switched(Event):
    """A listener was disabled or enabled."""

    name: str
    enabled: bool

    @property
    def text(self) -> str:
        """Which one."""
        return f"{self.name}: {'enabled' if self.enabled else 'disabled'} by the operator"


def disable(program: Program, name: str) -> Door:
    """Let nobody in by a listener; those inside stay. A reload does not change that.

    Raises:
        BadRequest: there is no such listener.
    """
    door = _door(program, name)
    if door.access.closed != DISABLED:
        door.access.closed = DISABLED
        program.lifecycle.journal.record(Switched(name, enabled=False))
    return door


def enable(program: Program, name: str) -> Door:
    """Let clients in again; a cap on usage that is used up still has its say.

    Raises:
        BadRequest: there is no such listener, or the proxy is about to stop.
    """
    door = _door(program, name)
    if program.draining:
        raise BadRequest("the proxy lets nobody in any more: it is about to stop")
    if door.access.closed:
        door.access.closed = ""
        program.lifecycle.journal.record(Switched(name, enabled=True))
    return door


def kick(visits: Iterable[Visit]) -> list[int]:
    """Reset connections.

    Returns:
        Their numbers.
    """
    kicked = list(visits)
    for visit in kicked:
        visit.kick(KICKED)
    return [visit.id for visit in kicked]


def connection(program: Program, number: int) -> Visit:
    """Find a connection by its number, as ``status`` shows it.

    Raises:
        BadRequest: there is none.
    """
    visits: Mapping[int, Visit] = program.roster.visits
    if number not in visits:
        raise BadRequest(f"no connection {number} ({_those(visits)})")
    return visits[number]


def _those(visits: Mapping[int, Visit]) -> str:
    if not visits:
        return "there are none"
    return f"there are {', '.join(map(str, sorted(visits)))}"


def connections_of(program: Program, name: str) -> list[Visit]:
    """Find the connections of a listener; of one that a reload has removed, too.

    Raises:
        BadRequest: there is no such listener, and no connection of one.
    """
    visits = list(program.roster.of(name))
    if not visits and name != "connect":
        _door(program, name)
    return visits


def _door(program: Program, name: str) -> Door:
    doors: dict[str, Door] = {each.name: each for each in program.surfaces}
    doors |= {desk.name: desk for desk in program.servers.desks}
    if name not in doors:
        near = difflib.get_close_matches(name, doors, 1)
        known = ", ".join(sorted(doors))
        hint = f"did you mean {near[0]!r}?" if near else f"known: {known}"
        raise BadRequest(f"no listener {name!r:.60} ({hint})")
    return doors[name]

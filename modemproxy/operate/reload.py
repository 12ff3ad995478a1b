"""Reload: another configuration comes into force, or is refused whole.

The file is read and checked; then every new port is bound; only when all of that has
worked is anything changed, and the rest is done without waiting. So a reload that fails
leaves everything as it was, and what did not change never notices one that works.

A port that the proxy itself gives up is handed over: the kernel's socket stays, with the
clients that wait at it. Only where an address overlaps one that is given up (``0.0.0.0``
in place of ``127.0.0.1``) the old listener has to go first; if the new one can not be had
then, the old one comes back.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import trio

from modemproxy.config import Endpoint, LogConfig, load
from modemproxy.errors import ConfigError
from modemproxy.journal import Event
from modemproxy.operate.offices import Offices
from modemproxy.operate.program import Program
from modemproxy.operate.reload_plan import Plan, kind_of, overlap, plan_of
from modemproxy.surfaces.assembly import Assembly, Entry, Surface, announce, entries_of

log = logging.getLogger(__name__)

#: A UDP port is let go of when the last answers on their way are out.
_LETTING_GO_S: Final = 1.5
_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Reloaded(Event):
    """Another configuration came into force."""

    changes: tuple[str, ...]

    @property
    def text(self) -> str:
        """What changed."""
        return f"configuration reloaded: {'; '.join(self.changes) or 'nothing has changed'}"


@dataclass(frozen=True, slots=True)
class ReloadRefused(Event):
    """Another configuration was refused; the old one goes on."""

    level: ClassVar[int] = logging.ERROR
    problems: tuple[str, ...]

    @property
    def text(self) -> str:
        """Why."""
        return f"reload refused, nothing has changed: {'; '.join(self.problems)}"


class Reloader:
    """Reloads one program."""

    def __init__(
        self, program: Program, offices: Offices, set_log: Callable[[LogConfig], None]
    ) -> None:
        """Args:
        program: what is served.
        offices: where operators come in.
        set_log: changes the log.
        """
        self._program = program
        self._offices = offices
        self._set_log = set_log
        self._assembly = Assembly(program.lifecycle.gate, program.roster)
        self._turn = trio.Lock()

    async def reload(self, dry_run: bool) -> dict[str, Any]:
        """Read the program's file and follow it; one at a time.

        Args:
            dry_run: change nothing, bind nothing; only say what would be.

        Cancelling while a port that was given up is waited for leaves the new
        configuration out of force and the old listener closed; nobody does that but the
        end of the program.

        Returns:
            What changed in words (``changes``), the listeners that were not touched
            (``kept``), and whether every connection was reset (``reset``).

        Raises:
            ConfigError: the file is wrong, or a port cannot be had; nothing has changed.
        """
        async with self._turn:
            if dry_run:
                return await self._reload(dry_run)
            self._program.notifier.reloading()
            try:
                return await self._reload(dry_run)
            except ConfigError as error:
                self._record(ReloadRefused(tuple(error.problems)))
                raise
            finally:
                self._program.notifier.ready()  # with the one or the other configuration

    async def _reload(self, dry_run: bool) -> dict[str, Any]:
        program = self._program
        self._check_serving()
        plan = plan_of(
            program.config,
            load(program.config.path),
            self._inside,
            in_service=program.lifecycle.gate.session is not None,
        )
        outcome = {
            "changes": plan.words,
            "kept": [*plan.kept, *plan.kept_servers],
            "reset": plan.reset,
        }
        if dry_run:
            from modemproxy.operate.reload_conflicts import conflicts  # seldom needed

            return {**outcome, "dry_run": True, "conflicts": conflicts(plan, self._ours())}
        await self._carry_out(plan)
        self._record(Reloaded(tuple(plan.words)))
        return outcome

    def _check_serving(self) -> None:
        """Raise ConfigError when nobody is let in any more."""
        if self._program.draining or self._program.stopping.is_set():
            raise ConfigError(["the proxy lets nobody in any more: it is about to stop"])

    def _ours(self) -> set[Endpoint]:
        """Where this program listens."""
        entries = entries_of(self._program.config)
        places = {
            Endpoint(entries[each.name].listen.host, each.port)
            for each in self._program.surfaces
        }
        metrics = self._program.config.metrics
        if metrics is not None:
            places |= {Endpoint(metrics.listen.host, site.port) for site in self._offices.site}
        return places

    def _inside(self, name: str) -> int:
        roster = self._program.roster
        return len(list(roster.of(name))) if name else len(roster.visits)

    def _record(self, event: Event) -> None:
        self._program.lifecycle.journal.record(event)

    # -- ports ----------------------------------------------------------------------------

    async def _carry_out(self, plan: Plan) -> None:
        """Bind, then change.

        Raises:
            ConfigError: a port cannot be had; nothing has changed.
        """
        move = self._offices.prepare(plan.new)
        opened: dict[str, Surface] = {}
        try:
            late = self._bind(plan, opened)
            for entry in late:
                await self._bind_late(plan, entry, opened)
            self._check_serving()
        except ConfigError:
            move.drop()
            for surface in opened.values():
                surface.close()
            self._restore(plan)
            raise
        self._change(plan, opened)
        self._offices.carry_out(move)

    def _bind(self, plan: Plan, opened: dict[str, Surface]) -> list[Entry]:
        """Bind what can be bound beside what there is.

        Returns:
            What can be bound only when others have let go of their ports.

        Raises:
            ConfigError: with everything that cannot be had.
        """
        leaving, wanted = self._leaving(plan), entries_of(plan.new)
        late, problems = [], []
        for name in plan.opening:
            entry = wanted[name]
            lender = _lender(entry, leaving)
            if lender is None and any(_overlap(entry, other) for other, _ in leaving):
                late.append(entry)
                continue
            try:
                opened[name] = self._assembly.open(entry, plan.new, lender)
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return late

    def _leaving(self, plan: Plan) -> list[tuple[Entry, Surface]]:
        """Give the listeners that go, with what describes them."""
        described, there = entries_of(plan.old), self._surfaces()
        return [(described[name], there[name]) for name in plan.closing]

    def _surfaces(self) -> dict[str, Surface]:
        return {surface.name: surface for surface in self._program.surfaces}

    async def _bind_late(self, plan: Plan, entry: Entry, opened: dict[str, Surface]) -> None:
        """Have listeners that are in the way go, then bind.

        Raises:
            ConfigError: it cannot be had all the same.
        """
        for other, surface in self._leaving(plan):
            if _overlap(entry, other) and self._program.reception.serves(surface):
                await self._program.reception.close(surface).wait()
        until = trio.current_time() + _LETTING_GO_S
        while True:
            try:
                surface = self._assembly.open(entry, plan.new)
            except ConfigError:
                if trio.current_time() >= until:
                    raise
                await trio.sleep(_LOOK_S)
            else:
                opened[surface.name] = surface
                return

    def _restore(self, plan: Plan) -> None:
        """Open again what had to go first, and in vain."""
        program = self._program
        for entry, surface in self._leaving(plan):
            if program.reception.serves(surface) or program.draining:
                continue
            try:
                again = self._assembly.open(entry, plan.old)
            except ConfigError as error:
                log.error("%s is closed now, and can not be opened again", error)
                continue
            again.access.stay_as(surface.access)
            program.surfaces[program.surfaces.index(surface)] = again
            program.reception.open(again)

    # -- in force -------------------------------------------------------------------------

    def _change(self, plan: Plan, opened: dict[str, Surface]) -> None:
        """Put the new configuration into force; nothing waits and nothing fails here."""
        program, there, entries = self._program, self._surfaces(), entries_of(plan.new)
        for name in plan.closing:
            if program.reception.serves(there[name]):
                program.reception.close(there[name])
        for name, surface in opened.items():
            if name in there:
                surface.access.stay_as(there[name].access)
            program.reception.open(surface)
            announce(surface, entries[name])
        program.surfaces[:] = [opened.get(name) or there[name] for name in entries]
        for name in [*plan.changed, *(plan.kept if _concerns_all(plan) else ())]:
            self._assembly.change(there[name], entries[name], plan.new)
        program.config = plan.new
        program.servers.change(plan.new.servers, plan.new.timeouts)
        program.lifecycle.change(plan.new)
        if plan.old.log != plan.new.log:
            self._set_log(plan.new.log)
        for tell in program.on_reload:
            tell()


def _concerns_all(plan: Plan) -> bool:
    """Whether listeners that did not change themselves have to follow, too."""
    return plan.old.timeouts != plan.new.timeouts or plan.old.modem != plan.new.modem


def _lender(entry: Entry, leaving: list[tuple[Entry, Surface]]) -> Surface | None:
    """Find who goes and has just the port that is wanted."""
    for other, surface in leaving:
        same = entry.listen == other.listen and _transport(entry) == _transport(other)
        if same and entry.listen.port:
            return surface
    return None


def _transport(entry: Entry) -> str:
    kind = kind_of(entry)
    return kind if kind in ("udp", "dns") else "tcp"


def _overlap(one: Entry, other: Entry) -> bool:
    """Whether the system would refuse the second of two listeners."""
    kinds = {_transport(one), _transport(other)}
    return kinds != {"tcp", "udp"} and overlap(one.listen, other.listen)

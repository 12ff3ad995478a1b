"""Everything that can be seen of a running program, as one JSON-ready dictionary.

The one source of ``status``, of the metrics and of the page: what two of them show can
not differ. Numbers that only grow count from the start of the program.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol

import trio

from modemproxy import __version__
from modemproxy.at.tcpip import LINKS
from modemproxy.journal import Entry, RungTaken
from modemproxy.module.pool import LinkPool
from modemproxy.operate.program import Program
from modemproxy.surfaces.access import Access
from modemproxy.surfaces.dns import NAME as DNS
from modemproxy.surfaces.visit import Visit, name_of

Facts = dict[str, Any]


class Door(Protocol):
    """Where clients come in: a listener of this host, or a server on the module."""

    @property
    def name(self) -> str:
        """The forward's, server's or proxy's."""

    @property
    def kind(self) -> str:
        """What kind of listener it is."""

    @property
    def access(self) -> Access:
        """Who may come in."""


class Report:
    """Looks at a program."""

    def __init__(self, program: Program) -> None:
        """Args: program: what to look at; its journal is listened to from now on."""
        self._program = program
        self._recoveries: Counter[str] = Counter()
        self._asked_at = trio.current_time()
        self._busy_s = 0.0
        self._busy = 0.0
        for entry in program.lifecycle.journal:
            self._note(entry)
        program.lifecycle.journal.listen(self._note)

    def _note(self, entry: Entry) -> None:
        if isinstance(entry.event, RungTaken):
            self._recoveries[entry.event.rung] += 1

    def status(self) -> Facts:
        """Put everything together; cheap, and nothing is asked of the module for it."""
        program = self._program
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": program.started_at,
            "uptime_s": time.time() - program.started_at,
            "draining": program.draining,
            "module": self._module(),
            "line": self._line(),
            "links": self._links(),
            "surfaces": list(self._surfaces()),
            "connections": [_connection(visit) for visit in program.roster.visits.values()],
        }

    # -- the module and its line ----------------------------------------------------------

    def _module(self) -> Facts:
        lifecycle = self._program.lifecycle
        condition, session = lifecycle.condition, lifecycle.gate.session
        signal = None if session is None else session.signal
        return {
            "state": condition.state.value,
            "since_s": trio.current_time() - condition.since,
            "reason": condition.reason,
            "model": condition.model,
            "address": condition.address,
            "baudrate": condition.baudrate,
            "port": self._program.config.modem.port,
            "signal_dbm": None if signal is None else signal.dbm,
            "sessions": condition.sessions,
            "recoveries": dict(sorted(self._recoveries.items())),
        }

    def _line(self) -> Facts:
        meter, session = self._program.lifecycle.meter, self._program.lifecycle.gate.session
        scheduler = None if session is None else session.scheduler
        turnaround = 0.0 if scheduler is None else scheduler.channel.latency.seconds
        return {
            "busy": self._busy_share(meter.busy_s),
            "seconds": dict(meter.seconds),
            "exchanges": dict(meter.exchanges),
            "bytes_read": meter.bytes_read,
            "bytes_written": meter.bytes_written,
            "prompts": meter.exchanges["write"],
            "busy_answers": meter.busy_answers,
            "turnaround_ms": 1000 * turnaround,
            "waiting": 0 if scheduler is None else scheduler.commands_waiting,
        }

    def _busy_share(self, busy_s: float) -> float:
        """The share of the time since somebody asked last, if that is not just now."""
        now = trio.current_time()
        if (passed := now - self._asked_at) >= 0.5:
            self._busy = min(1.0, max(0.0, busy_s - self._busy_s) / passed)
            self._asked_at, self._busy_s = now, busy_s
        return self._busy

    # -- the links ------------------------------------------------------------------------

    def _links(self) -> Facts:
        session = self._program.lifecycle.gate.session
        if session is None:
            return {"in_use": 0, "total": LINKS, "waiting": 0, "numbers": []}
        pool = session.pool
        return {
            "in_use": pool.in_use,
            "total": pool.numbers.count,
            "waiting": pool.numbers.waiting,
            "numbers": [_number(pool, number) for number in range(pool.numbers.count)],
        }

    # -- listeners and clients ------------------------------------------------------------

    def _surfaces(self) -> Iterator[Facts]:
        listens = _listens(self._program)
        doors: list[Door] = [*self._program.surfaces, *self._program.servers.desks]
        for door in doors:
            totals = self._program.roster.totals(door.name)
            yield {
                "name": door.name,
                "kind": door.kind,
                "listen": listens.get(door.name, ""),
                "enabled": not (door.access.closed or door.access.capped),
                "why_not": door.access.closed or door.access.capped,
                "clients": len(list(self._program.roster.of(door.name))),
                "connections": totals.connections,
                "refused": totals.refused,
                "up": totals.up,
                "down": totals.down,
                "causes": dict(sorted(totals.causes.items())),
            }


def _listens(program: Program) -> dict[str, str]:
    """Where every listener listens; the port is the one in fact bound."""
    config = program.config
    hosts = {forward.name: forward.listen.host for forward in config.forwards}
    hosts |= {proxy.name: proxy.listen.host for proxy in config.proxies}
    if config.dns is not None:
        hosts[DNS] = config.dns.listen.host
    where = {each.name: name_of(hosts[each.name], each.port) for each in program.surfaces}
    return where | {server.name: f"module:{server.port}" for server in config.servers}


def _number(pool: LinkPool, number: int) -> Facts:
    if number in pool.links:
        use = "open"
    elif number in pool.openings:
        use = "opening"
    else:
        use = "free" if number in pool.numbers.free else "cleaning"
    return {"link": number, "use": use, "owner": pool.numbers.holder(number)}


def _connection(visit: Visit) -> Facts:
    return {
        "id": visit.id,
        "surface": visit.surface,
        "kind": visit.kind,
        "peer": visit.peer,
        "target": visit.target,
        "link": visit.link,
        "age_s": visit.age_s,
        "queue_s": visit.queued_s,
        "open_s": visit.open_s,
        "up": visit.up,
        "down": visit.down,
    }

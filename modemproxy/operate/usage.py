"""What is used of the SIM's volume, and what happens when a cap is reached.

Bytes of connections count as they move, not when they end: the payload that clients and
far sides exchanged. What the network adds for packets (a few per cent) it bills as well;
a cap should leave room for that.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any, ClassVar, Final

import trio

from modemproxy.config import Usage as Rules
from modemproxy.journal import Event
from modemproxy.operate.clock import ClockWatch
from modemproxy.operate.ledger import Ledger
from modemproxy.operate.program import Program
from modemproxy.operate.report import Door
from modemproxy.operate.usage_told import ALL, caps_of, told_of

log = logging.getLogger(__name__)

_LOOK_S: Final = 2.0
_SAVE_S: Final = 60.0
#: The share of a cap from which on there is a warning.
_WARN_AT: Final = 0.8


@dataclass(frozen=True, slots=True)
class CapNear(Event):
    """Most of a cap is used."""

    level: ClassVar[int] = logging.WARNING
    whose: str
    used: int
    cap: int
    period: str

    @property
    def text(self) -> str:
        """How much, of how much."""
        share = 100 * self.used // self.cap
        return f"usage of {self.whose}: {share} % of this {self.period}'s {self.cap} bytes"


@dataclass(frozen=True, slots=True)
class CapReached(Event):
    """A cap is used up."""

    level: ClassVar[int] = logging.ERROR
    whose: str
    cap: int
    period: str
    action: str

    @property
    def text(self) -> str:
        """And what comes of it."""
        then = "going on" if self.action == "warn" else "nobody is let in until it is over"
        of = f"usage of {self.whose}: this {self.period}'s {self.cap} bytes"
        return f"{of} are used up, {then}"


@dataclass(frozen=True, slots=True)
class CapLifted(Event):
    """A cap that kept clients out does so no longer."""

    whose: str

    @property
    def text(self) -> str:
        """Whose."""
        return f"{self.whose}: clients are let in again, the cap is not used up any more"


class Usage:
    """Keeps the books of one program.

    Attributes:
        ledger: the books.
    """

    def __init__(
        self,
        program: Program,
        path: Path,
        clock: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """Args:
        program: whose listeners are counted; its configuration may change.
        path: of the file.
        clock: the local time.
        """
        self.ledger = Ledger()
        self.ledger.load(path)
        self._program = program
        self._path = path
        self._clock = clock
        self._seen: dict[str, tuple[int, int]] = {}
        self._said: set[tuple[str, str, str]] = set()
        self._changed = self._complained = False
        self._watch = ClockWatch(program.lifecycle.journal)
        program.on_reload.append(self.look)

    async def run(self) -> None:
        """Book and look at the caps until cancelled, and then once more.

        What moves first is written at once, so that a program which is started again and
        again keeps books, too; then it is once a minute.
        """
        save_at = -inf
        try:
            while True:
                self._watch.look()
                self.look()
                if self._changed and trio.current_time() >= save_at:
                    save_at = trio.current_time() + _SAVE_S
                    self._save()
                await trio.sleep(_LOOK_S)
        finally:
            self.look()
            self._save()

    def look(self) -> None:
        """Book what has moved since the last look, and do what the caps say."""
        now = self._clock()
        self.ledger.bill_on(self._rules.billing_day, now)
        self._changed |= self.ledger.settle(now)
        for name in self._program.roster.surfaces:
            totals = self._program.roster.totals(name)
            up, down = self._seen.get(name, (0, 0))
            if (totals.up, totals.down) != (up, down):
                self.ledger.book(now, name, totals.up - up, totals.down - down)
                self._seen[name] = totals.up, totals.down
                self._changed = True
        self._hold_caps(now)

    @property
    def _rules(self) -> Rules:
        return self._program.config.usage

    def _doors(self) -> list[Door]:
        return [*self._program.surfaces, *self._program.servers.desks]

    # -- caps ---------------------------------------------------------------------------

    def _hold_caps(self, now: datetime) -> None:
        rules, spent = self._rules, set()
        for name, most in caps_of(self._program.config).items():
            used, whose = self.ledger.used(rules.period, now, name), name or ALL
            if used >= most:
                self._say(CapReached(whose, most, rules.period, rules.action), now)
                spent.add(name)
            elif used >= most * _WARN_AT:
                self._say(CapNear(whose, used, most, rules.period), now)
        if rules.action != "stop":
            spent.clear()
        self._hold_all(None in spent)
        for door in self._doors():
            self._hold(door, door.name in spent)

    def _hold_all(self, spent: bool) -> None:
        """Keep everybody out, those who come by no listener included, or no longer."""
        program = self._program
        if program.capped and not spent:
            program.lifecycle.journal.record(CapLifted(ALL))
        program.capped = self._why(ALL) if spent else ""
        if spent:
            for visit in list(program.roster.visits.values()):
                visit.kick(program.capped)

    def _hold(self, door: Door, spent: bool) -> None:
        """Keep clients of a listener out, or no longer."""
        access, before = door.access, door.access.capped
        own = self._why(door.name) if spent else ""
        access.capped = self._program.capped or own
        if access.capped != before:
            log.info("%s: %s", door.name, access.capped or "open again")
        if before == self._why(door.name) and not access.capped:
            self._program.lifecycle.journal.record(CapLifted(door.name))
        if own:
            for visit in self._program.roster.of(door.name):
                visit.kick(own)

    def _why(self, whose: str) -> str:
        return f"the cap of {whose} for this {self._rules.period} is used up"

    def _say(self, event: CapNear | CapReached, now: datetime) -> None:
        """Once in a period."""
        page = self.ledger.day(now) if event.period == "day" else self.ledger.month(now)
        key = (type(event).__name__, event.whose, f"{page} {event.cap}")
        if key not in self._said:
            self._said.add(key)
            self._program.lifecycle.journal.record(event)

    # -- keeping and telling ------------------------------------------------------------

    def _save(self) -> None:
        if not self._changed:
            return
        try:
            self.ledger.save(self._path)
            self._changed = self._complained = False
        except OSError as error:
            if not self._complained:
                log.warning("usage is not kept: %s: %s", self._path, error.strerror)
            self._complained = True

    def told(self) -> dict[str, Any]:
        """Put the books into what ``usage`` shows."""
        self.look()
        return told_of(self.ledger, self._program.config, self._clock())

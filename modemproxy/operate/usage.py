"""What is used of the SIM's volume, and what happens when a cap is reached.

Bytes of connections count as they move, not when they end: the payload that clients and
far sides exchanged. What the network adds for packets (a few per cent) it bills as well;
a cap should leave room for that.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final

import trio

from modemproxy.config import Usage as Rules
from modemproxy.journal import Event
from modemproxy.operate.ledger import Ledger
from modemproxy.operate.program import Program
from modemproxy.operate.report import Door

log = logging.getLogger(__name__)

_LOOK_S: Final = 2.0
_SAVE_S: Final = 60.0
#: The share of a cap from which on there is a warning.
_WARN_AT: Final = 0.8
_ALL: Final = "all listeners"


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
class _Cap:
    """A cap, and those who are under it."""

    whose: str
    name: str | None
    most: int
    doors: tuple[Door, ...]


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

    async def run(self) -> None:
        """Book and look at the caps until cancelled, and then once more."""
        saved_at = trio.current_time()
        try:
            while True:
                self.look()
                if trio.current_time() - saved_at >= _SAVE_S:
                    saved_at = trio.current_time()
                    self._save()
                await trio.sleep(_LOOK_S)
        finally:
            self.look()
            self._save()

    def look(self) -> None:
        """Book what has moved since the last look, and do what the caps say."""
        now = self._clock()
        if not self.ledger.believes(now):
            return
        self.ledger.billing_day = self._rules.billing_day
        for door in self._doors():
            totals = self._program.roster.totals(door.name)
            up, down = self._seen.get(door.name, (0, 0))
            if (totals.up, totals.down) != (up, down):
                self.ledger.book(now, door.name, totals.up - up, totals.down - down)
                self._seen[door.name] = totals.up, totals.down
                self._changed = True
        self._hold_caps(now)

    @property
    def _rules(self) -> Rules:
        return self._program.config.usage

    def _doors(self) -> list[Door]:
        return [*self._program.surfaces, *self._program.servers.desks]

    # -- caps ---------------------------------------------------------------------------

    def _caps(self) -> Iterator[_Cap]:
        config, doors = self._program.config, self._doors()
        most = {forward.name: forward.cap for forward in config.forwards}
        most |= {server.name: server.cap for server in config.servers}
        most |= {proxy.name: proxy.cap for proxy in config.proxies}
        for door in doors:
            if most.get(door.name):
                yield _Cap(door.name, door.name, most[door.name], (door,))
        if self._rules.cap:
            yield _Cap(_ALL, None, self._rules.cap, tuple(doors))

    def _hold_caps(self, now: datetime) -> None:
        rules = self._rules
        spent: dict[str, str] = {}
        for cap in self._caps():
            used = self.ledger.used(rules.period, now, cap.name)
            if used >= cap.most:
                self._say(CapReached(cap.whose, cap.most, rules.period, rules.action), now)
                if rules.action == "stop":
                    spent |= {door.name: cap.whose for door in cap.doors}
            elif used >= cap.most * _WARN_AT:
                self._say(CapNear(cap.whose, used, cap.most, rules.period), now)
        for door in self._doors():
            self._hold(door, spent.get(door.name))

    def _hold(self, door: Door, whose: str | None) -> None:
        why = ""
        if whose is not None:
            why = f"the cap of {whose} for this {self._rules.period} is used up"
        if door.access.capped != why:
            door.access.capped = why
            log.warning("%s: %s", door.name, why or "its cap is not used up any more")
        if why:
            for visit in self._program.roster.of(door.name):
                visit.kick(why)

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
            self._changed = False
        except OSError as error:
            if not self._complained:
                log.warning("usage is not kept: %s: %s", self._path, error.strerror)
            self._complained = True

    def told(self) -> dict[str, Any]:
        """Put the books into what ``usage`` shows."""
        self.look()
        now, rules = self._clock(), self._rules
        caps = [
            {
                "of": cap.whose,
                "cap": cap.most,
                "used": self.ledger.used(rules.period, now, cap.name),
                "period": rules.period,
                "action": rules.action,
            }
            for cap in self._caps()
        ]
        return {
            "day": self.ledger.day(now),
            "month": self.ledger.month(now),
            "days": self.ledger.days,
            "months": self.ledger.months,
            "caps": caps,
        }

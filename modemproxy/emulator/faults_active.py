"""A rule at work on one module: counting, dice, windows, and what is standing."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from modemproxy.emulator.faults_kind import Event, Filter
from modemproxy.emulator.faults_rule import Fault, OnCommand, OnSend
from modemproxy.emulator.faults_site import Site
from modemproxy.emulator.timers import Timer


class Struck(NamedTuple):
    """One entry of the log: a fault that really happened.

    Attributes:
        time: seconds since the box was made.
        name: of the fault.
        detail: to what.
    """

    time: float
    name: str
    detail: str


class Active:
    """One rule of a box; what ``FaultBox.add`` and ``inject`` return.

    Args:
        rule: the rule.
        site: the module.
        rng: this rule's own dice.
        note: told the name and the detail of every strike.

    Attributes:
        strikes: how often it has struck.
        armed: a filter that may strike now.
        standing: an event that has happened and is not lifted.
    """

    def __init__(
        self, rule: Fault, site: Site, rng: Random, note: Callable[[str, str], None]
    ) -> None:
        self.rule = rule
        self.kind = rule.make()
        self.kind.site, self.kind.rng, self.kind.link = site, rng, rule.when.link
        self.kind.strike = self._strike
        self.kind.spent = lambda: self._left == 0
        self.kind.cause = None
        self._site = site
        self._rng = rng
        self._note = note
        self._limit = rule.when.limit(rule.kind)
        self._left = self._limit
        self._seen = 0
        self._bytes = {"in": 0, "out": 0}
        self._window: Timer | None = None
        self._next: Timer | None = None
        self._done = False
        self.strikes = 0
        self.armed = False
        self.standing = False

    @property
    def holds(self) -> bool:
        """Whether it can make itself felt now."""
        kind = self.kind
        used_up = self._left == 0 and isinstance(kind, Filter) and not kind.lingers
        return self.standing or (self.armed and not used_up)

    @property
    def over(self) -> bool:
        """Whether it will never make itself felt again."""
        when = self.rule.when
        waits = when.triggered or (isinstance(self.kind, Event) and when.probability < 1)
        return self._done or not (self.holds or waits)

    # -- triggers --

    def start(self) -> None:
        """Set it off, or wait for what does."""
        when = self.rule.when
        if not when.triggered:
            # an event with dice and no trigger: they are thrown for every command
            if isinstance(self.kind, Filter) or when.probability >= 1:
                self.set_off()
        elif when.at_s is not None:
            self._next = self._site.later(when.at_s, self._timed)
        elif when.every_s is not None:
            self._next = self._site.later(self._period(), self._timed)

    def _period(self) -> float:
        when = self.rule.when
        return (when.every_s or 0.0) + when.jitter_s * self._rng.random()

    def _timed(self) -> None:
        if self._done:
            return
        if self.rule.when.every_s is not None:
            self._next = self._site.later(self._period(), self._timed)
        self.set_off()

    def saw_command(self, name: str, link: int | None) -> None:
        """Hear of a command that is about to run."""
        when = self.rule.when
        if not when.triggered and isinstance(self.kind, Event) and when.probability < 1:
            self.set_off(link)
        elif when.on_command is not None and when.on_command.name == name:
            self._count(when.on_command, link)

    def saw_send(self, phase: str, link: int | None) -> None:
        """Hear of a moment of a send."""
        wanted = self.rule.when.on_send
        if wanted is not None and wanted.phase == phase:
            self._count(wanted, link)

    def _count(self, wanted: OnCommand | OnSend, link: int | None) -> None:
        if wanted.link is not None and wanted.link != link:
            return
        self._seen += 1
        if wanted.every is not None:
            if self._seen >= (wanted.nth or 0) and self._seen % wanted.every == 0:
                self.set_off(link)
        elif self._seen == (wanted.nth or 1):
            self.set_off(link)

    def saw_bytes(self, direction: str, size: int) -> None:
        """Hear of bytes that passed; they are counted from when the rule was added."""
        when = self.rule.when
        before = self._bytes[direction]
        after = self._bytes[direction] = before + size
        once = when.after_bytes_in if direction == "in" else when.after_bytes_out
        every = when.every_bytes_in if direction == "in" else when.every_bytes_out
        crossed = once is not None and before < max(1, once) <= after
        if crossed or (every is not None and before // every != after // every):
            self.set_off()

    # -- striking --

    def set_off(self, cause: int | None = None) -> None:
        """Arm the filter, or have the event happen."""
        if self._done:
            return
        self.kind.cause = cause
        if isinstance(self.kind, Filter):
            self._arm()
        elif not self.standing and self._left != 0 and self._possible() and self._dice():
            self._happen()

    def _possible(self) -> bool:
        return isinstance(self.kind, Event) and self.kind.possible()

    def _arm(self) -> None:
        self._left = self._limit
        if not self.armed:
            self.armed = True
            self.kind.begin()
        self._open_window()

    def _happen(self) -> None:
        assert isinstance(self.kind, Event)
        if self._left is not None:
            self._left -= 1
        if self.kind.abrupt:
            self._site.after_step(self._begin)
        else:
            self._begin()

    def _begin(self) -> None:
        kind = self.kind
        assert isinstance(kind, Event)
        self._log(kind.detail())
        self.standing = kind.stands
        self._site.dce.ctx.touch()
        kind.begin()
        if self.standing:
            self._open_window()

    def _open_window(self) -> None:
        if self._window is not None:
            self._window.cancel()
        if self.rule.when.for_s is not None:
            self._window = self._site.later(self.rule.when.for_s, self.close)

    def close(self) -> None:
        """End the window: disarm the filter, lift the event; triggers go on."""
        if self._window is not None:
            self._window.cancel()
        if self.armed or self.standing:
            self.armed = self.standing = False
            self._site.dce.ctx.touch()
            self.kind.end()

    def lift(self) -> None:
        """End it for good."""
        self._done = True
        if self._next is not None:
            self._next.cancel()
        self.close()

    def _strike(self, detail: str) -> bool:
        if not self.armed or self._left == 0 or not self._dice():
            return False
        if self._left is not None:
            self._left -= 1
        self._log(detail)
        return True

    def _dice(self) -> bool:
        probability = self.rule.when.probability
        return probability >= 1 or self._rng.random() < probability

    def _log(self, detail: str) -> None:
        self.strikes += 1
        self._note(self.rule.name, detail)

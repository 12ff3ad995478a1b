"""Faults of unsolicited lines, and of the late results that look like them."""

from collections import deque
from dataclasses import dataclass
from itertools import cycle
from typing import ClassVar, Literal

from modemproxy.emulator.faults_kind import Event, Filter, fault
from modemproxy.emulator.faults_params import number
from modemproxy.emulator.faults_said import Said, UrcName
from modemproxy.emulator.output import Piece

Place = Literal["line", "prompt", "entry", "payload"]


@fault("drop_urc")
@dataclass(eq=False)
class DropUrc(Filter):
    """Unsolicited lines of one sort are never said."""

    per_link: ClassVar[bool] = True
    urc: UrcName = "data"  # which

    def said(self, said: Said) -> bytes:
        """Say nothing instead."""
        mine = said.is_urc(self.urc) and self.concerns(said.link)
        return b"" if mine and self.strike(said.text) else said.data


@fault("delay_urc")
@dataclass(eq=False)
class DelayUrc(Filter):
    """Unsolicited lines of one sort are said late; others may overtake them."""

    per_link: ClassVar[bool] = True
    urc: UrcName = "data"  # which
    delay_s: float = 1.0  # how late

    def said(self, said: Said) -> bytes:
        """Keep it for a while."""
        mine = said.is_urc(self.urc) and self.concerns(said.link)
        if not mine or not self.strike(f"{said.text} by {self.delay_s} s"):
            return said.data
        self.site.say_later(self.delay_s, said.data)
        return b""


@fault("urc_overflow")
@dataclass(eq=False)
class UrcOverflow(Filter):
    """The module keeps only a few unsolicited lines for an occupied line; more are lost."""

    depth: int = number(20, least=1)  # lines

    def begin(self) -> None:
        """Start with nothing queued."""
        self._queued: deque[int] = deque()

    def said(self, said: Said) -> bytes:
        """Count the lines that have not left yet."""
        if said.piece is not Piece.URC:
            return said.data
        if not len(self.site.dce.out):
            self._queued.clear()
        while self._queued and self._queued[0] <= self.site.wire.taken:
            self._queued.popleft()
        if len(self._queued) >= self.depth and self.strike(said.text):
            return b""
        self._queued.append(self.site.position() + len(said.data))
        return said.data


@fault("urc_storm")
@dataclass(eq=False)
class UrcStorm(Event):
    """Unsolicited lines in quick succession, for for_s seconds."""

    stands: ClassVar[bool] = True
    rate: float = 500.0  # lines a second
    lines: tuple[str, ...] = ("+CIPRXGET: 1,9", "+CGEV: EPS PDN ACT 1")  # in turn

    def detail(self) -> str:
        """Say how many."""
        return f"{self.rate:g} lines/s"

    def begin(self) -> None:
        """Say the first, and so on."""
        self._on = True
        self._lines = cycle(self.lines)
        self._started, self._count = self.site.dce.ctx.now, 0
        self._next()

    def end(self) -> None:
        """Be quiet."""
        self._on = False

    def _next(self) -> None:
        if not self._on:
            return
        self.site.say(next(self._lines))
        self._count += 1
        due = self._started + self._count / self.rate
        self.site.later(max(0.0, due - self.site.dce.ctx.now), self._next)


@fault("urc_everywhere")
@dataclass(eq=False)
class UrcEverywhere(Event):
    """Unsolicited lines at every boundary between two lines of an answer."""

    stands: ClassVar[bool] = True
    lines: tuple[str, ...] = ("+CGEV: EPS PDN ACT 1",)  # in turn
    places: tuple[Place, ...] = ("line", "prompt", "entry", "payload")  # before which
    share: float = 1.0  # of the boundaries

    def begin(self) -> None:
        """Change the dialect."""
        self.site.overlay(
            self,
            urc_everywhere=self.lines,
            urc_places=self.places,
            urc_everywhere_p=self.share,
        )

    def end(self) -> None:
        """Put it back."""
        self.site.lift(self)


@fault("say")
@dataclass(eq=False)
class Say(Event):
    """The module says something that nobody asked for."""

    text: str = "+CGEV: EPS PDN ACT 1"  # the line, or exactly these bytes
    raw: bool = False  # exactly these bytes, no line ends

    def possible(self) -> bool:
        """Whether there is a module to say it."""
        return self.site.powered

    def detail(self) -> str:
        """Say what."""
        return repr(self.text)

    def begin(self) -> None:
        """Say it."""
        if self.raw:
            self.site.module.inject(self.text.encode("latin-1", "replace"))
        else:
            self.site.say(self.text)

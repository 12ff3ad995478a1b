"""Events of the program itself: its runs, and whom it turned away."""

import logging
from dataclasses import dataclass
from typing import ClassVar

from modemproxy.journal import Event


@dataclass(frozen=True, slots=True)
class ProgramStarted(Event):
    """A run of the program began.

    Attributes:
        cut_off: the run before did not end in order: it was killed, or the machine was.
    """

    version: str
    pid: int
    cut_off: bool = False

    @property
    def text(self) -> str:
        """Which one."""
        before = "; the run before was cut off" if self.cut_off else ""
        return f"modemproxy {self.version} started (pid {self.pid}){before}"


@dataclass(frozen=True, slots=True)
class ProgramStopped(Event):
    """A run of the program ended in order."""

    reason: str = ""

    @property
    def text(self) -> str:
        """And why, where somebody is known to have wanted it."""
        return f"modemproxy stopped: {self.reason}" if self.reason else "modemproxy stopped"


@dataclass(frozen=True, slots=True)
class ProgramFailed(Event):
    """A run of the program ended by an error."""

    level: ClassVar[int] = logging.ERROR
    reason: str

    @property
    def text(self) -> str:
        """Which."""
        return f"modemproxy ended by an error: {self.reason}"


@dataclass(frozen=True, slots=True)
class ClientsRefused(Event):
    """Clients of a listener were turned away.

    Attributes:
        surface: the listener.
        peer: the last of them.
        why: it was.
        count: how many there were since this was said last.
    """

    level: ClassVar[int] = logging.WARNING
    surface: str
    peer: str
    why: str
    count: int = 1

    @property
    def text(self) -> str:
        """Who, where and why; the log has a line for each."""
        more = f" (and {self.count - 1} others)" if self.count > 1 else ""
        return f"{self.surface}: {self.peer} refused: {self.why}{more}"

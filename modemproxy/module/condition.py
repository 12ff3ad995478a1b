"""What state the module is in, for the log and for those who look. No code branches on it."""

from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import Final

import trio

from modemproxy.line.channel import AtChannel

#: Between two steps on the way up lies at most an answer (NETOPEN: 150 s), a module that
#: is in data entry, or the user's power_command; twice that is no accident.
_STEP_S: Final = 300.0


class ModuleState(Enum):
    """Where the lifecycle is."""

    STARTING = "starting"
    UP = "up"
    RECOVERING = "recovering"
    #: Nothing is tried until somebody has acted.
    DOWN = "down"
    STOPPED = "stopped"


@dataclass(slots=True)
class Condition:
    """The state, since when, and why.

    Attributes:
        state: where the lifecycle is.
        since: trio's clock.
        reason: why it is not up; empty when there is nothing to say.
        model, address, baudrate: what the last bring-up found.
        sessions: how many there have been.
        line: where the module is spoken to, if it is.
    """

    state: ModuleState = ModuleState.STARTING
    since: float = field(default_factory=lambda: trio.current_time())
    reason: str = ""
    model: str = ""
    address: str = ""
    baudrate: int = 0
    sessions: int = 0
    line: AtChannel | None = None
    _changes: int = 0
    _pause_s: float = 0.0

    def become(self, state: ModuleState, reason: str = "", *, pause_s: float = 0.0) -> None:
        """Note a change; the time counts from the first of several that say the same.

        Args:
            state, reason: what is.
            pause_s: how long nothing may be done about it now, seconds.
        """
        if state is not self.state:
            self.since = trio.current_time()
        self.state, self.reason = state, reason
        self._changes += 1
        self._pause_s = pause_s

    @property
    def steps(self) -> tuple[int, int]:
        """Is another one whenever something was done to get the module into service."""
        return self._changes, -1 if self.line is None else self.line.commands

    @property
    def patience_s(self) -> float:
        """How long nothing may be done, at most; for ever when somebody has to act."""
        if self.state in (ModuleState.DOWN, ModuleState.STOPPED):
            return inf
        return self._pause_s + _STEP_S

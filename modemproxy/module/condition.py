"""What state the module is in, for the log and for those who look. No code branches on it."""

from dataclasses import dataclass, field
from enum import Enum

import trio


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
    """

    state: ModuleState = ModuleState.STARTING
    since: float = field(default_factory=lambda: trio.current_time())
    reason: str = ""
    model: str = ""
    address: str = ""
    baudrate: int = 0
    sessions: int = 0

    def become(self, state: ModuleState, reason: str = "") -> None:
        """Note a change; the time counts from the first of several that say the same."""
        if state is not self.state:
            self.since = trio.current_time()
        self.state, self.reason = state, reason

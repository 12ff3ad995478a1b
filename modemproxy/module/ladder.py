"""The recovery ladder: what to try next after a failure. Sync, clock-free, knows no line.

The rungs R0 to R2 belong to the links and the line: the same command again when nothing
was handed over (``sending.py``), resynchronising (``line/resync.py``), one link given up
and its number cleaned (``quarantine.py``). This is what comes when a whole session ended
or could not begin:

=====  ==================================================================
R3     open the port again by its stable name, find the speed, set all up
R4     close the module's network and open it again
R5     radio off (CFUN=0) for a while, and on
R6     reset the module
R7     the user's ``power_command``
=====  ==================================================================

Which rungs can help depends on what is wrong, so each kind of trouble has its own way up.
No rung is taken more than three times in a row. At the top the way begins anew, after a
pause that doubles from 5 s to 5 min. A minute in service brings all back to the bottom.

A module that restarts by itself again and again is in none of these troubles: it is its
power supply, and everything done to it makes that worse. Then the ladder only waits.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from modemproxy.errors import (
    BringUpFailed,
    LineClosed,
    ModuleRebooted,
    NetworkError,
    WriteBlocked,
)


class Rung(Enum):
    """A step of the ladder: its name in failures and logs, and what it does."""

    AGAIN = "R0", "trying again"
    REOPEN = "R3", "opening the port again"
    NETWORK = "R4", "closing and opening the module's network"
    RADIO = "R5", "radio off and on"
    RESET = "R6", "resetting the module"
    POWER = "R7", "running power_command"

    def __init__(self, label: str, action: str) -> None:
        self.label = label
        self.action = action


class Trouble(Enum):
    """Kinds of trouble, by what can help."""

    DEVICE = "the device is not there"
    SILENT = "the module does not answer"
    RESTARTED = "the module restarted"
    NETWORK = "no network"
    SUBSCRIBER = "no SIM, or the network does not want it"
    USER = "only the user can help"


_WAYS: Final[dict[Trouble, tuple[Rung, ...]]] = {
    Trouble.DEVICE: (Rung.REOPEN,) * 3 + (Rung.POWER,),
    Trouble.SILENT: (Rung.REOPEN,) * 3 + (Rung.POWER,),
    Trouble.RESTARTED: (Rung.REOPEN,) * 3,
    Trouble.NETWORK: (Rung.NETWORK,) * 3
    + (Rung.RADIO,) * 2
    + (Rung.RESET,) * 2
    + (Rung.POWER,),
    Trouble.SUBSCRIBER: (Rung.AGAIN, Rung.RADIO, Rung.RESET, Rung.POWER),
    Trouble.USER: (Rung.AGAIN,),
}
#: Steps of a bring-up, by the kind of trouble that a failure in them is.
_STEPS: Final = {
    "answer": Trouble.SILENT,
    "echo": Trouble.SILENT,
    "speed": Trouble.SILENT,
    "SIM": Trouble.SUBSCRIBER,
    "registration": Trouble.SUBSCRIBER,
}

STABLE_S: Final = 60.0
_FIRST_PAUSE_S: Final = 0.2
_STEP_PAUSE_S: Final = 1.0
#: A device that is not there is looked for often: looking costs nothing.
_LOOK_S: Final = 2.0
_ROUND_PAUSE_S: Final = 5.0
_PAUSE_LIMIT_S: Final = 300.0
LOOP_WINDOW_S: Final = 300.0
_LOOP_RESTARTS: Final = 3
#: How long a restarting module is left alone: (so many restarts, seconds).
_LOOP_PAUSES: Final = ((40, 300.0), (20, 60.0), (0, 18.0))
#: Looking for a device is no rung; so many looks are one.
_LOOKS: Final = 10


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next.

    Attributes:
        rung: the remedy.
        pause_s: to wait before it; a change for the better may cut that short.
        looking: a device is looked for, nothing is done to the module.
        restarts: more than 0: the module restarts in a loop, so often so far.
    """

    rung: Rung
    pause_s: float
    looking: bool = False
    restarts: int = 0


def trouble_of(failure: BaseException) -> Trouble:
    """Sort a failure by what can help."""
    if isinstance(failure, BringUpFailed):
        if failure.hopeless:
            return Trouble.USER
        return _STEPS.get(failure.step, Trouble.NETWORK)
    if isinstance(failure, ModuleRebooted):
        return Trouble.RESTARTED
    if isinstance(failure, NetworkError):
        return Trouble.NETWORK
    gone = isinstance(failure, LineClosed) and not isinstance(failure, WriteBlocked)
    return Trouble.DEVICE if gone else Trouble.SILENT


@dataclass(slots=True)
class _Way:
    """How far up a way we are.

    Attributes:
        tries: rungs taken since the last stable time.
        looks: how often a missing device was looked for.
    """

    tries: int = 0
    looks: int = 0


@dataclass(slots=True)
class Ladder:
    """Decides the next step after each failure.

    Attributes:
        has_power: there is a ``power_command``.
        rng: for the jitter.
    """

    has_power: bool
    rng: random.Random = field(default_factory=random.Random)
    _ways: dict[Trouble, _Way] = field(default_factory=dict)
    _restarts: deque[float] = field(default_factory=deque)
    _loop: int = 0

    def next_step(self, failure: BaseException, *, now: float, up_for_s: float) -> Step:
        """Choose what to do about a failure.

        Args:
            failure: what ended the session or the bring-up.
            now: seconds, never running backwards.
            up_for_s: how long the session had lasted; 0 when none came up.
        """
        if up_for_s >= STABLE_S:
            self._ways.clear()
        trouble = trouble_of(failure)
        if trouble is Trouble.RESTARTED and self._is_loop(now):
            return self._wait_out_loop()
        way = self._ways.setdefault(trouble, _Way())
        if trouble is Trouble.DEVICE and way.looks % _LOOKS:
            way.looks += 1
            return Step(Rung.REOPEN, self._jittered(_LOOK_S), looking=True)
        way.looks += 1
        return self._climb(trouble, way)

    def _climb(self, trouble: Trouble, way: _Way) -> Step:
        rungs = [r for r in _WAYS[trouble] if self.has_power or r is not Rung.POWER]
        rounds, place = divmod(way.tries, len(rungs))
        pause = _FIRST_PAUSE_S if way.tries == 0 else _STEP_PAUSE_S
        if rounds and place == 0:
            pause = min(_PAUSE_LIMIT_S, _ROUND_PAUSE_S * 2 ** min(rounds - 1, 10))
        if trouble is Trouble.DEVICE:
            pause = min(pause, _LOOK_S)
        way.tries += 1
        return Step(rungs[place], self._jittered(pause))

    def _is_loop(self, now: float) -> bool:
        self._restarts.append(now)
        while self._restarts and self._restarts[0] < now - LOOP_WINDOW_S:
            self._restarts.popleft()
        looping = len(self._restarts) > _LOOP_RESTARTS
        self._loop = self._loop + 1 if looping else 0
        return looping

    def _wait_out_loop(self) -> Step:
        pause = next(pause for count, pause in _LOOP_PAUSES if self._loop > count)
        return Step(Rung.REOPEN, self._jittered(pause), restarts=self._loop + _LOOP_RESTARTS)

    def _jittered(self, pause_s: float) -> float:
        return pause_s * self.rng.uniform(0.8, 1.2)

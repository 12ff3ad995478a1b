"""How the module is, and what is done about a failure: the ladder's next step, said once."""

from typing import Final

import trio

from modemproxy.journal import Journal, ModuleDown, ModuleUp, RestartLoop, RungTaken
from modemproxy.module.bringup import Readiness
from modemproxy.module.condition import Condition, ModuleState
from modemproxy.module.ladder import LOOP_WINDOW_S, Ladder, Rung, Step

#: Where a restarting module is only watched, events are recorded at these counts.
_LOOP_EVENTS: Final = frozenset(2**n for n in range(2, 20))


class Recovery:
    """Decides about the failures of one module.

    Attributes:
        next: the step to take now.
        ladder: where it comes from.
    """

    def __init__(self, journal: Journal, condition: Condition, *, has_power: bool) -> None:
        """Args:
        journal: is told of every step.
        condition: the module's, kept up to date.
        has_power: the module's power can be cut.
        """
        self._journal = journal
        self._condition = condition
        self.start_over(has_power=has_power)

    def start_over(self, *, has_power: bool) -> None:
        """Forget what was: the module, or what is asked of it, is another one."""
        self.next = Step(Rung.REOPEN, 0.0)
        self.ladder = Ladder(has_power=has_power)
        self._last_problem = ""

    def note_up(self, readiness: Readiness, took_s: float) -> None:
        """There is a session: the next problem is said even if it is the same as before."""
        self._last_problem = ""
        found, model = self._condition, readiness.model
        found.become(ModuleState.UP)
        found.sessions += 1
        found.model, found.address = model, readiness.address
        found.baudrate = readiness.baudrate
        self._journal.record(ModuleUp(model, found.address, found.baudrate, took_s))

    def note_resync(self, reason: str) -> None:
        """The lowest rung was taken: the line itself does that."""
        self._journal.record(RungTaken("R1", "bringing the line back into step", reason))

    def climb(self, failure: BaseException, *, up_since: float | None) -> None:
        """Decide the next step, and say so once.

        Args:
            failure: what happened.
            up_since: when the session began that it ended (trio's clock); None if none did.
        """
        now = trio.current_time()
        up_for_s = 0.0 if up_since is None else now - up_since
        step = self.next = self.ladder.next_step(failure, now=now, up_for_s=up_for_s)
        problem = str(failure)
        self._condition.become(ModuleState.RECOVERING, problem, pause_s=step.pause_s)
        if problem != self._last_problem:
            self._journal.record(ModuleDown(problem))
            self._last_problem = problem
        if step.restarts in _LOOP_EVENTS:
            self._journal.record(RestartLoop(step.restarts, LOOP_WINDOW_S))
        elif not step.restarts and not step.looking:
            rung = step.rung
            self._journal.record(RungTaken(rung.label, rung.action, problem, step.pause_s))

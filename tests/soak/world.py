"""A world: chapters of connections and faults, each followed by peace and judgement.

The product's own parts run as they are: the lifecycle and its sessions, links, and the TCP
forward's handler with its relay. Simulated are the kernel below the client's socket
(``host``), the serial line (``line``), the module and its internet (the emulator).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from tests.soak.checker import Violation, judge
from tests.soak.clients import Clients
from tests.soak.faults import Faults
from tests.soak.history import RST, History, Levels
from tests.soak.logs import LogKeeper
from tests.soak.plan import draw_plans
from tests.soak.stage import Stage
from tests.soak.stream import forget_streams

_FIRST_SERVICE_S: Final = 120.0
_SETTLE_LIMIT_S: Final = 150.0
#: Tasks that end a connection may take so long after its module's link is closed.
_AFTERMATH_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How big a chapter of a world is.

    Attributes:
        connections: how many.
        seconds: within which they start, and faults happen.
        typical_bytes: of a transfer.
        faults: at most so many.
        calm_p: how likely it is that there are none.
    """

    connections: int = 22
    seconds: float = 25.0
    typical_bytes: int = 8000
    faults: int = 6
    calm_p: float = 0.1


@dataclass(slots=True)
class Outcome:
    """What came of a world.

    Attributes:
        seed: its own.
        violations: what was wrong, in order.
        faults: what was done to it, (seconds, words).
        relayed: payload bytes that arrived at either end.
        connections, resets: how many.
        virtual_s: how long it lasted for itself.
        recoveries: seconds from the last fault of each chapter to a working connection.
        before, after: levels.
    """

    seed: int
    violations: list[Violation] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    relayed: int = 0
    connections: int = 0
    resets: int = 0
    virtual_s: float = 0.0
    recoveries: list[float] = field(default_factory=list)
    before: Levels | None = None
    after: Levels | None = None


class World:
    """One simulated world; make it inside ``trio.run``.

    Attributes:
        outcome: what came of it so far.
        logs: the product's log.
    """

    def __init__(self, nursery: trio.Nursery, seed: int, size: Size) -> None:
        self._rng = random.Random(f"world {seed}")
        self._size = size
        self._calm = self._rng.random() < size.calm_p
        self._stage = Stage(nursery, self._rng, seed, calm=self._calm)
        self._clients = Clients(self._stage)
        self._faults = Faults(self._stage, random.Random(f"faults {seed}"), self._note_fault)
        self._history = History()
        self.outcome = Outcome(seed)
        self.logs = LogKeeper()

    def _note_fault(self, what: str) -> None:
        self.logs.say(f"FAULT {what}")
        self._history.faults.append((trio.current_time(), what))

    async def run(self, more: Callable[[int, Outcome], bool]) -> None:
        """Live through chapters for as long as ``more(chapter, outcome)``."""
        stage, outcome = self._stage, self.outcome
        with self.logs.keeping():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stage.supervise)
                nursery.start_soon(self._faults.keep_time)
                with trio.fail_after(_FIRST_SERVICE_S):
                    await stage.lifecycle.gate.wait_session()
                await trio.sleep(_AFTERMATH_S)
                outcome.before = stage.levels()
                chapter = 0
                while more(chapter, outcome) and not outcome.violations:
                    await self._chapter()
                    if chapter == 0:  # the first one warms everything up
                        outcome.before.memory_bytes = self._levels().memory_bytes
                    chapter += 1
                await self._end()
                nursery.cancel_scope.cancel()
        outcome.virtual_s = trio.current_time()

    def _levels(self) -> Levels:
        """Count what must not grow: without what was kept to be judged, and has been."""
        self._history.forget()
        forget_streams()
        return self._stage.levels()

    async def _end(self) -> None:
        outcome = self.outcome
        outcome.after = self._levels()
        self._history = History(before=outcome.before, after=outcome.after)
        self._history.supervisor = self._stage.problem
        if await self._stage.stop() is None:
            self._history.bugs.append("supervise() does not end when told to")
        self._judge()

    async def _chapter(self) -> None:
        size, stage = self._size, self._stage
        profile = stage.module.profile
        self._history = History(
            calm=self._calm,
            acknowledged=profile.cipack and profile.cipack_acked == "counted",
            connect_limit_s=stage.timeouts.connect_s + 3,
            progress_limit_s=stage.timeouts.stall_s + 100,
        )
        plans = draw_plans(
            self._rng,
            count=size.connections,
            first=self._clients.count,
            over_s=size.seconds,
            typical=size.typical_bytes,
        )
        self._clients.count += len(plans)
        async with trio.open_nursery() as nursery:
            for plan in plans:
                nursery.start_soon(self._clients.connect, plan, self._history)
            if not self._calm:
                await self._torment()
            await self._watch_progress(nursery.cancel_scope, len(plans))
        await self._settle()
        self._judge()

    async def _torment(self) -> None:
        """Inject faults, end them all, and see when there is service again."""
        size = self._size
        await self._faults.run(self._rng.randint(1, size.faults), size.seconds)
        self._faults.clear()
        self._history.clear_at = trio.current_time()
        await self._clients.probe_until_served(self._history)

    async def _watch_progress(self, scope: trio.CancelScope, count: int) -> None:
        """Wait until every connection is over, or one stands still for too long."""
        history = self._history
        while True:
            going = [c for c in history.connections if c.done_at is None]
            if len(history.connections) >= count and not going:
                return
            still_since = trio.current_time() - history.progress_limit_s - 1
            if any(c.last_progress < still_since for c in going):
                scope.cancel()
                return
            await trio.sleep(1.0)

    async def _settle(self) -> None:
        """Wait for the module's links to be closed, and for their far hosts to leave."""
        self._clients.dismiss_far_hosts()
        with trio.move_on_after(_SETTLE_LIMIT_S):
            while not self._stage.settled:  # noqa: ASYNC110
                await trio.sleep(0.5)
        await trio.sleep(_AFTERMATH_S)

    def _judge(self) -> None:
        """Judge what was recorded since the last time, and count it."""
        history, outcome = self._history, self.outcome
        history.ended_at = trio.current_time()
        history.bugs += self.logs.take_errors()
        for connection in history.connections:
            connection.proxy_end = self.logs.ends.pop(connection.number, "")
            ends = (connection.client, *connection.fars)
            outcome.relayed += sum(len(end.received) for end in ends)
            outcome.resets += connection.client.end == RST
        outcome.connections += len(history.connections)
        outcome.violations += judge(history)
        outcome.faults += history.faults
        if history.serving_at is not None and history.clear_at is not None:
            outcome.recoveries.append(history.serving_at - history.clear_at)

"""One run of a row's body in a world of its own, and whether it left the world tidy."""

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from unittest import mock

import trio
import trio.testing

from tests.matrix.judge import fate
from tests.matrix.rows import XA, Body, Case
from tests.matrix.setting import BugKeeper, Setting
from tests.matrix.world import World

_WORLD_LIMIT_S: Final = 3600.0
_STUCK_S: Final = 600.0
_PROBE_GAP_S: Final = 0.25
_SETTLE_S: Final = 200.0
_STOP_S: Final = 5.0


@dataclass
class Run:
    """A run that is over.

    Attributes:
        world: as it was left.
        problems: what was wrong, apart from the outcome.
        log: what the product logged.
        broken: something raised: there is no outcome.
        asked_at: when the first client came after the fault.
        served_at: when a client that came after it had its first answer, and no
            connection from before it was left.
        bytes_out: what the module said meanwhile.
    """

    world: World
    problems: list[str]
    log: list[str]
    asked_at: float = 0.0
    served_at: float | None = None
    bytes_out: int = 0
    broken: bool = False


def play(body: Body, setting: Setting, case: Case, *, calm: bool, probe: bool) -> Run:
    """Run a body in a new world, on virtual time.

    Args:
        body: of the row.
        setting: of the world; its seed throws all dice.
        case: what the body is called with, and what is expected.
        calm: nothing is injected.
        probe: let new clients come after the fault.
    """
    keeper = BugKeeper()
    with _product(setting.seed, keeper):
        clock = trio.testing.MockClock(autojump_threshold=0)
        run: Run = trio.run(_live, body, setting, case, calm, probe, clock=clock)
    run.problems += [f"logged: {bug}" for bug in keeper.bugs]
    run.log += keeper.lines
    return run


async def _live(body: Body, setting: Setting, case: Case, calm: bool, probe: bool) -> Run:
    async with trio.open_nursery() as nursery:
        run = Run(World(nursery, setting, calm=calm), [], [])
        try:
            with trio.fail_after(_WORLD_LIMIT_S):
                async with trio.open_nursery() as supervisor:
                    left = trio.Event()
                    supervisor.start_soon(_supervise, run, left)
                    await _conduct(body, case, run, probe and not calm)
                    await _stop(run, left)
                    supervisor.cancel_scope.cancel()
        except* Exception as group:
            run.problems += [f"raised {error!r}" for error in _leaves(group)]
            run.broken = True
        run.problems += _complaints(run.world)
        nursery.cancel_scope.cancel()
    return run


async def _supervise(run: Run, left: trio.Event) -> None:
    await run.world.lifecycle.supervise()
    left.set()


async def _stop(run: Run, left: trio.Event) -> None:
    if left.is_set():
        run.problems.append("supervise() has returned, and nobody had told it to")
    run.world.lifecycle.stop()
    with trio.move_on_after(_STOP_S):
        await left.wait()
    if not left.is_set():
        run.problems.append(f"supervise() goes on {_STOP_S:.0f} s after stop()")


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _conduct(body: Body, case: Case, run: Run, probe: bool) -> None:
    """Let the body play, probe, and wait until everything is over and at rest."""
    world = run.world
    if world.setting.autostart:
        await world.up()
        await trio.sleep(3)
    tasks = trio.lowlevel.current_statistics().tasks_living
    async with trio.open_nursery() as nursery:
        if probe:
            nursery.start_soon(_probe, run, XA in case.expected)
        bytes_before = world.module.bytes_out
        await body(world, **case.given)
        await world.finish(_STUCK_S)
        if XA not in case.expected:
            world.box.clear()  # who comes now comes after the fault
        world.finished.set()
        run.bytes_out = world.module.bytes_out - bytes_before
        if world.struck_at is None:
            nursery.cancel_scope.cancel()
    world.box.clear()
    await _settle(run, tasks if world.setting.autostart else None)


async def _probe(run: Run, at_once: bool) -> None:
    """Come as new clients come, until one is served."""
    world = run.world
    await (world.struck if at_once else world.finished).wait()
    run.asked_at = trio.current_time()
    with trio.move_on_after(_STUCK_S):
        while run.served_at is None:
            probe = world.probe()
            await probe.over.wait()
            if fate(probe) == "T" and all(c.end for c in world.connections):
                answered_at = probe.opened_at + probe.round_s[0]
                if answered_at >= max((c.ended_at for c in world.connections), default=0):
                    run.served_at = answered_at
            await trio.sleep(_PROBE_GAP_S)


async def _settle(run: Run, tasks: int | None) -> None:
    """Everything that connections took must be given back."""
    world = run.world
    with trio.move_on_after(_SETTLE_S):
        while not _settled(world):  # noqa: ASYNC110
            await trio.sleep(0.1)
    await trio.sleep(3)
    if not _settled(world):
        open_links = [link.number for link in world.module.dce.stack.any_open()]
        run.problems.append(f"links not given back; open in the module: {open_links}")
    now = trio.lowlevel.current_statistics().tasks_living
    if tasks is not None and now > tasks:
        run.problems.append(f"{now - tasks} tasks more than before")


def _settled(world: World) -> bool:
    session = world.lifecycle.gate.session
    closed = not world.module.dce.stack.any_open()
    return session is not None and session.pool.settled and closed


def _complaints(world: World) -> list[str]:
    allowed = world.setting.complaints
    return [
        f"the module complains: {each}"
        for each in world.module.complaints
        if not any(words in each for words in allowed)
    ]


@contextmanager
def _product(seed: int, keeper: BugKeeper) -> Iterator[None]:
    """Patch the kernel below the forwards, seed all dice, and listen to the log."""
    runner = trio._core._run
    random_state, order_state = random.getstate(), runner._r.getstate()
    random.seed(f"product {seed}")
    runner._r.seed(f"order {seed}")
    root = logging.getLogger("modemproxy")
    level, propagate = root.level, root.propagate
    root.setLevel(keeper.wanted)
    root.propagate = False
    root.addHandler(keeper)
    try:
        with mock.patch.object(runner, "_ALLOW_DETERMINISTIC_SCHEDULING", True):
            yield
    finally:
        root.removeHandler(keeper)
        root.setLevel(level)
        root.propagate = propagate
        random.setstate(random_state)
        runner._r.setstate(order_state)

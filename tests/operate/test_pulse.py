"""What counts as work that goes on, and what does not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import trio

from modemproxy.errors import LineClosed
from modemproxy.line.channel import AtChannel
from modemproxy.line.policy import Grant, Offer
from modemproxy.module.condition import Condition, ModuleState
from modemproxy.operate.manager import works
from modemproxy.operate.program import Program
from modemproxy.operate.pulse import Pulse
from tests.module.service import Service, serving


class Worker:
    """A scheduler that does what a test wants."""

    def __init__(self) -> None:
        self.turns = 0
        self.overdue_at = 0.0
        self.wanted = False


class Striver:
    """A lifecycle that does what a test wants."""

    steps = 0
    patience_s = inf


async def looks(
    pulse: Pulse, worker: Worker | None, seconds: int, striver: Striver | None = None
) -> list[bool]:
    """Look each second."""
    seen = []
    for _ in range(seconds):
        seen.append(pulse.is_alive(worker, striver or Striver()))
        await trio.sleep(1)
    return seen


async def test_a_worker_in_a_long_exchange_or_at_rest_is_alive(autojump_clock: object) -> None:
    pulse, worker = Pulse(), Worker()
    worker.overdue_at = trio.current_time() + 78
    assert all(await looks(pulse, worker, 79))
    assert not any(await looks(pulse, worker, 10))
    worker.turns += 1
    worker.overdue_at = trio.current_time() + 1000
    assert all(await looks(pulse, worker, 100))


async def test_a_worker_that_does_not_look_when_it_is_wanted_is_stuck(
    autojump_clock: object,
) -> None:
    pulse, worker = Pulse(), Worker()
    worker.overdue_at = trio.current_time() + 1000
    worker.wanted = True
    assert await looks(pulse, worker, 8) == [True] * 5 + [False] * 3
    worker.turns += 1
    worker.wanted = False
    assert all(await looks(pulse, worker, 8))


async def test_a_new_session_begins_alive(autojump_clock: object) -> None:
    pulse = Pulse()
    assert all(await looks(pulse, None, 500))
    worker = Worker()
    worker.overdue_at = trio.current_time() + 5
    assert all(await looks(pulse, worker, 5))


async def test_an_event_loop_that_was_held_up_is_not(autojump_clock: object) -> None:
    pulse, striver = Pulse(), Striver()
    assert pulse.is_alive(None, striver)
    await trio.sleep(2.5)
    assert not pulse.is_alive(None, striver)
    await trio.sleep(1)
    assert pulse.is_alive(None, striver)


async def test_outside_of_a_session_each_step_has_its_time(autojump_clock: object) -> None:
    pulse, striver = Pulse(), Striver()
    striver.patience_s = 60
    for _ in range(3):
        striver.steps += 1
        assert all(await looks(pulse, None, 60, striver))
    assert await looks(pulse, None, 3, striver) == [True, False, False]


async def test_time_in_a_session_does_not_count_as_time_without_one(
    autojump_clock: object,
) -> None:
    pulse, striver, worker = Pulse(), Striver(), Worker()
    striver.patience_s = 60
    worker.overdue_at = inf
    assert all(await looks(pulse, None, 30, striver))
    assert all(await looks(pulse, worker, 300, striver))
    assert all(await looks(pulse, None, 60, striver))


async def test_a_condition_has_patience_for_pauses_and_for_those_who_have_to_act() -> None:
    condition = Condition()
    usual_s = condition.patience_s
    assert 0 < usual_s < 600
    before = condition.steps
    condition.become(ModuleState.RECOVERING, "no answer", pause_s=360)
    assert condition.patience_s == usual_s + 360
    assert condition.steps != before
    before = condition.steps
    condition.become(ModuleState.RECOVERING, "no answer")  # again
    assert condition.steps != before
    condition.line = cast(AtChannel, SimpleNamespace(commands=1))
    before = condition.steps
    condition.line.commands += 1
    assert condition.steps != before
    for state in (ModuleState.DOWN, ModuleState.STOPPED):
        condition.become(state)
        assert condition.patience_s == inf


class Watched:
    """A lifecycle on an emulated module, looked at each second."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.seen: list[bool] = []

    async def look(self) -> None:
        """Look for ever."""
        program = cast(Program, SimpleNamespace(lifecycle=self.service.lifecycle))
        pulse = Pulse()
        while True:
            self.seen.append(works(program, pulse))
            await trio.sleep(1)

    async def over(self, seconds: float) -> list[bool]:
        """Let time pass; what was seen in it."""
        self.seen.clear()
        await trio.sleep(seconds)
        return list(self.seen)


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watched]:
    """Run a lifecycle, and look at it until the body ends."""
    async with serving(folder) as service, trio.open_nursery() as nursery:
        found = Watched(service)
        nursery.start_soon(found.look)
        yield found
        nursery.cancel_scope.cancel()


class StuckLink:
    """A link whose next exchange never ends."""

    def offer(self, now: float) -> Offer:
        """Say that there is something to read."""
        return Offer(read=100)

    async def exchange(self, grant: Grant) -> int:
        """Hang."""
        await trio.Event().wait()
        return 0


def lasting(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Mark a test that takes hours of virtual time."""
    test.time_limited = True  # type: ignore[attr-defined]
    return test


@lasting
async def test_a_module_that_falls_silent_for_hours_is_no_trip(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with watched(tmp_path) as w:
        await w.service.session(60)
        assert all(await w.over(600))
        w.service.mute()
        assert all(await w.over(2 * 3600))
        w.service.mute(on=False)
        await w.service.session(600)
        assert all(await w.over(60))


@lasting
async def test_a_module_that_is_not_there_is_no_trip(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with watched(tmp_path) as w:
        w.service.missing = True
        assert all(await w.over(2 * 3600))


@lasting
async def test_a_module_that_starts_again_and_again_is_no_trip(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with watched(tmp_path) as w:
        await w.service.session(60)
        for _ in range(60):
            w.service.module.reboot()
            assert all(await w.over(45))


@lasting
async def test_an_exchange_that_never_ends_is_one(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with watched(tmp_path) as w:
        session = await w.service.session(60)
        session.scheduler.add(99, StuckLink(), 1)
        assert all(await w.over(60))
        await trio.sleep(30)
        assert not any(await w.over(600))
        session.scheduler.channel.abort(LineClosed("over"))


@lasting
async def test_a_bring_up_that_never_ends_is_one(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with watched(tmp_path) as w:
        session = await w.service.session(60)
        gone = trio.CancelScope()

        async def hang() -> None:
            with gone:
                await trio.sleep_forever()
            raise LineClosed("no such device")

        w.service.lifecycle._open_port = hang  # type: ignore[assignment]
        session.scheduler.channel.abort(LineClosed("unplugged"))
        assert all(await w.over(240))
        await trio.sleep(120)
        assert not any(await w.over(600))
        gone.cancel()

"""The place where a task of the line waits: woken, in time, cancelled, and never twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

import pytest
import trio
import trio.testing

from modemproxy.line.wakeup import Wakeup

pytestmark = pytest.mark.usefixtures("autojump_clock")


class Waiter:
    """A task that waits once, and when it stopped."""

    def __init__(self, wakeup: Wakeup, until: float, *, shield: bool = True) -> None:
        self.ended_at: float | None = None
        self.scope = trio.CancelScope()
        self._wakeup = wakeup
        self._until = until
        self._shield = shield

    async def run(self) -> None:
        with self.scope:
            await self._wakeup.wait(self._until, shield=self._shield)
            self.ended_at = trio.current_time()


class Place:
    """A Wakeup that keeps time, and a nursery for those who wait at it."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.wakeup = Wakeup()
        self._nursery = nursery
        self.start = trio.current_time()

    async def waiter(self, seconds: float = inf, *, shield: bool = True) -> Waiter:
        """Have a task wait so long from the beginning; it waits when this returns."""
        waiter = Waiter(self.wakeup, self.start + seconds, shield=shield)
        self._nursery.start_soon(waiter.run)
        await trio.testing.wait_all_tasks_blocked()
        return waiter

    def took_s(self, waiter: Waiter) -> float:
        assert waiter.ended_at is not None
        return waiter.ended_at - self.start


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    async with trio.open_nursery() as nursery:
        p = Place(nursery)
        nursery.start_soon(p.wakeup.keep_time)
        await trio.testing.wait_all_tasks_blocked()
        yield p
        nursery.cancel_scope.cancel()


async def test_a_wait_ends_at_its_time() -> None:
    async with place() as p:
        waiter = await p.waiter(5)
        await trio.sleep(4.9)
        assert waiter.ended_at is None
        await trio.sleep(10)
        assert p.took_s(waiter) == pytest.approx(5)


async def test_a_wait_until_a_time_that_is_past_ends_at_once() -> None:
    async with place() as p:
        await trio.sleep(3)
        waiter = await p.waiter(1)
        assert p.took_s(waiter) == pytest.approx(3)


async def test_a_wait_without_an_end_lasts_until_it_is_woken() -> None:
    async with place() as p:
        waiter = await p.waiter()
        await trio.sleep(500)
        assert waiter.ended_at is None
        p.wakeup.wake()
        await trio.testing.wait_all_tasks_blocked()
        assert p.took_s(waiter) == pytest.approx(500)


async def test_being_woken_before_the_wait_counts_for_nothing() -> None:
    async with place() as p:
        p.wakeup.wake()
        waiter = await p.waiter(2)
        await trio.sleep(1)
        assert waiter.ended_at is None
        await trio.sleep(5)
        assert p.took_s(waiter) == pytest.approx(2)


async def test_woken_twice_is_woken_once() -> None:
    async with place() as p:
        first = await p.waiter(9)
        p.wakeup.wake()
        p.wakeup.wake()
        second = await p.waiter(4)
        await trio.sleep(20)
        assert p.took_s(first) == 0
        assert p.took_s(second) == pytest.approx(4)


async def test_the_time_of_an_earlier_wait_does_not_end_a_later_one() -> None:
    async with place() as p:
        await p.waiter(1)
        p.wakeup.wake()
        later = await p.waiter(7)
        await trio.sleep(20)
        assert p.took_s(later) == pytest.approx(7)


async def test_an_earlier_time_counts_after_a_later_one() -> None:
    async with place() as p:
        await p.waiter(50)
        p.wakeup.wake()
        sooner = await p.waiter(2)
        await trio.sleep(100)
        assert p.took_s(sooner) == pytest.approx(2)


async def test_a_wait_can_be_made_shorter_but_not_longer() -> None:
    async with place() as p:
        waiter = await p.waiter(10)
        p.wakeup.hasten(p.start + 30)
        p.wakeup.hasten(p.start + 3)
        p.wakeup.hasten(p.start + 6)
        await trio.sleep(50)
        assert p.took_s(waiter) == pytest.approx(3)


async def test_a_wait_can_be_ended_by_a_time_that_is_past() -> None:
    async with place() as p:
        waiter = await p.waiter(10)
        await trio.sleep(2)
        p.wakeup.hasten(p.start + 1)
        await trio.sleep(1)
        assert p.took_s(waiter) == pytest.approx(2)


async def test_a_shielded_wait_is_cancelled_behind_its_end() -> None:
    async with place() as p:
        waiter = await p.waiter(5)
        waiter.scope.cancel()
        await trio.sleep(4)
        assert waiter.ended_at is None
        assert not waiter.scope.cancelled_caught
        await trio.sleep(10)
        assert p.took_s(waiter) == pytest.approx(5)


async def test_a_wait_without_a_shield_is_cancelled_at_once() -> None:
    async with place() as p:
        waiter = await p.waiter(5, shield=False)
        waiter.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert waiter.scope.cancelled_caught
        p.wakeup.wake()  # nobody is there: nobody may be disturbed
        after = await p.waiter(8)
        await trio.sleep(20)
        assert p.took_s(after) == pytest.approx(8)


async def test_woken_and_cancelled_in_the_same_turn() -> None:
    async with place() as p:
        waiter = await p.waiter(5, shield=False)
        p.wakeup.wake()
        waiter.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert p.took_s(waiter) == 0


async def test_time_is_kept_for_a_wait_that_began_before_it_was() -> None:
    async with trio.open_nursery() as nursery:
        p = Place(nursery)
        waiter = await p.waiter(3)
        nursery.start_soon(p.wakeup.keep_time)
        await trio.sleep(10)
        assert p.took_s(waiter) == pytest.approx(3)
        nursery.cancel_scope.cancel()


async def test_a_thousand_waits_cost_hardly_an_alarm() -> None:
    async with place() as p:
        before = trio.lowlevel.current_statistics()
        for turn in range(1000):
            waiter = await p.waiter(1e6 + turn)
            p.wakeup.wake()
            await trio.testing.wait_all_tasks_blocked()
            assert waiter.ended_at is not None
        after = trio.lowlevel.current_statistics()
        assert after.tasks_living == before.tasks_living
        assert p.start == trio.current_time()

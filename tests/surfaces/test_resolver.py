"""Names: remembered for a while, asked once at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import trio

from modemproxy.errors import LookupFailed, NetworkError
from modemproxy.surfaces.resolver import NotFound, Resolver, Unavailable

pytestmark = pytest.mark.usefixtures("autojump_clock")


class FakeModule:
    """A session's resolver, and the gate in front of it."""

    def __init__(self) -> None:
        self.names: dict[str, list[str] | Exception] = {"a.example": ["192.0.2.1"]}
        self.asked: list[str] = []
        self.delay_s = 1.0
        self.up = trio.Event()
        self.up.set()

    async def wait_session(self) -> "FakeModule":
        await self.up.wait()
        return self

    async def resolve(self, name: str) -> list[str]:
        self.asked.append(name)
        await trio.sleep(self.delay_s)
        found = self.names.get(name, LookupFailed(name, "DNS general error", 10))
        if isinstance(found, Exception):
            raise found
        return found


class Scene:
    def __init__(self, tasks: trio.Nursery) -> None:
        self.tasks = tasks
        self.module = FakeModule()
        self.resolver = Resolver(cast(Any, self.module))

    async def look_up(self, name: str = "a.example") -> tuple[tuple[str, ...], int]:
        return await self.resolver.look_up(name, self.tasks)


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with trio.open_nursery() as nursery:
        yield Scene(nursery)
        nursery.cancel_scope.cancel()


async def test_an_address_holds_for_a_minute() -> None:
    async with scene() as s:
        assert await s.look_up() == (("192.0.2.1",), 60)
        await trio.sleep(50)
        assert await s.look_up() == (("192.0.2.1",), 10)
        await trio.sleep(9.5)
        assert await s.look_up() == (("192.0.2.1",), 1)
        await trio.sleep(0.6)
        s.module.names["a.example"] = ["192.0.2.2"]
        assert await s.look_up() == (("192.0.2.2",), 60)
        assert len(s.module.asked) == s.resolver.asked == 2


async def test_not_found_holds_for_ten_seconds() -> None:
    async with scene() as s:
        for _ in range(5):
            with pytest.raises(NotFound):
                await s.look_up("b.example")
        assert s.module.asked == ["b.example"]
        await trio.sleep(10)
        s.module.names["b.example"] = ["192.0.2.3"]
        assert (await s.look_up("b.example"))[0] == ("192.0.2.3",)


@pytest.mark.parametrize(
    "failure",
    [LookupFailed("a.example", "no answer"), NetworkError("gone"), ValueError("a bug")],
)
async def test_other_failures_are_not_remembered(failure: Exception) -> None:
    async with scene() as s:
        s.module.names["a.example"] = failure
        for _ in range(2):
            with pytest.raises(Unavailable):
                await s.look_up()
        assert len(s.module.asked) == 2


async def test_those_who_ask_at_once_get_one_answer_even_when_the_first_gives_up() -> None:
    async with scene() as s:
        got: list[tuple[str, ...]] = []

        async def ask(patience_s: float) -> None:
            with trio.move_on_after(patience_s):
                got.append((await s.look_up())[0])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, 0.1)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(20):
                nursery.start_soon(ask, 60)
        assert got == [("192.0.2.1",)] * 20
        assert s.module.asked == ["a.example"]


async def test_without_service_a_question_waits_four_seconds() -> None:
    async with scene() as s:
        s.module.up = trio.Event()
        with pytest.raises(Unavailable, match="not in service"):
            await s.look_up()
        assert trio.current_time() == 4
        assert s.resolver.asked == 0


async def test_too_many_names_at_once_are_refused_and_the_others_answered() -> None:
    async with scene() as s:
        answered = refused = 0

        async def ask(number: int) -> None:
            nonlocal answered, refused
            try:
                await s.look_up(f"{number}.example")
            except NotFound:
                answered += 1
            except Unavailable:
                refused += 1

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(ask, number)
        assert (answered, refused) == (32, 68)


async def test_memory_is_bounded() -> None:
    async with scene() as s:
        s.module.delay_s = 0
        for number in range(1500):
            with pytest.raises(NotFound):
                await s.look_up(f"{number}.example")
            await trio.sleep(0.001)
        assert len(s.resolver._known) == 1000


async def test_a_stop_ends_who_waits() -> None:
    async with scene() as s:
        s.module.delay_s = 1000
        told: list[str] = []

        async def ask() -> None:
            with trio.CancelScope(shield=True):
                try:
                    await s.look_up()
                except Unavailable as error:
                    told.append(str(error))

        async with trio.open_nursery() as s.tasks:
            s.tasks.start_soon(ask)
            await trio.sleep(1)
            s.tasks.cancel_scope.cancel()
        assert told == ["the proxy is stopping"]

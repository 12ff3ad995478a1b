"""Failed logins cost time."""

import pytest
import trio

from modemproxy.surfaces.access import Denied
from modemproxy.surfaces.logins import Logins

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_each_failure_costs_a_second() -> None:
    logins = Logins()
    for expected in (1, 2, 3):
        logins.check("192.0.2.1")
        await logins.penalise("192.0.2.1")
        assert trio.current_time() == expected


async def test_guesses_side_by_side_queue_and_then_are_not_let_in() -> None:
    logins = Logins()
    answered: list[float] = []

    async def guess() -> None:
        await logins.penalise("192.0.2.1")
        answered.append(trio.current_time())

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            logins.check("192.0.2.1")
            nursery.start_soon(guess)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Denied, match="too many"):
            logins.check("192.0.2.1")
        logins.check("192.0.2.2")
    assert answered == list(range(1, 11))
    logins.check("192.0.2.1")


async def test_a_flood_of_addresses_is_not_remembered_for_ever() -> None:
    logins = Logins()
    async with trio.open_nursery() as nursery:
        for number in range(3000):
            nursery.start_soon(logins.penalise, f"192.0.2.{number}")
    assert len(logins._due) == 1000

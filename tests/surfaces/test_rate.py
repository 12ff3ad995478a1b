"""A limit in bytes a second."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.surfaces.rate import Rate

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_no_limit_never_waits_and_cuts_nothing(autojump_clock: MockClock) -> None:
    rate = Rate()
    assert rate.piece(1460) == 1460
    for _ in range(1000):
        await rate.pay(10**9)
        assert rate.may_pass(10**9)
    assert trio.current_time() == 0


@pytest.mark.parametrize("piece", [1, 100, 1460])
async def test_a_limit_holds_over_time(autojump_clock: MockClock, piece: int) -> None:
    rate = Rate(1000)
    for _ in range(20_000 // piece):
        await rate.pay(piece)
    assert trio.current_time() == pytest.approx(20, abs=1.6)


async def test_a_pause_allows_a_quarter_of_a_second_of_it_at_once() -> None:
    rate = Rate(1000)
    await trio.sleep(60)
    started = trio.current_time()
    await rate.pay(250)
    assert trio.current_time() == started
    await rate.pay(1000)
    assert trio.current_time() == pytest.approx(started + 1)


async def test_those_who_share_a_limit_share_it_evenly() -> None:
    rate = Rate(10_000)
    moved = [0, 0, 0]

    async def mover(index: int) -> None:
        while True:
            moved[index] += 500
            await rate.pay(500)

    with trio.move_on_after(30):
        async with trio.open_nursery() as nursery:
            for index in range(3):
                nursery.start_soon(mover, index)
    assert sum(moved) == pytest.approx(300_000, rel=0.02)
    assert max(moved) - min(moved) <= 5000


async def test_what_was_cancelled_is_paid_for_all_the_same() -> None:
    rate = Rate(1000)
    with trio.move_on_after(0.1):
        await rate.pay(5000)
    await rate.pay(1)
    assert trio.current_time() == pytest.approx(4.75, abs=0.01)


async def test_those_who_drop_what_is_not_due_pass_as_much() -> None:
    rate = Rate(1000)
    passed = 0
    for _ in range(1000):
        passed += 100 * rate.may_pass(100)
        await trio.sleep(0.02)
    assert passed == pytest.approx(20_000, rel=0.05)


def test_pieces_are_paid_for_in_a_quarter_of_a_second() -> None:
    assert Rate(1000).piece(1460) == 250
    assert Rate(10).piece(1460) == 64
    assert Rate(10).piece(50) == 50
    assert Rate(10**6).piece(1460) == 1460

"""The ten link numbers: taken from 9 downwards, given back only when they are clean."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.output import Piece
from modemproxy.errors import NoFreeLink

from .rig import HOSTILE, Rig, exchange, rig

pytestmark = pytest.mark.timeout(20)


async def hold(r: Rig, nursery: trio.Nursery, count: int) -> list[int]:
    """Open links that stay open until ``nursery`` ends; return their numbers."""
    numbers: list[int] = []

    async def one(task_status: trio.TaskStatus[None]) -> None:
        async with r.link() as link:
            numbers.append(link.number)
            task_status.started()
            await trio.sleep_forever()

    for _ in range(count):
        await nursery.start(one)
    return numbers


async def test_numbers_are_taken_from_nine_downwards(autojump_clock: MockClock) -> None:
    async with rig() as r:
        async with trio.open_nursery() as nursery:
            assert await hold(r, nursery, 10) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
            nursery.cancel_scope.cancel()
        await r.settle()


@pytest.mark.parametrize("queue_s", [0, 5])
async def test_an_eleventh_client_waits_and_is_then_refused(
    autojump_clock: MockClock, queue_s: float
) -> None:
    async with rig() as r:
        async with trio.open_nursery() as nursery:
            await hold(r, nursery, 10)
            started = trio.current_time()
            with pytest.raises(NoFreeLink):
                async with r.link(queue_s=queue_s):
                    pass
            assert trio.current_time() - started == pytest.approx(queue_s, abs=0.1)
            nursery.cancel_scope.cancel()
        await r.settle()


async def test_an_eleventh_client_gets_the_number_that_is_freed(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        async with trio.open_nursery() as nursery:
            await hold(r, nursery, 9)
            done: list[bytes] = []

            async def eleventh() -> None:
                async with r.link() as link:
                    assert link.number == 0
                    done.append(await exchange(link, HOSTILE))

            async with r.link() as last:
                assert last.number == 0
                nursery.start_soon(eleventh)
                await trio.sleep(3)
                assert not done
            await trio.sleep(3)
            assert done == [HOSTILE]
            nursery.cancel_scope.cancel()
        await r.settle()


async def test_the_queue_is_served_in_order_and_survives_those_who_leave(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        order: list[int] = []

        async def client(index: int, patience_s: float) -> None:
            with trio.move_on_after(patience_s):
                async with r.link(queue_s=100):
                    order.append(index)
                    await trio.sleep(1)

        async with trio.open_nursery() as nursery:
            for index in range(10):
                nursery.start_soon(client, index, 100)
            await trio.sleep(0.5)
            for index in range(10, 20):
                nursery.start_soon(client, index, 0.1 if index % 2 else 100)
                await trio.testing.wait_all_tasks_blocked()
        assert order[10:] == [10, 12, 14, 16, 18]
        await r.settle()


async def test_a_cancelled_open_is_closed_in_the_module(autojump_clock: MockClock) -> None:
    async with rig(open_delay_s=20) as r:
        sink = r.sink()
        with trio.move_on_after(5):
            async with r.link(port=9):
                pytest.fail("it is not open yet")
        assert r.session.pool.in_use == 1
        await r.settle()
        assert len(sink.streams) == 1
        async with r.link(port=9) as link:
            assert link.number == 9


async def test_a_late_success_of_an_open_that_was_given_up_is_closed_again(
    autojump_clock: MockClock,
) -> None:
    async with rig(open_delay_s=20, close_while_opening="error") as r:
        sink = r.sink()
        with trio.move_on_after(5):
            async with r.link(port=9):
                pytest.fail("it is not open yet")
        await trio.sleep(10)
        assert r.session.pool.in_use == 1
        await r.settle()
        assert trio.current_time() < 40
        assert sink.ended == [True]
        assert bytes(sink.received[0]) == b""


async def test_an_open_whose_result_is_lost_is_refused_and_cleaned_up(
    autojump_clock: MockClock,
) -> None:
    async with rig(connect_s=10) as r:
        r.sink()

        def tap(piece: Piece, data: bytes) -> bytes:
            return b"" if b"+CIPOPEN: 9," in data else data

        r.module.dce.out.tap = tap
        with trio.move_on_after(11) as scope:
            async with r.link(port=9):
                pytest.fail("nobody said so")
        assert scope.cancelled_caught
        r.module.dce.out.tap = None
        await r.settle()


@pytest.mark.parametrize("connected", [True, False])
async def test_a_ghost_under_the_number_is_closed_and_the_open_repeated(
    autojump_clock: MockClock, connected: bool
) -> None:
    async with rig() as r:
        ghost = r.module.dce.stack.new_tcp(9)

        async def silent(stream: FarStream) -> None:
            await trio.sleep_forever()

        r.listen(silent, 99)
        r.module.dce.stack.connect(ghost, "far.example.com", 99)
        ghost.preload(b"stale")
        if not connected:
            ghost.on_closed = lambda _link: None
            ghost.ended(reset=False)
        async with r.link() as link:
            assert link.number == 9
            if connected:
                assert await exchange(link, HOSTILE) == HOSTILE
        await r.settle()


async def test_a_ghost_whose_close_was_given_up_keeps_its_number_until_it_is_closed(
    autojump_clock: MockClock,
) -> None:
    async with rig(close_delay_s=8) as r:
        ghost = r.module.dce.stack.new_tcp(9)
        r.module.dce.stack.connect(ghost, "far.example.com", 7)
        with trio.move_on_after(2):
            async with r.link():
                pytest.fail("it is not closed yet")
        assert r.session.pool.in_use == 1
        async with r.link() as link:
            assert link.number == 8
        await r.settle()


@pytest.mark.parametrize("order", ["after_ok", "before_ok"])
@pytest.mark.parametrize("far_closes", [True, False])
async def test_bytes_nobody_read_never_reach_the_next_connection(
    autojump_clock: MockClock, order: str, far_closes: bool
) -> None:
    async with rig(stale_data_after_reuse=True, close_result=order) as r:

        async def talk(stream: FarStream) -> None:
            await stream.send_all(b"stale" * 3000)
            if not far_closes:
                await stream.receive_some()

        r.listen(talk, 80)
        for _ in range(5):
            async with r.link(port=80) as link:
                assert link.number == 9
                assert await link.receive_some()
            await r.settle()
            async with r.link() as link:
                assert link.number == 9
                assert await exchange(link, HOSTILE) == HOSTILE
            await r.settle()

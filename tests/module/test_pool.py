"""The ten link numbers: taken from 9 downwards, given back only when they are clean."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.output import Piece
from modemproxy.errors import LinkRefused, NoFreeLink

from .rig import HOSTILE, Rig, exchange, read_all, rig

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
        preset = r.module.preset

        async def silent(stream: FarStream) -> None:
            await trio.sleep_forever()

        r.listen(silent, 99)
        r.module.dce.stack.connect(ghost, "far.example.com", 99)
        ghost.preload(b"stale")
        assert preset is not None
        if not connected:
            ghost.on_closed = lambda _link: None
            ghost.ended(reset=False)
        async with r.link() as link:
            assert link.number == 9
            if connected:
                assert await exchange(link, HOSTILE) == HOSTILE
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


@pytest.mark.parametrize(
    ("host", "port", "code", "limit_s"),
    [
        ("far.example.com", 81, 4, 5),
        ("unknown.example.com", 80, 11, 5),
        ("silent.example.com", 80, 10, 31),
    ],
)
@pytest.mark.parametrize("order", ["after_ok", "before_ok"])
async def test_a_destination_that_cannot_be_reached_is_refused_by_its_number(
    autojump_clock: MockClock, host: str, port: int, code: int, limit_s: float, order: str
) -> None:
    async with rig(connect_s=30, open_result=order) as r:
        r.internet.add_silent("silent.example.com")
        with trio.fail_after(limit_s), pytest.raises(LinkRefused) as caught:
            async with r.link(host, port):
                pytest.fail("open")
        assert caught.value.code == code
        await r.settle()
        async with r.link() as link:
            assert await exchange(link, HOSTILE) == HOSTILE


@pytest.mark.parametrize("code", [1, 3, 5, 6, 8, 9, 12])
async def test_every_result_of_an_open_is_a_refusal(
    autojump_clock: MockClock, code: int
) -> None:
    async with rig(refused_err=code) as r:
        with trio.fail_after(5), pytest.raises(LinkRefused) as caught:
            async with r.link(port=81):
                pytest.fail("open")
        assert caught.value.code == code
        await r.settle()


@pytest.mark.parametrize(
    "options", [{}, {"close_delay_s": 8.0}, {"closed_link_query": "error"}], ids=str
)
async def test_a_hundred_connections_leave_nothing_behind(
    autojump_clock: MockClock, options: dict[str, Any]
) -> None:
    async with rig(**options) as r:

        async def talk(stream: FarStream) -> None:
            await stream.send_all(b"x" * 3000)

        r.listen(talk, 80)

        async def one(index: int) -> None:
            async with r.link(port=80, queue_s=600) as link:
                if index % 3 == 0:
                    assert await read_all(link) == b"x" * 3000
                elif index % 3 == 1:
                    await link.receive_some()

        async with trio.open_nursery() as nursery:
            for index in range(100):
                nursery.start_soon(one, index)
        await r.settle()
        assert all(link is None or not link.is_open for link in r.module.dce.stack.links)


async def test_a_close_whose_result_is_lost_frees_the_number_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:

        def tap(piece: Piece, data: bytes) -> bytes:
            return b"" if b"+CIPCLOSE: 9,0" in data else data

        async with r.link():
            r.module.dce.out.tap = tap
        with trio.fail_after(10):
            await r.settle()


async def test_a_far_client_that_nobody_asked_for_is_closed_again(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        r.module.dce.stack.listen(0, 8080)
        stream = r.internet.connect_to_server(8080)
        assert await stream.receive_some() == b""
        await r.settle()


async def test_a_host_name_that_could_leave_its_quotes_opens_nothing(
    autojump_clock: MockClock,
) -> None:
    from modemproxy.errors import LocalProtocolError

    async with rig() as r:
        with pytest.raises(LocalProtocolError):
            async with r.link('x",1\r\nAT+NETCLOSE\r'):
                pytest.fail("open")
        await r.settle()
        async with r.link() as link:
            assert await exchange(link, HOSTILE) == HOSTILE


async def test_the_end_of_the_session_wakes_everybody_who_waits(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        r.internet.add_silent("silent.example.com")
        outcomes: list[str] = []

        async def opening() -> None:
            with pytest.raises(LinkRefused):
                async with r.link("silent.example.com"):
                    pytest.fail("open")
            outcomes.append("opening")

        async def queued() -> None:
            with pytest.raises(NoFreeLink):
                async with r.link(queue_s=100):
                    pytest.fail("open")
            outcomes.append("queued")

        async def reading() -> None:
            async with r.link() as link:
                with pytest.raises(trio.BrokenResourceError):
                    await link.receive_some()
            outcomes.append("reading")

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(reading)
            nursery.start_soon(opening)
            await trio.sleep(1)
            nursery.start_soon(opening)
            await trio.sleep(1)
            nursery.start_soon(queued)
            await trio.sleep(1)
            with trio.fail_after(1):
                r.module.lose_network()
                await r.ended.wait()
        assert sorted(outcomes) == ["opening"] * 2 + ["queued"] + ["reading"] * 8
        with pytest.raises(NoFreeLink):
            async with r.link():
                pytest.fail("open")

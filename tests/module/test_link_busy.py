"""Busy modules, far sides that do not read, prompts and payloads that get lost."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.output import Piece

from .rig import HOSTILE, Far, exchange, rig, until
from .sends import BULK, BUSY, assert_reset, replacing, send_out

pytestmark = pytest.mark.timeout(20)


async def test_thirty_percent_busy_costs_time_only(autojump_clock: MockClock) -> None:
    async with rig(seed=7) as r:
        count = 0

        def tap(data: bytes) -> bytes:
            nonlocal count
            if data.startswith(b"AT+CIPSEND="):
                count += 1
                if count % 10 in (2, 5, 6):
                    r.module.dce.out.tap = replacing(b"+CIPERROR: 3", BUSY)
                    return b"AT+CIPSEND=99,1\r"
            return data

        r.module.dce.input.tap = tap
        async with r.link() as link:
            assert await exchange(link, BULK) == BULK
        await r.settle()
        assert count > 15


async def test_a_link_that_is_busy_for_20_s_holds_up_itself_only(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        sink = r.sink()
        busy = True

        def tap(data: bytes) -> bytes:
            if busy and data.startswith(b"AT+CIPSEND=9,"):
                r.module.dce.out.tap = replacing(b"+CIPERROR: 3", BUSY)
                return b"AT+CIPSEND=99,1\r"
            return data

        r.module.dce.input.tap = tap
        async with r.link(port=9) as held, r.link() as other, trio.open_nursery() as nursery:
            nursery.start_soon(held.send_all, BULK[:6000])
            for _ in range(20):
                started = trio.current_time()
                assert await exchange(other, HOSTILE) == HOSTILE
                assert trio.current_time() - started < 0.5
                await trio.sleep_until(started + 1)
            assert held.reset is None
            busy = False
            with trio.fail_after(5):
                await held.wait_delivered()
        await r.settle()
        assert bytes(sink.received[0]) == BULK[:6000]


async def test_a_link_that_is_busy_for_ever_is_reset_after_its_stall_limit(
    autojump_clock: MockClock,
) -> None:
    async with rig(stall_s=25) as r:
        r.sink()

        def tap(data: bytes) -> bytes:
            if data.startswith(b"AT+CIPSEND=9,"):
                r.module.dce.out.tap = replacing(b"+CIPERROR: 3", BUSY)
                return b"AT+CIPSEND=99,1\r"
            return data

        r.module.dce.input.tap = tap
        async with r.link(port=9) as link:
            with trio.fail_after(35):
                await assert_reset(link, BULK[:6000], "no progress for 25 s")
            assert trio.current_time() > 25


async def test_a_far_side_that_stops_reading_is_healthy_until_the_stall_limit(
    autojump_clock: MockClock,
) -> None:
    async with rig(window_bytes=2000, send_buffer_bytes=4000, stall_s=300) as r:
        go = trio.Event()
        got = bytearray()

        async def handler(stream: object) -> None:
            await go.wait()
            async for data in stream:  # type: ignore[attr-defined]
                got.extend(data)

        r.listen(handler, 80)
        async with r.link(port=80) as slow, r.link() as other, trio.open_nursery() as nursery:
            nursery.start_soon(slow.send_all, BULK)
            await trio.sleep(200)
            assert await exchange(other, HOSTILE) == HOSTILE
            assert slow.reset is None
            go.set()
            await until(lambda: slow.outbound.delivered and len(got) == len(BULK), 30)
        await r.settle()
        assert bytes(got) == BULK


async def test_all_links_busy_for_20_s_lose_nothing_and_go_on_reading(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        busy = True

        def tap(data: bytes) -> bytes:
            if busy and data.startswith(b"AT+CIPSEND="):
                r.module.dce.out.tap = replacing(b"+CIPERROR: 3", BUSY)
                return b"AT+CIPSEND=99,1\r"
            return data

        talker = Far()

        async def speak(stream: object) -> None:
            await talker.read_to_end(stream)  # type: ignore[arg-type]

        r.listen(speak, 81)
        results: list[bool] = []

        async def one() -> None:
            async with r.link() as link:
                results.append(await exchange(link, HOSTILE * 4) == HOSTILE * 4)

        async with r.link(port=81) as reader, trio.open_nursery() as nursery:
            r.module.dce.input.tap = tap
            for _ in range(5):
                nursery.start_soon(one)
            await trio.sleep(19)
            await talker.streams[0].send_all(b"news")
            with trio.fail_after(1):
                assert await reader.receive_some() == b"news"
            busy = False
        assert results == [True] * 5


async def test_a_prompt_four_seconds_late_is_waited_for(autojump_clock: MockClock) -> None:
    async with rig(prompt_latency_s=4) as r, r.link() as link:
        assert await exchange(link, b"hello") == b"hello"


async def test_a_send_command_that_was_lost_is_repeated(autojump_clock: MockClock) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            lost = 0

            def tap(data: bytes) -> bytes:
                nonlocal lost
                if data.startswith(b"AT+CIPSEND=9,") and not lost:
                    lost += 1
                    return b""
                return data

            r.module.dce.input.tap = tap
            with trio.fail_after(7):
                await send_out(link, b"payload of some length")
            assert lost == 1
        await r.settle()
        assert bytes(sink.received[0]) == b"payload of some length"


async def test_a_prompt_that_never_comes_is_reset_on_the_third_time(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link, r.link() as other:
            r.module.dce.input.tap = lambda data: b"" if b"+CIPSEND=9," in data else data
            with trio.fail_after(20):
                await assert_reset(link, b"payload of some length", "cannot send")
            assert await exchange(other, HOSTILE) == HOSTILE
        await r.settle()
        assert bytes(sink.received[0]) == b""


@pytest.mark.parametrize("size", [1, 3, 4, 500])
async def test_a_prompt_that_got_lost_never_makes_a_probe_reach_the_far_side(
    autojump_clock: MockClock, size: int
) -> None:
    async with rig(complaints=True) as r:
        sink = r.sink()
        async with r.link(port=9) as link, r.link() as other:

            def tap(piece: Piece, data: bytes) -> bytes:
                return b"" if piece is Piece.PROMPT else data

            r.module.dce.out.tap = tap
            with trio.fail_after(60):
                await assert_reset(link, b"p" * size)
            r.module.dce.out.tap = None
            assert await exchange(other, HOSTILE) == HOSTILE
        await r.settle()
        assert bytes(sink.received[0]) == b""


@pytest.mark.parametrize("lost", [1, 50, 499])
async def test_payload_bytes_lost_towards_the_module_reset_the_link_and_reach_nobody(
    autojump_clock: MockClock, lost: int
) -> None:
    async with rig(complaints=True) as r:
        sink = r.sink()
        async with r.link(port=9) as link, r.link() as other:
            r.module.dce.input.tap = lambda data: data[lost:] if data == b"p" * 500 else data
            with trio.fail_after(60):
                await assert_reset(link, b"p" * 500, "unknown")
            assert await exchange(other, HOSTILE) == HOSTILE
        await r.settle()
        assert bytes(sink.received[0]) == b""


async def test_a_full_send_buffer_is_never_filled_twice(autojump_clock: MockClock) -> None:
    async with rig(send_buffer_bytes=3000, wan_latency_s=0.3, wan_rate_bytes_s=20000) as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            await send_out(link, BULK)
        await r.settle()
        assert bytes(sink.received[0]) == BULK


async def test_a_network_that_is_closed_under_a_send_ends_the_session(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        r.sink()
        async with r.link(port=9) as link:
            r.module.lose_network(urc=False)
            with trio.fail_after(2):
                await assert_reset(link, b"hello", "closed")
            await r.ended.wait()
            assert "network" in str(r.failure)

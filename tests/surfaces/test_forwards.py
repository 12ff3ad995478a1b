"""What clients of a forward see, on real sockets: FIN is a promise, RST the truth."""

import random
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream

from .stand import Stand, end_of, forward, reset, stand, until

pytestmark = pytest.mark.timeout(40)

BULK = random.Random(1).randbytes(20_000)


def speaks(s: Stand, data: bytes, *, wait_for: int = 0, pause_s: float = 0) -> None:
    """Have the far host take some bytes, speak and close."""

    async def handler(stream: FarStream) -> None:
        got = b""
        while len(got) < wait_for:
            got += await stream.receive_some()
        await trio.sleep(pause_s)
        await stream.send_all(data)

    s.play(80, handler)


async def echo(stream: FarStream) -> None:
    async for data in stream:
        await stream.send_all(data)


async def test_a_refused_destination_is_a_reset_and_never_a_fin(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path) as s:
        for _ in range(3):
            assert await end_of(await s.connect()) == (b"", "RST")
        await s.wait_free()


async def test_an_unknown_destination_is_a_reset(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path) as s:
        client = await s.connect()
        await client.send_all(b"hello")
        assert await end_of(client) == (b"", "RST")


async def test_20_kb_and_a_far_close_are_20_kb_and_a_fin(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path) as s:
        speaks(s, BULK)
        for _ in range(5):
            async with await s.connect() as client:
                assert await end_of(client) == (BULK, "FIN")
        await s.wait_free()


async def test_a_request_its_answer_and_a_close_end_with_a_fin(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, wan_latency_s=0.05) as s:
        speaks(s, BULK, wait_for=18)
        async with await s.connect() as client:
            await client.send_all(b"GET / HTTP/1.1\r\n\r\n")
            assert await end_of(client) == (BULK, "FIN")


async def test_a_client_that_half_closes_gets_its_slow_answer(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path) as s:
        speaks(s, BULK, wait_for=8, pause_s=20)
        async with await s.connect() as client:
            await client.send_all(b"question")
            await client.send_eof()
            assert await end_of(client) == (BULK, "FIN")
        await s.wait_free()


async def test_a_client_that_half_closes_is_let_go_in_order_when_no_answer_comes(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, forward(half_close_s=10)) as s:

        async def silent(stream: FarStream) -> None:
            await s.take(stream)
            await trio.sleep_forever()

        s.play(80, silent)
        async with await s.connect() as client:
            await client.send_all(b"question")
            await client.send_eof()
            started = trio.current_time()
            assert await end_of(client) == (b"", "FIN")
            assert trio.current_time() - started == pytest.approx(10, abs=1.5)
        await s.wait_free()
        assert s.received == [b"question"]
        assert s.far_ends == ["FIN"]


async def test_a_client_that_sends_50_kb_and_closes_has_sent_50_kb(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    data = random.Random(2).randbytes(50_000)
    async with stand(tmp_path, wan_latency_s=0.05, send_buffer_bytes=8000) as s:

        async def handler(stream: FarStream) -> None:
            await s.take(stream)

        s.play(80, handler)
        client = await s.connect()
        await client.send_all(data)
        await client.aclose()
        await until(lambda: s.far_ends and s.far_ends[0], 20)
        assert s.received == [data]
        assert s.far_ends == ["FIN"]
        await s.wait_free()


async def test_a_listener_may_take_a_fin_for_the_end_of_the_job(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, forward(on_client_fin="close")) as s:

        async def printer(stream: FarStream) -> None:
            await s.take(stream)

        s.play(80, printer)
        async with await s.connect() as client:
            await client.send_all(BULK)
            await client.send_eof()
            with trio.fail_after(10):
                assert await end_of(client) == (b"", "FIN")
        await s.wait_free()
        assert s.received == [BULK]


async def test_what_is_valid_is_flushed_to_a_slow_client_before_the_reset(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    data = random.Random(3).randbytes(40_000)
    async with stand(tmp_path) as s:

        async def handler(stream: FarStream) -> None:
            await stream.send_all(data)
            await trio.sleep(2)
            s.module.inject(b"\r\n+IPCLOSE: 9,2\r\n")
            s.module.dce.stack.close(9)

        s.play(80, handler)
        async with await s.connect(receive_buffer=4096) as client:
            assert await end_of(client, pause_s=0.05) == (data, "RST")


async def test_a_client_that_resets_frees_its_link(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path) as s:
        s.play(80, echo)
        client = await s.connect()
        await client.send_all(b"hello")
        assert await client.receive_some() == b"hello"
        assert len(s.module.dce.stack.any_open()) == 1
        await reset(client)
        await s.wait_free()


async def test_a_client_that_resets_while_the_open_is_under_way_frees_its_link(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, open_delay_s=5.0) as s:
        s.play(80, echo)
        client = await s.connect()
        await trio.sleep(1)
        await reset(client)
        await trio.sleep(2)
        await s.wait_free()
        async with await s.connect() as client:
            await client.send_all(b"hello")
            assert await client.receive_some() == b"hello"


async def test_nothing_is_read_from_a_client_before_the_far_side_is_there(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, open_delay_s=5.0) as s:
        s.play(80, echo)
        async with await s.connect() as client:
            await client.send_all(BULK[:5000])
            got = b""
            while len(got) < 5000:
                got += await client.receive_some()
            assert got == BULK[:5000]

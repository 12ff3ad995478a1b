"""Bytes through a real pty, in both directions, with every way to end."""

import hashlib
import shutil
from pathlib import Path

import pytest
import trio

from tests.e2e.world import World, echo, exchange, hostile_bytes, read_to_end, world

pytestmark = pytest.mark.slow


async def test_curl_fetches_a_megabyte_intact(tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl here")
    file = hostile_bytes(1_000_000, 1)

    async def http(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        await stream.send_all(head % len(file) + file)

    async with world(tmp_path, {"far": http}, baudrate=921600, command_latency_s=0.005) as w:
        url = f"http://127.0.0.1:{w.ports['far']}/"
        out = tmp_path / "got"
        result = await trio.run_process(
            [curl, "-sS", "-o", str(out), url], capture_stderr=True, check=False
        )
        assert result.returncode == 0, result.stderr
        assert hashlib.sha256(out.read_bytes()).digest() == hashlib.sha256(file).digest()
        assert w.module.complaints == []


@pytest.mark.parametrize(("baudrate", "size"), [(115200, 3_000), (921600, 20_000)])
async def test_ten_connections_echo_hostile_bytes(
    tmp_path: Path, baudrate: int, size: int
) -> None:
    wrong: list[int] = []

    async def one(w: World, number: int) -> None:
        data = hostile_bytes(size, number)
        if await exchange(w, data, number) != data:
            wrong.append(number)

    options = {"baudrate": baudrate, "command_latency_s": 0.005}
    async with world(tmp_path, {"far": echo}, **options) as w:  # type: ignore[arg-type]
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(one, w, number)
        assert wrong == []
        assert w.module.complaints == []


async def test_the_far_side_closes_after_20_kb_a_hundred_times(tmp_path: Path) -> None:
    data = hostile_bytes(20_000, 3)

    async def send_and_close(stream: trio.SocketStream) -> None:
        await stream.send_all(data)

    async with world(tmp_path, {"far": send_and_close}, pace=False) as w:

        async def one() -> None:
            async with await w.connect() as stream:
                assert await read_to_end(stream) == (data, "FIN")

        for _ in range(10):
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(one)
        assert w.module.complaints == []


async def test_a_half_closed_client_gets_a_slow_answer(tmp_path: Path) -> None:
    async def slow(stream: trio.SocketStream) -> None:
        request = await stream.receive_some()
        await trio.sleep(2.5)
        await stream.send_all(b"answer to " + bytes(request))

    async with world(tmp_path, {"far": slow}) as w, await w.connect() as stream:
        await stream.send_all(b"question")
        await stream.send_eof()
        assert await read_to_end(stream) == (b"answer to question", "FIN")


async def test_a_client_sends_50_kb_and_closes_and_every_byte_arrives(tmp_path: Path) -> None:
    data = hostile_bytes(50_000, 5)
    received = bytearray()
    ended = trio.Event()

    async def sink(stream: trio.SocketStream) -> None:
        async for chunk in stream:
            received.extend(chunk)
        ended.set()

    async with world(tmp_path, {"far": sink}, baudrate=921600) as w:
        async with await w.connect() as stream:
            await stream.send_all(data)
        with trio.fail_after(30):
            await ended.wait()
        assert bytes(received) == data


async def test_a_module_that_discards_unread_bytes_means_a_reset(tmp_path: Path) -> None:
    async def send_and_close(stream: trio.SocketStream) -> None:
        await stream.send_all(bytes(40_000))

    async with (
        world(tmp_path, {"far": send_and_close}, keep_data_after_close=False) as w,
        await w.connect() as stream,
    ):
        got, end = await read_to_end(stream)
        assert end == "RST"
        assert len(got) < 40_000


async def test_a_refused_destination_resets_the_client(tmp_path: Path) -> None:
    async with world(tmp_path, {"far": echo}) as w, await w.connect("closed") as stream:
        assert await read_to_end(stream) == (b"", "RST")


async def test_stopping_in_mid_transfer_closes_the_network(tmp_path: Path) -> None:
    async def endless(stream: trio.SocketStream) -> None:
        while True:
            await stream.send_all(bytes(10_000))

    async with world(tmp_path, {"far": endless}) as w:
        async with await w.connect() as stream:
            await stream.receive_some()
            started = trio.current_time()
            w.stop.set()
            with trio.fail_after(10):
                await w.left.wait()
            assert trio.current_time() - started < 5.5
            assert (await read_to_end(stream))[1] == "RST"
        assert w.module.commands["+NETCLOSE"] == 1
        assert w.module.complaints == []

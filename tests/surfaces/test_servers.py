"""What far clients of servers on the module see, and what their backends do."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.config import Server, Timeouts
from modemproxy.emulator.far_stream import FarStream

from .backends import backend, echo, server
from .stand import FAR, Stand, forward, stand, until

pytestmark = pytest.mark.timeout(40)

BULK = random.Random(1).randbytes(20_000)


@asynccontextmanager
async def served(directory: Path, *servers: Server, **options: Any) -> AsyncIterator[Stand]:
    """Run the program with servers, and wait until they are armed."""
    sections = {"servers": servers}
    options.setdefault("timeouts", Timeouts(shutdown_s=4, connect_s=10))
    async with stand(directory, sections=sections, **options) as s:
        await until(lambda: s.module.commands["+SERVERSTART"] >= len(servers), 20)
        await trio.sleep(0.5)
        yield s


async def end_of(far: FarStream) -> tuple[bytes, str]:
    """Read to the end, as the far client; say what came and how it ended."""
    got = bytearray()
    try:
        async for data in far:
            got += data
    except trio.BrokenResourceError:
        return bytes(got), "RST"
    return bytes(got), "FIN"


async def take(far: FarStream, count: int) -> bytes:
    got = b""
    while len(got) < count:
        data = await far.receive_some(count - len(got))
        assert data, f"FIN after {got!r}"
        got += data
    return got


async def test_a_far_client_talks_to_the_backend(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with backend(echo) as b, served(tmp_path, server(b.where), wan_latency_s=0.05) as s:
        far = s.internet.connect_to_server(8080)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(far.send_all, BULK)
            assert await take(far, len(BULK)) == BULK
        await far.aclose()
        await s.wait_free()
        await until(lambda: b.ends, 10)


async def test_a_backend_that_closes_ends_the_connection_when_all_has_arrived(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async def speak(stream: trio.SocketStream) -> None:
        assert await stream.receive_some() == b"?"
        await stream.send_all(BULK)
        await stream.send_eof()

    async with backend(speak) as b, served(tmp_path, server(b.where)) as s:
        far = s.internet.connect_to_server(8080)
        await far.send_all(b"?")
        started = trio.current_time()
        assert await end_of(far) == (BULK, "FIN")
        assert trio.current_time() - started < 10
        await s.wait_free()
        await until(lambda: b.ends, 5)
        assert b.ends == ["FIN"]


async def test_all_that_a_far_client_sent_before_its_close_arrives_with_a_fin(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async def listen(stream: trio.SocketStream) -> None:
        await trio.lowlevel.checkpoint()

    async with backend(listen) as b, served(tmp_path, server(b.where)) as s:
        far = s.internet.connect_to_server(8080)
        await far.send_all(BULK)
        await far.aclose()
        await until(lambda: b.ends, 20)
        assert (b.heard, b.ends) == ([BULK], ["FIN"])
        await s.wait_free()


async def test_a_far_client_that_resets_is_a_reset_for_the_backend(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with backend(echo) as b, served(tmp_path, server(b.where)) as s:
        far = s.internet.connect_to_server(8080)
        await far.send_all(b"x")
        assert await take(far, 1) == b"x"
        far.reset()
        await until(lambda: b.ends, 10)
        assert b.ends == ["RST"]
        await s.wait_free()


async def test_a_backend_that_resets_closes_the_link(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async def give_up(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        await trio.aclose_forcefully(stream)  # with bytes unread: a reset

    async with backend(give_up) as b, served(tmp_path, server(b.where)) as s:
        far = s.internet.connect_to_server(8080)
        await far.send_all(b"xy" * 1000)
        await end_of(far)
        await s.wait_free()


async def test_a_lost_network_resets_backends_and_servers_are_armed_again(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with backend(echo) as b, served(tmp_path, server(b.where)) as s:
        far = s.internet.connect_to_server(8080)
        await far.send_all(b"x")
        assert await take(far, 1) == b"x"
        s.module.lose_network()
        await until(lambda: b.ends, 10)
        assert b.ends == ["RST"]
        await until(lambda: s.module.commands["+SERVERSTART"] == 2, 60)
        await trio.sleep(1)
        far = s.internet.connect_to_server(8080)
        await far.send_all(b"again")
        assert await take(far, 5) == b"again"
        await far.aclose()


async def test_a_backend_that_is_not_there_closes_the_link_at_once(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with backend(echo) as b:
        closed = b.where
    with caplog.at_level("INFO", "modemproxy"):
        async with served(tmp_path, server(closed)) as s:
            far = s.internet.connect_to_server(8080)
            started = trio.current_time()
            await end_of(far)
            assert trio.current_time() - started < 3
            await s.wait_free()
    assert f"backend {closed}: Connection refused" in caplog.text


@pytest.mark.parametrize(
    "keys", [{"allow": ["192.0.2.0/24"]}, {"max_clients": 1}, {"max_per_client": 1}]
)
async def test_who_may_not_come_in_is_closed_at_once(
    patient_clock: MockClock, tmp_path: Path, keys: dict[str, Any]
) -> None:
    async with backend(echo) as b, served(tmp_path, server(b.where, **keys)) as s:
        first = s.internet.connect_to_server(8080)
        await trio.sleep(1)
        second = s.internet.connect_to_server(8080)
        assert (await end_of(second))[0] == b""
        assert b.accepted == ("allow" not in keys)
        await first.aclose()
        await s.wait_free()


@pytest.mark.parametrize(
    ("version", "header"),
    [
        ("v1", b"PROXY TCP4 198.51.100.9 10.84.17.161 5000 8080\r\n"),
        (
            "v2",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x09\x0a\x54\x11\xa1\x13\x88\x1f\x90",
        ),
    ],
)
async def test_the_backend_is_told_who_the_far_client_is(
    patient_clock: MockClock, tmp_path: Path, version: Any, header: bytes
) -> None:
    async def listen(stream: trio.SocketStream) -> None:
        await trio.lowlevel.checkpoint()

    async with (
        backend(listen) as b,
        served(tmp_path, server(b.where, proxy_protocol=version)) as s,
    ):
        far = s.internet.connect_to_server(8080, source=("198.51.100.9", 5000))
        await far.send_all(b"hello")
        await far.aclose()
        await until(lambda: b.ends, 10)
        assert b.heard == [header + b"hello"]


async def test_four_servers_with_three_clients_each_up_to_the_links_there_are(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    """Ten links: eight far clients that echo, and two of a forward beside them."""
    async with backend(echo) as b:
        servers = [server(b.where, port=8080 + number) for number in range(4)]
        async with served(tmp_path, *servers) as s:
            fars = []
            for number in range(10):
                fars.append(s.internet.connect_to_server(8080 + number % 4))
                await trio.sleep(0.2)
            with pytest.raises(ConnectionRefusedError):
                s.internet.connect_to_server(8082)
            got: list[bytes] = [b""] * len(fars)

            async def talk(index: int) -> None:
                data = random.Random(index).randbytes(3000)
                await fars[index].send_all(data)
                got[index] = await take(fars[index], len(data))
                assert got[index] == data

            async with trio.open_nursery() as nursery:
                for index in range(len(fars)):
                    nursery.start_soon(talk, index)
            for far in fars:
                await far.aclose()
            await s.wait_free()


async def test_a_stop_resets_the_backends_of_those_who_stay(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with backend(echo) as b, served(tmp_path, server(b.where)) as s:
        far = s.internet.connect_to_server(8080)
        await far.send_all(b"x")
        assert await take(far, 1) == b"x"
        s.stop.set()
        await until(lambda: b.ends, 5)
        assert b.ends == ["RST"]
        with trio.fail_after(5):
            await s.stopped.wait()


async def test_servers_and_a_destination_of_a_forward_share_the_links(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async def far_echo(stream: FarStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async with backend(echo) as b:
        sections = {"servers": (server(b.where),)}
        async with stand(tmp_path, forward(), sections=sections) as s:
            s.internet.listen_tcp(FAR, 80, far_echo)
            await until(lambda: s.module.commands["+SERVERSTART"], 20)
            await trio.sleep(0.5)
            for _ in range(20):
                far = s.internet.connect_to_server(8080)
                async with await s.connect() as client:
                    await client.send_all(b"near")
                    await far.send_all(b"far")
                    assert await take(far, 3) == b"far"
                    assert await client.receive_some() == b"near"
                await far.aclose()
                await s.wait_free()
                await trio.sleep(1)

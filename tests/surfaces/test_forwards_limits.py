"""Access, limits, time-outs and stops, as clients of a forward see them."""

import random
import socket
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from modemproxy.config import Forward, Timeouts
from modemproxy.config.checks import Endpoint
from modemproxy.emulator.far_stream import FarStream
from modemproxy.errors import ConfigError
from modemproxy.surfaces.listening import bind_tcp

from .stand import Stand, end_of, forward, reset, stand

pytestmark = pytest.mark.timeout(40)


async def echo(stream: FarStream) -> None:
    async for data in stream:
        await stream.send_all(data)


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


async def test_a_client_that_is_not_allowed_is_reset(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    far = forward(allow=["192.0.2.0/24"])
    near = forward("near", allow=["127.0.0.0/8"])
    async with stand(tmp_path, far, near) as s:
        speaks(s, b"welcome")
        assert await end_of(await s.connect()) == (b"", "RST")
        async with await s.connect("near") as client:
            assert await end_of(client) == (b"welcome", "FIN")
        assert s.module.commands["+CIPOPEN"] == 1


@pytest.mark.parametrize("far", [forward(max_clients=2), forward(max_per_client=2)])
async def test_one_client_too_many_is_reset_until_another_leaves(
    patient_clock: MockClock, tmp_path: Path, far: Forward
) -> None:
    async with stand(tmp_path, far) as s:
        s.play(80, echo)
        clients = [await s.connect() for _ in range(2)]
        for client in clients:
            await client.send_all(b"x")
            assert await client.receive_some() == b"x"
        assert await end_of(await s.connect()) == (b"", "RST")
        await reset(clients.pop())
        await trio.sleep(1)
        async with await s.connect() as client:
            await client.send_all(b"y")
            assert await client.receive_some() == b"y"
        for client in clients:
            await client.aclose()


async def test_an_idle_connection_ends(patient_clock: MockClock, tmp_path: Path) -> None:
    async with stand(tmp_path, forward(idle_timeout_s=5)) as s:
        s.play(80, echo)
        async with await s.connect() as client:
            await client.send_all(b"x")
            assert await client.receive_some() == b"x"
            started = trio.current_time()
            assert (await end_of(client))[0] == b""
            assert trio.current_time() - started == pytest.approx(5, abs=0.5)
        await s.wait_free()


async def test_without_a_session_a_client_is_reset_after_connect_s(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    timeouts = Timeouts(connect_s=7, shutdown_s=4)
    async with stand(tmp_path, timeouts=timeouts, wait_up=False, cereg=2, cgreg=2) as s:
        started = trio.current_time()
        async with await s.connect() as client:
            assert await end_of(client) == (b"", "RST")
        assert trio.current_time() - started == pytest.approx(7, abs=0.5)


async def test_a_client_that_comes_before_the_module_is_up_is_served_when_it_is(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, wait_up=False, registration_delay_s=15.0) as s:
        speaks(s, BULK)
        async with await s.connect() as client:
            assert await end_of(client) == (BULK, "FIN")
        assert trio.current_time() > 15


async def test_a_silent_destination_is_a_reset_after_connect_s(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, timeouts=Timeouts(connect_s=7, shutdown_s=4)) as s:
        s.internet.add_silent("far.example.com")
        started = trio.current_time()
        async with await s.connect() as client:
            assert await end_of(client) == (b"", "RST")
        assert trio.current_time() - started == pytest.approx(7, abs=0.6)


async def test_eleven_clients_are_ten_served_and_one_that_waits_its_time(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, timeouts=Timeouts(queue_s=5, shutdown_s=4)) as s:
        s.play(80, echo)
        clients = [await s.connect() for _ in range(10)]
        for number, client in enumerate(clients):
            await client.send_all(b"%d" % number)
            assert await client.receive_some() == b"%d" % number
        started = trio.current_time()
        assert await end_of(await s.connect()) == (b"", "RST")
        assert trio.current_time() - started == pytest.approx(5, abs=0.5)
        patient = await s.connect()
        await trio.sleep(1)
        await clients.pop().aclose()
        await patient.send_all(b"at last")
        assert await patient.receive_some() == b"at last"
        for client in (*clients, patient):
            await client.aclose()
        await s.wait_free()


async def test_a_client_that_does_not_read_delays_nobody_and_loses_nothing(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    data = random.Random(4).randbytes(400_000)
    async with stand(tmp_path, forward(), forward("quick", 7)) as s:
        speaks(s, data)
        s.play(7, echo)
        async with await s.connect(receive_buffer=4096) as slow, await s.connect("quick") as q:
            await trio.sleep(60)
            for _ in range(20):
                started = trio.current_time()
                await q.send_all(BULK[:1000])
                got = b""
                while len(got) < 1000:
                    got += await q.receive_some()
                assert got == BULK[:1000]
                assert trio.current_time() - started < 0.5
            assert await end_of(slow) == (data, "FIN")


async def test_a_lost_network_resets_clients_and_serves_new_ones(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path) as s:
        s.play(80, echo)
        clients = [await s.connect() for _ in range(3)]
        for client in clients:
            await client.send_all(b"x")
            assert await client.receive_some() == b"x"
        s.module.lose_network()
        for client in clients:
            assert await end_of(client) == (b"", "RST")
        async with await s.connect() as client:
            await client.send_all(b"again")
            assert await client.receive_some() == b"again"


async def test_a_stop_lets_those_finish_who_can_and_resets_the_others(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, timeouts=Timeouts(shutdown_s=8)) as s:
        speaks(s, BULK, wait_for=1, pause_s=3)
        s.play(81, echo)
        async with await s.connect() as finishing:
            await finishing.send_all(b"?")
            await trio.sleep(1)
            async with await s.connect() as staying:
                await trio.sleep(0.5)
                s.stop.set()
                await trio.sleep(0.1)
                with pytest.raises(OSError, match="refused"):
                    await s.connect()
                assert await end_of(finishing) == (BULK, "FIN")
                assert (await end_of(staying))[1] == "RST"
        with trio.fail_after(8):
            await s.stopped.wait()
        assert not s.module.dce.stack.net


async def test_a_port_that_is_taken_is_a_mistake_of_the_configuration(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = Endpoint("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ConfigError, match="far: cannot listen on"):
            bind_tcp("far", where)

"""The line's speed and the radio's, on a virtual clock."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench
from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.pacing import PacedLine


async def timed(dte: trio.abc.Stream, data: bytes, until: bytes) -> float:
    """Say something; return how long the answer took until it was complete."""
    started = trio.current_time()
    await dte.send_all(data)
    got = b""
    while not got.endswith(until):
        got += await dte.receive_some()
    return trio.current_time() - started


@pytest.mark.parametrize("baudrate", [9600, 115200, 921600])
@pytest.mark.parametrize("latency", [0.0, 0.005])
async def test_an_exchange_takes_ten_bits_a_byte_and_the_latency(
    autojump_clock: MockClock, nursery: trio.Nursery, baudrate: int, latency: float
) -> None:
    b = bench(nursery, baudrate=baudrate, boot_echo=False, command_latency_s=latency)
    ours, theirs = trio.testing.memory_stream_pair()
    b.dte.unplug()
    await trio.testing.wait_all_tasks_blocked()

    async def serve() -> None:
        await b.module.serve(theirs, pace=True)

    nursery.start_soon(serve)
    took = await timed(ours, b"AT\r", b"OK\r\n")
    assert took == pytest.approx((3 + 6) * 10 / baudrate + latency, abs=3e-4)


@pytest.mark.parametrize("baudrate", [115200, 921600])
async def test_send_and_read_cost_what_the_model_says(
    autojump_clock: MockClock, nursery: trio.Nursery, baudrate: int
) -> None:
    latency, size = 0.005, 1460

    async def echo(stream: FarStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    b = bench(nursery, baudrate=baudrate, boot_echo=False, data_urcs="none")
    b.internet.listen_tcp("a.example", 7, echo)
    await b.dte.ready()
    await b.dte.ask(b'AT+CIPOPEN=1,"TCP","a.example",7\r')
    b.module.set_profile(command_latency_s=latency)
    b.dte.unplug()
    await trio.testing.wait_all_tasks_blocked()
    ours, theirs = trio.testing.memory_stream_pair()

    async def serve() -> None:
        await b.module.serve(theirs, pace=True)

    nursery.start_soon(serve)
    up = await timed(ours, b"AT+CIPSEND=1,1460\r", b">")
    up += await timed(ours, b"x" * size, b",1460\r\n")
    assert up == pytest.approx((size + 52) * 10 / baudrate + 2 * latency, abs=1e-3)
    down = await timed(ours, b"AT+CIPRXGET=2,1,1460\r", b"x\r\nOK\r\n")
    # 52 and not 55: the rest field has one digit here
    assert down == pytest.approx((size + 52) * 10 / baudrate + latency, abs=1e-3)


async def test_a_line_carries_both_ways_at_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    left, left_end = trio.testing.memory_stream_pair()
    right, right_end = trio.testing.memory_stream_pair()
    line = PacedLine(left_end, right_end, 115200)
    nursery.start_soon(line.run)
    data = bytes(range(256)) * 90
    started = trio.current_time()
    await left.send_all(data)
    await right.send_all(data[::-1])

    async def take(stream: trio.abc.Stream, wanted: bytes) -> None:
        got = b""
        while len(got) < len(wanted):
            got += await stream.receive_some()
        assert got == wanted
        assert trio.current_time() - started == pytest.approx(len(data) / 11520, abs=1e-3)

    async with trio.open_nursery() as both:
        both.start_soon(take, right, data)
        both.start_soon(take, left, data[::-1])
    assert line.passed_bytes == [len(data), len(data)]


async def test_the_radio_has_a_rate_and_a_latency(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    times: list[float] = []

    async def source(stream: FarStream) -> None:
        await stream.send_all(b"x" * 1000)
        while await stream.receive_some():
            times.append(trio.current_time())

    b = bench(nursery, wan_rate_bytes_s=1000, wan_latency_s=0.2)
    b.internet.listen_tcp("a.example", 7, source)
    await b.dte.ready()
    await b.dte.ask(b'AT+CIPOPEN=1,"TCP","a.example",7\r')
    assert await b.dte.heard(0.41) == b"\r\n+CIPOPEN: 1,0\r\n"
    assert await b.dte.heard(1.15) == b""
    assert await b.dte.heard(0.1) == b"\r\n+CIPRXGET: 1,1\r\n"
    started = trio.current_time()
    await b.dte.ask(b"AT+CIPSEND=1,500\r")
    await b.dte.ask(b"y" * 500)
    assert await b.dte.ask(b"AT+CIPACK=1\r") == b"\r\n+CIPACK: 500,0,1000\r\n\r\nOK\r\n"
    await b.dte.heard(1)
    assert times == [pytest.approx(started + 0.7)]
    assert b"500,500,1000" in await b.dte.ask(b"AT+CIPACK=1\r")


async def test_our_close_comes_after_what_was_sent(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    got: list[bytes] = []

    async def sink(stream: FarStream) -> None:
        got.extend([bytes(data) async for data in stream])

    b = bench(nursery, wan_rate_bytes_s=1000, wan_latency_s=0.2)
    b.internet.listen_tcp("a.example", 7, sink)
    await b.dte.ready()
    await b.dte.ask(b'AT+CIPOPEN=1,"TCP","a.example",7\r')
    await b.dte.heard(1)
    await b.dte.ask(b"AT+CIPSEND=1,900\r")
    await b.dte.ask(b"z" * 900)
    await b.dte.ask(b"AT+CIPCLOSE=1\r")
    await b.dte.heard(3)
    assert b"".join(got) == b"z" * 900

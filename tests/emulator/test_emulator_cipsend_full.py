"""CIPSEND against a full buffer or a pending result (protocol.md 18, lines 26 and 28)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import Bench, bench
from modemproxy.emulator.far_stream import FarStream

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
BUSY = b"\r\n+CIPERROR: 8\r\n" + ERROR
HOSTILE = b"\r\nOK\r\n>\x00\x03\x1a\x1b+++\r\n+IPCLOSE: 0,1\r\nAT\r"


async def opened(nursery: trio.Nursery, **options: Any) -> tuple[Bench, list[FarStream]]:
    """A module with link 0 open to a host that reads only what a test reads."""
    b = bench(nursery, **options)
    far: list[FarStream] = []

    async def keep(stream: FarStream) -> None:
        far.append(stream)
        await trio.sleep_forever()

    b.internet.listen_tcp("a.example", 80, keep)
    await b.dte.ready()
    await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    await b.dte.heard(max(1, b.module.profile.open_delay_s))
    return b, far


async def send(b: Bench, data: bytes) -> bytes:
    prompt = await b.dte.ask(b"AT+CIPSEND=0,%d\r" % len(data))
    assert prompt == b"\r\n>"
    return await b.dte.ask(data)


@pytest.mark.parametrize(("scope", "other"), [("link", b"\r\n>"), ("global", BUSY)])
async def test_a_pending_result_makes_busy(
    autojump_clock: MockClock, nursery: trio.Nursery, scope: str, other: bytes
) -> None:
    b, _ = await opened(nursery, send_result_delay_s=1, busy_scope=scope)
    await b.dte.ask(b'AT+CIPOPEN=1,"TCP","a.example",80\r')
    assert await send(b, b"hello") == OK
    assert await b.dte.ask(b"AT+CIPSEND=0,5\r") == BUSY
    assert await b.dte.ask(b"AT+CIPSEND=1,5\r") == other
    assert b.module.complaints[0] == "CIPSEND on link 0 while a send result is pending"
    assert await b.dte.heard(1) == b"\r\n+CIPSEND: 0,5,5\r\n"


@pytest.mark.parametrize(
    ("full", "answer"),
    [("busy", BUSY), ("busy_text", b"\r\n+IP ERROR: TCP busy\r\n" + ERROR)],
)
async def test_a_full_send_buffer_is_busy(
    autojump_clock: MockClock, nursery: trio.Nursery, full: str, answer: bytes
) -> None:
    b, far = await opened(nursery, send_buffer_bytes=1000, send_full=full, wan_latency_s=0.1)
    assert await send(b, b"x" * 600) == OK + b"\r\n+CIPSEND: 0,600,600\r\n"
    assert await b.dte.ask(b"AT+CIPSEND=0,600\r") == answer
    assert await b.dte.ask(b"AT+CIPACK=0\r") == b"\r\n+CIPACK: 600,0,0\r\n" + OK
    await b.dte.heard(0.3)
    assert await b.dte.ask(b"AT+CIPACK=0\r") == b"\r\n+CIPACK: 600,600,0\r\n" + OK
    assert await b.dte.ask(b"AT+CIPSEND=0,600\r") == b"\r\n>"
    assert b.module.complaints == []
    assert len(far) == 1


@pytest.mark.parametrize(("after", "answer"), [("continue", b"\r\n>"), ("dead", None)])
async def test_a_short_write_takes_what_fits(
    autojump_clock: MockClock, nursery: trio.Nursery, after: str, answer: bytes | None
) -> None:
    b, far = await opened(
        nursery,
        send_buffer_bytes=1000,
        send_full="short",
        short_send_link=after,
        wan_latency_s=0.1,
    )
    await send(b, b"x" * 600)
    assert await send(b, b"y" * 600) == OK + b"\r\n+CIPSEND: 0,600,400\r\n"
    if answer:
        assert await send(b, b"z" * 600) == OK + b"\r\n+CIPSEND: 0,600,0\r\n"
        await b.dte.heard(1)
        assert await far[0].receive_some() == b"x" * 600 + b"y" * 400
    else:
        said = await b.dte.ask(b"AT+CIPSEND=0,5\r")
        assert said == b"\r\n+CIPERROR: 4\r\n" + ERROR


async def test_the_result_can_wait_for_room(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, _ = await opened(nursery, send_buffer_bytes=1000, send_full="wait", wan_latency_s=0.1)
    await send(b, b"x" * 600)
    assert await send(b, b"y" * 600) == OK
    assert await b.dte.heard(0.3) == b"\r\n+CIPSEND: 0,600,600\r\n"


async def test_sendmode_1_waits_for_the_ack_of_earlier_data(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, _ = await opened(nursery, wan_latency_s=0.1)
    await b.dte.ask(b"AT+CIPSENDMODE=1\r")
    assert await send(b, b"one") == OK + b"\r\n+CIPSEND: 0,3,3\r\n"
    assert await send(b, b"two") == OK
    assert await b.dte.heard(0.3) == b"\r\n+CIPSEND: 0,3,3\r\n"


async def test_a_far_side_that_does_not_read_fills_the_send_buffer(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    b, far = await opened(nursery)
    sent = 0
    while (await b.dte.ask(b"AT+CIPSEND=0,1500\r")) == b"\r\n>":
        await b.dte.ask(b"x" * 1500)
        sent += 1500
    assert 65536 + 64240 - 1500 < sent <= 65536 + 64240
    assert await b.dte.ask(b"AT+CIPACK=0\r") == b"\r\n+CIPACK: %d,65536,0\r\n" % sent + OK
    await far[0].receive_some(5000)
    assert await b.dte.ask(b"AT+CIPSEND=0,1500\r") == b"\r\n>"

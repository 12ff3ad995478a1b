"""CPING: the probe that tells a dead context from a live one (protocol.md 9)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench

OK = b"\r\nOK\r\n"
ONE = b"\r\n+CPING: 1,203.0.113.1,64,1,64\r\n"
LOST = b"\r\n+CPING: 2\r\n"


async def test_several_come_at_their_interval(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.internet.add_host("a.example")
    assert await b.dte.ask(b'AT+CPING="a.example",1,3,,1000\r') == OK + ONE
    assert await b.dte.ask(b"AT\r") == OK, "the channel is free meanwhile"
    assert await b.dte.heard(1.1) == ONE
    assert await b.dte.heard(1) == ONE + b"\r\n+CPING: 3,3,3,0,1,1,1\r\n"


async def test_size_and_round_trip_are_said(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False, wan_latency_s=0.03)
    assert await b.dte.ask(b'AT+CPING="192.0.2.1",1,1,32\r') == OK
    assert await b.dte.heard(0.1) == (
        b"\r\n+CPING: 1,192.0.2.1,32,60,64\r\n\r\n+CPING: 3,1,1,0,60,60,60\r\n"
    )


@pytest.mark.parametrize("way", ["option", "coverage"])
async def test_a_dead_context_takes_the_whole_wait(
    autojump_clock: MockClock, nursery: trio.Nursery, way: str
) -> None:
    options: dict[str, Any] = {"ping_answered": False} if way == "option" else {}
    b = bench(nursery, boot_echo=False, **options)
    b.internet.add_host("a.example")
    if way == "coverage":
        b.module.dce.stack.wan.hold("test")
    assert await b.dte.ask(b'AT+CPING="a.example",1,2,64,1000,11000\r') == OK
    assert await b.dte.heard(10.9) == b""
    assert await b.dte.heard(0.2) == LOST
    assert await b.dte.heard(11) == LOST + b"\r\n+CPING: 3,2,0,2,0,0,0\r\n"


async def test_a_context_that_dies_on_the_way(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.internet.add_host("a.example")
    assert await b.dte.ask(b'AT+CPING="a.example",1,2\r') == OK + ONE
    b.module.set_profile(ping_answered=False)
    assert await b.dte.heard(13) == LOST + b"\r\n+CPING: 3,2,1,1,1,1,1\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"AT+CPING\r",
        b'AT+CPING=""\r',
        b'AT+CPING="a",3\r',
        b'AT+CPING="a",1,0\r',
        b'AT+CPING="a",1,1,64,1\r',
        b'AT+CPING="a",1,1,64,1000,1\r',
    ],
)
async def test_bad_values_are_refused(
    autojump_clock: MockClock, nursery: trio.Nursery, line: bytes
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    assert await dte.ask(line) == b"\r\nERROR\r\n"
    assert (await dte.ask(b"AT+CPING=?\r")).startswith(b"\r\n+CPING: (1,2),(1-100)")


async def test_without_service_it_is_refused(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False, registration_delay_s=9).dte
    assert await dte.ask(b'AT+CPING="192.0.2.1",1,1\r') == b"\r\nERROR\r\n"

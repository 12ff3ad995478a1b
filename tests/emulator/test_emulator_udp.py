"""UDP links (protocol.md 18, lines 33 and 42-43)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import Bench, bench

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


async def udp(nursery: trio.Nursery, package: bool = False, **options: Any) -> Bench:
    b = bench(nursery, **options)
    await b.dte.ask(b"ATE0;+CIPRXGET=1;+CIPCCFG=10,0,0,1,1,0,500,%d\r" % package)
    await b.dte.ask(b"AT+NETOPEN\r")
    await b.dte.ask(b'AT+CIPOPEN=1,"UDP",,,5000\r')
    return b


async def test_a_datagram_there_and_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await udp(nursery)
    far = b.internet.listen_udp("d.example", 53, lambda data: [data.upper()])
    assert await b.dte.ask(b'AT+CIPSEND=1,5,"d.example",53\r') == b"\r\n>"
    # the answer is quicker than the result: both are there before time passes
    assert await b.dte.ask(b"hello") == (
        b"\r\n+CIPRXGET: 1,1\r\n" + OK + b"\r\n+CIPSEND: 1,5,5\r\n"
    )
    assert far.received == [(b"hello", 5000)]
    assert await b.dte.ask(b"AT+CIPRXGET=2,1\r") == b"\r\n+CIPRXGET: 2,1,5,0\r\nHELLO" + OK


@pytest.mark.parametrize(
    ("package", "reads"), [(False, [b"onetwo", b""]), (True, [b"one", b"two"])]
)
async def test_datagrams_merge_unless_kept_by_package(
    autojump_clock: MockClock, nursery: trio.Nursery, package: bool, reads: list[bytes]
) -> None:
    b = await udp(nursery, package)
    far = b.internet.listen_udp("d.example", 53)
    far.send_to(b"one", 5000)
    far.send_to(b"two", 5000)
    assert await b.dte.heard() == b"\r\n+CIPRXGET: 1,1\r\n"
    got = []
    for _ in reads:
        said = await b.dte.ask(b"AT+CIPRXGET=2,1\r")
        got.append(said.partition(b",")[2].partition(b"\r\n")[2].removesuffix(OK))
    assert [data if b"ERROR" not in data else b"" for data in got] == reads


async def test_udp_needs_a_target_and_has_no_cipack(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await udp(nursery)
    assert await b.dte.ask(b"AT+CIPSEND=1,5\r") == b"\r\n+CIPERROR: 3\r\n" + ERROR
    assert (await b.dte.ask(b"AT+CIPACK=1\r")).startswith(b"\r\n+IP ERROR: ")


async def test_what_is_too_long_or_too_much_is_lost(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await udp(nursery, udp_lost_above_bytes=1400, udp_buffer_bytes=10)
    far = b.internet.listen_udp("d.example", 53)
    await b.dte.ask(b'AT+CIPSEND=1,1401,"d.example",53\r')
    assert await b.dte.ask(b"x" * 1401) == OK + b"\r\n+CIPSEND: 1,1401,1401\r\n"
    far.send_to(b"12345678", 5000)
    far.send_to(b"12345678", 5000)
    await b.dte.heard()
    assert far.received == []
    assert await b.dte.ask(b"AT+CIPRXGET=4,1\r") == b"\r\n+CIPRXGET: 4,1,8\r\n" + OK


async def test_pushed_datagrams_name_their_sender(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await udp(nursery)
    await b.dte.ask(b"AT+CIPCCFG=10,0,0,1,0,0,500;+CIPRXGET=0\r")
    b.internet.listen_udp("d.example", 53).send_to(b"hi", 5000)
    assert await b.dte.heard() == b"\r\nRECV FROM:203.0.113.1:53\r\n+IPD2\r\nhi"

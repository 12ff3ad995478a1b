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


# -- what firmware differs in ------------------------------------------------------------


async def read(b: Bench, size: int = 1500) -> bytes:
    return await b.dte.ask(b"AT+CIPRXGET=2,1,%d\r" % size)


async def test_a_package_mode_that_has_no_effect(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await udp(nursery, package=True, udp_package="merged")
    far = b.internet.listen_udp("d.example", 53)
    far.send_to(b"one", 5000)
    far.send_to(b"two", 5000)
    await b.dte.heard()
    assert await read(b) == b"\r\n+CIPRXGET: 2,1,6,0\r\nonetwo" + OK
    assert b.module.complaints == []


@pytest.mark.parametrize(
    ("surplus", "rest", "said"),
    [
        ("lost", "all", [b"2,1,2,3\r\non", b"2,1,3,0\r\ntwo"]),
        ("kept", "all", [b"2,1,2,4\r\non", b"2,1,1,3\r\ne", b"2,1,3,0\r\ntwo"]),
        ("lost", "datagram", [b"2,1,2,0\r\non", b"2,1,3,0\r\ntwo"]),
        ("kept", "datagram", [b"2,1,2,1\r\non", b"2,1,1,0\r\ne", b"2,1,3,0\r\ntwo"]),
    ],
)
async def test_a_read_that_cuts_a_datagram(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    surplus: str,
    rest: str,
    said: list[bytes],
) -> None:
    b = await udp(nursery, package=True, udp_surplus=surplus, udp_rest=rest)
    far = b.internet.listen_udp("d.example", 53)
    far.send_to(b"one", 5000)
    far.send_to(b"two", 5000)
    await b.dte.heard()
    waiting = b"3" if rest == "datagram" else b"6"
    counted = b"\r\n+CIPRXGET: 4,1," + waiting + b"\r\n" + OK
    assert await b.dte.ask(b"AT+CIPRXGET=4,1\r") == counted
    got = [await read(b, 2), *[await read(b) for _ in said[1:]]]
    assert got == [b"\r\n+CIPRXGET: " + each + OK for each in said]
    assert await read(b) == b"\r\n+IP ERROR: No data\r\n" + ERROR
    assert b.module.complaints == ["CIPRXGET on link 1 cut 1 bytes off a datagram"]


@pytest.mark.parametrize(
    ("names", "answer"), [("wrong", b"\r\n+CIPERROR: 3\r\n" + ERROR), ("error", ERROR)]
)
async def test_firmware_that_sends_to_addresses_only(
    autojump_clock: MockClock, nursery: trio.Nursery, names: str, answer: bytes
) -> None:
    b = await udp(nursery, udp_names=names)
    far = b.internet.listen_udp("d.example", 53)
    assert await b.dte.ask(b'AT+CIPSEND=1,2,"d.example",53\r') == answer
    assert await b.dte.ask(b'AT+CIPSEND=1,2,"203.0.113.1",53\r') == b"\r\n>"
    await b.dte.ask(b"hi")
    assert far.received == [(b"hi", 5000)]
    assert b.module.complaints == []


async def test_results_behind_ok(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await udp(nursery, udp_open_result="after_ok", udp_close_result="after_ok")
    opened = await b.dte.ask(b'AT+CIPOPEN=2,"UDP",,,5001\r')
    assert opened == OK + b"\r\n+CIPOPEN: 2,0\r\n"
    assert await b.dte.ask(b"AT+CIPCLOSE=2\r") == OK + b"\r\n+CIPCLOSE: 2,0\r\n"


async def test_a_port_has_one_link_until_that_is_closed(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await udp(nursery)
    again = b'AT+CIPOPEN=2,"UDP",,,5000\r'
    assert await b.dte.ask(again) == b"\r\n+CIPOPEN: 2,6\r\n" + ERROR
    assert await b.dte.ask(b"AT+CIPCLOSE=1\r") == b"\r\n+CIPCLOSE: 1,0\r\n" + OK
    assert await b.dte.ask(again) == b"\r\n+CIPOPEN: 2,0\r\n" + OK


async def test_a_network_that_loses_datagrams_both_ways(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await udp(nursery, udp_loss=0.5, udp_buffer_bytes=1000)
    far = b.internet.listen_udp("d.example", 53)
    for _ in range(100):
        await b.dte.ask(b'AT+CIPSEND=1,1,"d.example",53\r')
        await b.dte.ask(b"x")
        far.send_to(b"y", 5000)
    assert 30 < len(far.received) < 70
    link = b.module.dce.stack.links[1]
    assert link is not None
    assert 30 < link.rx.waiting() < 70


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (b"AT+CIPSEND=1,5\r", "CIPSEND without a target on link 1, which is UDP"),
        (b'AT+CIPSEND=1,5,"a b",53\r', "CIPSEND to 'a b', which is no host"),
        (
            b'AT+CIPSEND=2,5,"d.example",53\r',
            "CIPSEND with a target on link 2, which is TCP",
        ),
        (
            b"AT+CIPSEND=2\r",
            "CIPSEND of no given length on link 2, which a server accepted",
        ),
    ],
)
async def test_sends_that_are_wrong_for_their_link(
    autojump_clock: MockClock, nursery: trio.Nursery, command: bytes, complaint: str
) -> None:
    b = await udp(nursery)
    await b.dte.ask(b'AT+CIPOPEN=0,"UDP",,,4000;+SERVERSTART=8080,0\r')
    b.internet.connect_to_server(8080)
    await b.dte.ask(command)
    assert b.module.complaints == [complaint]

"""A smaller module of the family: fewer links and servers, fewer commands (protocol.md 14)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench

from .opened import opened

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
INVALID = b"\r\n+IP ERROR: Invalid parameter\r\n" + ERROR
SMALL: dict[str, Any] = {"link_count": 4, "server_count": 2, "boot_echo": False}


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"+CIPOPEN=?", b'\r\n+CIPOPEN: (0-3),("TCP","UDP","UDP SERVER")\r\n' + OK),
        (b"+CIPSEND=?", b"\r\n+CIPSEND: (0-3),(1-1500)\r\n" + OK),
        (b"+CIPRXGET=?", b"\r\n+CIPRXGET: (0-5),(0-3),(1-1500)\r\n" + OK),
        (b"+CIPACK=?", b"\r\n+CIPACK: (0-3)\r\n" + OK),
        (b"+CIPCLOSE=?", b"\r\n+CIPCLOSE: (0-3)\r\n" + OK),
        (b"+SERVERSTART=?", b"\r\n+SERVERSTART: (0-65535),(0-1)\r\n" + OK),
        (b"+SERVERSTOP=?", b"\r\n+SERVERSTOP: (0-1)\r\n" + OK),
        (b"+CIPCLOSE?", b"\r\n+CIPCLOSE: 1,0,0,0\r\n" + OK),
        (b'+CIPOPEN=4,"TCP","a.example",80', INVALID),
        (b"+CIPCLOSE=4", INVALID),
        (b"+CIPRXGET=4,4", INVALID),
        (b"+CIPACK=4", INVALID),
        (b"+CIPSEND=4,1", b"\r\n+CIPERROR: 3\r\n" + ERROR),
        (b"+SERVERSTART=80,2", b"\r\n+CIPERROR: 3\r\n" + ERROR),
        (b"+SERVERSTOP=2", ERROR),
    ],
)
async def test_four_links_and_two_servers(
    autojump_clock: MockClock, nursery: trio.Nursery, command: bytes, answer: bytes
) -> None:
    made, _ = await opened(nursery, **SMALL)
    await made.dte.ask(b"AT+CIPRXGET=1\r")
    assert await made.dte.ask(b"AT" + command + b"\r") == answer


async def test_the_list_of_links_has_as_many_lines(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    made, _ = await opened(nursery, **SMALL)
    listed = await made.dte.ask(b"AT+CIPOPEN?\r")
    assert [line[:11] for line in listed.splitlines() if line.startswith(b"+")] == [
        b"+CIPOPEN: %d" % number for number in range(4)
    ]


@pytest.mark.parametrize(("count", "last"), [(0, 0), (1, 0), (10, 9), (99, 9)])
async def test_there_is_one_link_at_least_and_ten_at_most(
    autojump_clock: MockClock, nursery: trio.Nursery, count: int, last: int
) -> None:
    dte = bench(nursery, boot_echo=False, link_count=count).dte
    assert await dte.ask(b"AT+CIPACK=?\r") == b"\r\n+CIPACK: (0-%d)\r\n" % last + OK


async def test_a_far_client_finds_no_fifth_link(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    made, _ = await opened(nursery, **SMALL)
    await made.dte.ask(b"AT+SERVERSTART=80,0\r")
    for number in (1, 2, 3):
        made.internet.connect_to_server(80)
        assert b"+CLIENT: %d,0," % number in await made.dte.heard()
    with pytest.raises(ConnectionRefusedError):
        made.internet.connect_to_server(80)


async def test_the_acknowledged_count_is_reserved(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    made, _ = await opened(nursery, **SMALL, cipack_acked="reserved")
    await made.dte.ask(b"AT+CIPSEND=0,5\r")
    await made.dte.ask(b"hello")
    assert await made.dte.ask(b"AT+CIPACK=0\r") == b"\r\n+CIPACK: 5,0,0\r\n" + OK


@pytest.mark.parametrize("form", [b"?", b"=?", b"=0", b""])
@pytest.mark.parametrize("name", ["CIPSENDMODE", "CTCPKA"])
async def test_without_some_commands(
    autojump_clock: MockClock, nursery: trio.Nursery, form: bytes, name: str
) -> None:
    dte = bench(nursery, boot_echo=False, cipsendmode=False, ctcpka=False).dte
    assert await dte.ask(b"AT+" + name.encode() + form + b"\r") == ERROR

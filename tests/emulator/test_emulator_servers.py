"""Servers of the module (protocol.md 18, lines 50-52)."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


async def test_a_server_and_its_client(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery)
    await b.dte.ready()
    assert await b.dte.ask(b"AT+SERVERSTART=8080, 0\r") == OK
    assert await b.dte.ask(b"AT+SERVERSTART=8080,1\r") == b"\r\n+CIPERROR: 7\r\n" + ERROR
    assert await b.dte.ask(b"AT+SERVERSTART?\r") == b"\r\n+SERVERSTART: 0,8080\r\n" + OK
    far = b.internet.connect_to_server(8080, source=("192.168.108.5", 57202))
    assert await b.dte.heard() == b"\r\n+CLIENT: 0,0,192.168.108.5:57202\r\n"
    assert b'\r\n+CIPOPEN: 0,"TCP","192.168.108.5",57202,0\r\n' in await b.dte.ask(
        b"AT+CIPOPEN?\r"
    )
    await b.dte.ask(b"AT+CIPSEND=0,5\r")
    await b.dte.ask(b"HELLO")
    assert await far.receive_some() == b"HELLO"
    assert await b.dte.ask(b"AT+CIPSEND=0\r") == ERROR
    assert await b.dte.ask(b"AT+SERVERSTOP=0\r") == b"\r\n+SERVERSTOP: 0,9\r\n" + ERROR
    await b.dte.ask(b"AT+CIPCLOSE=0\r")
    assert await b.dte.ask(b"AT+SERVERSTOP=0\r") == b"\r\n+SERVERSTOP: 0,0\r\n" + OK
    assert await b.dte.ask(b"AT+SERVERSTOP\r") == b"\r\n+SERVERSTOP: 0,4\r\n" + ERROR
    with pytest.raises(ConnectionRefusedError):
        b.internet.connect_to_server(8080)


async def test_serverstop_result_after_ok(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, serverstop_result="after_ok", boot_echo=False)
    b.module.preset.server(8080, 2)
    assert await b.dte.ask(b"AT+SERVERSTOP=2\r") == OK + b"\r\n+SERVERSTOP: 2,0\r\n"


async def test_clients_take_the_lowest_free_link_until_there_is_none(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    b = bench(nursery)
    await b.dte.ready()
    await b.dte.ask(b"AT+SERVERSTART=8080,3\r")
    await b.dte.ask(b'AT+CIPOPEN=1,"UDP",,,5000\r')
    for _ in range(9):
        b.internet.connect_to_server(8080)
    said = await b.dte.heard()
    assert [int(line[9:10]) for line in said.split(b"\r\n") if line] == [0, *range(2, 10)]
    with pytest.raises(ConnectionRefusedError):
        b.internet.connect_to_server(8080)
    assert await b.dte.heard() == b""


@pytest.mark.parametrize(
    ("said", "code"),
    [(b"=70000,0", b"3"), (b"=80,4", b"3"), (b"=80,0,9", b"3"), (b"=80", b"3")],
)
async def test_bad_servers(
    autojump_clock: MockClock, nursery: trio.Nursery, said: bytes, code: bytes
) -> None:
    b = bench(nursery)
    await b.dte.ready()
    answer = await b.dte.ask(b"AT+SERVERSTART" + said + b"\r")
    assert answer == b"\r\n+CIPERROR: " + code + b"\r\n" + ERROR


async def test_a_server_needs_the_network(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    assert await dte.ask(b"AT+SERVERSTART=80,0\r") == b"\r\n+CIPERROR: 2\r\n" + ERROR

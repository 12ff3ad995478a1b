"""Far clients of the module's servers: numbers, queues, reports, collisions (18, 50-52)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import Bench, bench
from tests.emulator.faultbench import FaultBench, fault_bench

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
PEER = ("198.51.100.9", 4000)
OPEN_0 = b'AT+CIPOPEN=0,"TCP","a.example",80\r'
REFUSED_0 = b"\r\n+CIPOPEN: 0,4\r\n"
OPEN_UDP_0 = b'AT+CIPOPEN=0,"UDP",,,5000\r'


def client(number: int, index: int = 0, peer: tuple[str, int] = PEER) -> bytes:
    return b"\r\n+CLIENT: %d,%d,%s:%d\r\n" % (number, index, peer[0].encode(), peer[1])


async def serving(nursery: trio.Nursery, used: int = 0, **options: Any) -> Bench:
    """A module with server 0 on port 8080, and so many numbers in use."""
    b = bench(nursery, **options)
    await b.dte.ready()
    await b.dte.ask(b"AT+SERVERSTART=8080,0,2\r")
    for number in range(used):
        await b.dte.ask(b'AT+CIPOPEN=%d,"UDP",,,%d\r' % (number, 5000 + number))
    return b


@pytest.mark.parametrize(("order", "number"), [("lowest", 1), ("highest", 9)])
async def test_a_client_gets_the_lowest_free_number_or_the_highest(
    autojump_clock: MockClock, nursery: trio.Nursery, order: str, number: int
) -> None:
    b = await serving(nursery, 1, accept_link=order)
    b.internet.connect_to_server(8080, source=PEER)
    assert await b.dte.heard() == client(number)


async def test_an_address_of_ipv6_is_said_as_it_is(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await serving(nursery)
    peer = ("2001:db8::9", 4000)
    b.internet.connect_to_server(8080, source=peer)
    assert await b.dte.heard() == client(0, peer=peer)


async def test_a_late_report_comes_behind_data_and_behind_a_refused_open(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await serving(nursery, client_urc_delay_s=1.0)
    far = b.internet.connect_to_server(8080, source=PEER)
    await far.send_all(b"hello")
    assert await b.dte.heard() == b"\r\n+CIPRXGET: 1,0\r\n"
    assert await b.dte.ask(OPEN_0) == REFUSED_0 + ERROR
    row = b'\r\n+CIPOPEN: 0,"TCP","198.51.100.9",4000,0\r\n'
    assert (await b.dte.ask(b"AT+CIPOPEN?\r")).startswith(row)
    assert await b.dte.heard(1) == client(0)
    assert await b.dte.ask(b"AT+CIPRXGET=2,0\r") == b"\r\n+CIPRXGET: 2,0,5,0\r\nhello" + OK


async def test_a_report_that_is_lost_leaves_a_link_that_queries_show(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await serving(nursery, client_urc_loss=1.0)
    b.internet.connect_to_server(8080, source=PEER)
    assert await b.dte.heard(1) == b""
    states = b"\r\n+CIPCLOSE: 1,0,0,0,0,0,0,0,0,0\r\n"
    assert await b.dte.ask(b"AT+CIPCLOSE?\r") == states + OK
    assert b'"198.51.100.9",4000,0\r\n' in await b.dte.ask(b"AT+CIPOPEN?\r")


async def test_a_number_may_be_given_away_before_its_close_is_reported(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await serving(nursery, close_frees="at_once", close_delay_s=1.0)
    old = b.internet.connect_to_server(8080, source=PEER)
    await b.dte.heard()
    assert await b.dte.ask(b"AT+CIPCLOSE=0\r") == OK
    new = b.internet.connect_to_server(8080, source=("198.51.100.10", 1))
    assert await b.dte.heard() == client(0, peer=("198.51.100.10", 1))
    assert await b.dte.heard(1) == b"\r\n+CIPCLOSE: 0,0\r\n"
    assert await old.receive_some() == b""
    await new.send_all(b"still there")
    assert await b.dte.heard() == b"\r\n+CIPRXGET: 1,0\r\n"


@pytest.mark.parametrize(
    ("backlog", "answer"),
    [("taken", OK), ("wrong", b"\r\n+CIPERROR: 3\r\n" + ERROR), ("unknown", ERROR)],
)
async def test_firmware_that_does_not_know_the_backlog(
    autojump_clock: MockClock, nursery: trio.Nursery, backlog: str, answer: bytes
) -> None:
    b = bench(nursery, server_backlog=backlog)
    await b.dte.ready()
    assert await b.dte.ask(b"AT+SERVERSTART=8080,0,3\r") == answer
    assert await b.dte.ask(b"AT+SERVERSTART=9090,1\r") == OK


async def test_servers_are_gone_after_a_lost_network_and_can_be_started_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await serving(nursery)
    far = b.internet.connect_to_server(8080)
    b.module.lose_network()
    with pytest.raises(trio.BrokenResourceError):
        await far.receive_some()
    with pytest.raises(ConnectionRefusedError):
        b.internet.connect_to_server(8080)
    await b.dte.ready()
    assert await b.dte.ask(b"AT+SERVERSTART?\r") == OK
    assert await b.dte.ask(b"AT+SERVERSTART=8080,0\r") == OK
    b.internet.connect_to_server(8080, source=PEER)
    assert await b.dte.heard() == client(0)


# -- all numbers used -------------------------------------------------------------------


async def test_who_finds_no_number_may_wait_in_the_listen_queue(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await serving(nursery, 10, server_full="queue")
    first = b.internet.connect_to_server(8080, source=PEER)
    second = b.internet.connect_to_server(8080, source=("198.51.100.9", 4001))
    with pytest.raises(ConnectionRefusedError):  # SERVERSTART said: two
        b.internet.connect_to_server(8080)
    assert await b.dte.heard(1) == b""
    assert await b.dte.ask(b"AT+CIPCLOSE=3\r") == b"\r\n+CIPCLOSE: 3,0\r\n" + OK + client(3)
    await b.dte.ask(b"AT+CIPCLOSE=0\r")
    await first.send_all(b"1")
    await second.send_all(b"2")
    await b.dte.heard()
    assert b"\r\n1\r\nOK" in await b.dte.ask(b"AT+CIPRXGET=2,3\r")
    assert b"\r\n2\r\nOK" in await b.dte.ask(b"AT+CIPRXGET=2,0\r")


async def test_an_open_that_fails_and_a_far_close_make_room_too(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await serving(nursery, 8, server_full="queue")
    far = b.internet.connect_to_server(8080)
    b.internet.add_silent("silent.example")
    await b.dte.ask(b'AT+CIPTIMEOUT=120000,5000;+CIPOPEN=9,"TCP","silent.example",80\r')
    b.internet.connect_to_server(8080, source=PEER)
    b.internet.connect_to_server(8080, source=PEER)
    await b.dte.heard()
    await far.aclose()
    assert await b.dte.heard() == b"\r\n+IPCLOSE: 8,1\r\n" + client(8)
    assert await b.dte.heard(5) == b"\r\n+CIPOPEN: 9,10\r\n" + client(9)


async def test_who_leaves_the_queue_by_fin_is_let_in_and_by_rst_is_not(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await serving(nursery, 10, server_full="queue")
    gone = b.internet.connect_to_server(8080, source=("198.51.100.9", 1))
    done = b.internet.connect_to_server(8080, source=PEER)
    gone.reset()
    await done.send_eof()
    said = await b.dte.ask(b"AT+CIPCLOSE=0\r")
    assert said.partition(OK)[2] == client(0) + b"\r\n+IPCLOSE: 0,1\r\n"


async def test_the_queue_is_turned_away_with_its_server(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await serving(nursery, 10, server_full="queue")
    far = b.internet.connect_to_server(8080)
    assert await b.dte.ask(b"AT+SERVERSTOP=0\r") == b"\r\n+SERVERSTOP: 0,0\r\n" + OK
    with pytest.raises(trio.BrokenResourceError):
        await far.receive_some()


# -- the fault "collision" --------------------------------------------------------------


async def colliding(nursery: trio.Nursery, **given: Any) -> FaultBench:
    b = await fault_bench(nursery)
    await b.ask("AT+SERVERSTART=8080,0")
    b.faults.inject("collision", **given)
    return b


@pytest.mark.parametrize(
    ("order", "said", "later"),
    [
        ("client_first", client(0) + REFUSED_0 + ERROR, b""),
        ("refusal_first", REFUSED_0 + ERROR + client(0), b""),
        ("ok_first", OK, client(0) + REFUSED_0),
        ("result_first", OK, REFUSED_0 + client(0)),
        ("no_result", OK, client(0)),
    ],
)
async def test_a_client_and_an_open_meet_in_every_order(
    autojump_clock: MockClock, nursery: trio.Nursery, order: str, said: bytes, later: bytes
) -> None:
    b = await colliding(nursery, order=order, delay_s=0.2)
    far = b.internet.connect_to_server(8080, source=PEER)
    assert await b.dte.heard(0.5) == b""
    assert await b.dte.ask(OPEN_0) == said
    assert await b.dte.heard(0.2) == later
    assert b.struck() == ["collision"]
    await far.send_all(b"x")
    assert await b.dte.heard() == b"\r\n+CIPRXGET: 1,0\r\n"
    assert len(b.far) == 0


@pytest.mark.parametrize("order", ["ok_first", "any"])
async def test_a_udp_open_is_refused_at_once_whatever_the_order(
    autojump_clock: MockClock, nursery: trio.Nursery, order: str
) -> None:
    b = await colliding(nursery, order=order)
    b.internet.connect_to_server(8080, source=PEER)
    assert await b.dte.ask(OPEN_UDP_0) in (
        client(0) + REFUSED_0 + ERROR,
        REFUSED_0 + ERROR + client(0),
    )


async def test_a_client_that_no_open_comes_for_is_let_in_as_usual(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await colliding(nursery, hold_s=2.0)
    b.internet.connect_to_server(8080, source=PEER)
    assert await b.dte.heard(1.9) == b""
    assert await b.dte.heard(0.1) == client(0)
    assert b.struck() == []


async def test_it_collides_as_often_as_it_may_and_nobody_waits_behind_that(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await colliding(nursery, order="client_first", times=1)
    b.internet.connect_to_server(8080, source=PEER)
    assert client(0) in await b.dte.ask(OPEN_0)
    b.internet.connect_to_server(8080, source=PEER)
    assert await b.dte.heard() == client(1)


async def test_whoever_waits_when_it_is_lifted_is_let_in_or_turned_away(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await colliding(nursery)
    for number in range(1, 10):
        await b.dte.ask(b'AT+CIPOPEN=%d,"UDP",,,%d\r' % (number, 5000 + number))
    b.internet.connect_to_server(8080, source=PEER)
    late = b.internet.connect_to_server(8080, source=PEER)
    b.faults.clear()
    assert await b.dte.heard() == client(0)
    with pytest.raises(trio.BrokenResourceError):
        await late.receive_some()


async def test_a_thousand_collisions_cross_no_byte(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await colliding(nursery)
    orders = set()
    for turn in range(1000):
        far = b.internet.connect_to_server(8080, source=PEER)
        said = await b.dte.ask(OPEN_0 if turn % 2 else OPEN_UDP_0)
        assert said.count(client(0)) == 1
        orders.add(said)
        await far.send_all(b"%d" % turn)
        await b.dte.heard()
        assert b"\r\n%d\r\nOK" % turn in await b.dte.ask(b"AT+CIPRXGET=2,0\r")
        await b.dte.ask(b"AT+CIPCLOSE=0\r")
    assert len(orders) == 5
    assert b.struck() == ["collision"] * 1000

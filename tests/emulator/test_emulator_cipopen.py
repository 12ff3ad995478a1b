"""CIPOPEN and CIPCLOSE (protocol.md 18, lines 20-23 and 47-49)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import Bench, bench
from modemproxy.emulator.far_stream import FarStream

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
OPEN = b'AT+CIPOPEN=0,"TCP","a.example",80\r'
OPENED = OK + b"\r\n+CIPOPEN: 0,0\r\n"


async def linger(stream: FarStream) -> None:
    """Stay connected and read nothing."""
    await trio.sleep_forever()


async def ready(nursery: trio.Nursery, **options: Any) -> Bench:
    b = bench(nursery, **options)
    b.internet.listen_tcp("a.example", 80, linger)
    await b.dte.ready()
    return b


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (OPEN, OPENED),
        (b'AT+CIPOPEN=0, "TCP", "a.example", 80\r', OPENED),
        (b'AT+CIPOPEN=0,"tcp","203.0.113.1",80,0\r', OPENED),
        (b'AT+CIPOPEN=3,"TCP","a.example",81\r', OK + b"\r\n+CIPOPEN: 3,4\r\n"),
        (b'AT+CIPOPEN=3,"TCP","nowhere",80\r', OK + b"\r\n+CIPOPEN: 3,11\r\n"),
        (b'AT+CIPOPEN=10,"TCP","x",80\r', b"\r\n+IP ERROR: Invalid parameter\r\n" + ERROR),
        (b'AT+CIPOPEN=3,"TCP","",80\r', b"\r\n+CIPOPEN: 3,3\r\n" + ERROR),
        (b'AT+CIPOPEN=3,"TCP","x",0\r', b"\r\n+CIPOPEN: 3,3\r\n" + ERROR),
        (b'AT+CIPOPEN=3,"TCP","x",65536\r', b"\r\n+CIPOPEN: 3,3\r\n" + ERROR),
        (b'AT+CIPOPEN=3,"SCTP","x",1\r', b"\r\n+CIPOPEN: 3,3\r\n" + ERROR),
        (b'AT+CIPOPEN=3,"UDP","x",1\r', b"\r\n+CIPOPEN: 3,3\r\n" + ERROR),
        (b'AT+CIPOPEN=3,"UDP",,,5000\r', b"\r\n+CIPOPEN: 3,0\r\n" + OK),
        (b"AT+CIPCLOSE=3\r", b"\r\n+CIPCLOSE: 3,4\r\n" + ERROR),
    ],
)
async def test_answers(
    autojump_clock: MockClock, nursery: trio.Nursery, said: bytes, answer: bytes
) -> None:
    b = await ready(nursery)
    assert await b.dte.ask(said) == answer
    assert b.module.complaints == []


async def test_the_network_must_be_open(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    assert await dte.ask(OPEN) == b"\r\n+CIPOPEN: 0,2\r\n" + ERROR


async def test_a_used_link_cannot_be_opened_and_a_closed_one_can(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    dte = (await ready(nursery)).dte
    assert await dte.ask(OPEN) == OPENED
    assert await dte.ask(OPEN) == b"\r\n+CIPOPEN: 0,4\r\n" + ERROR
    assert await dte.ask(b"AT+CIPCLOSE=0\r") == OK + b"\r\n+CIPCLOSE: 0,0\r\n"
    assert await dte.ask(OPEN) == OPENED


async def test_a_silent_host_is_given_up_after_ciptimeout(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await ready(nursery)
    b.internet.add_silent("198.51.100.9")
    await b.dte.ask(b"AT+CIPTIMEOUT=,30000\r")
    assert await b.dte.ask(b'AT+CIPOPEN=4,"TCP","198.51.100.9",80\r') == OK
    assert await b.dte.heard(29.9) == b""
    assert await b.dte.heard(0.2) == b"\r\n+CIPOPEN: 4,10\r\n"
    assert await b.dte.ask(b'AT+CIPOPEN=4,"TCP","a.example",80\r') != ERROR


async def test_results_come_in_any_order_and_other_commands_in_between(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    b = await ready(nursery, open_delay_s=5)
    assert await b.dte.ask(OPEN) == OK
    b.module.set_profile(open_delay_s=1)
    assert await b.dte.ask(b'AT+CIPOPEN=1,"TCP","a.example",80\r') == OK
    assert await b.dte.ask(b"AT+CIPRXGET=4,1\r") == b"\r\n+CIPRXGET: 4,1,0\r\n" + OK
    assert await b.dte.heard(6) == b"\r\n+CIPOPEN: 1,0\r\n\r\n+CIPOPEN: 0,0\r\n"
    assert b.module.complaints == []


async def test_result_before_ok(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    dte = (await ready(nursery, open_result="before_ok", close_result="before_ok")).dte
    assert await dte.ask(OPEN) == b"\r\n+CIPOPEN: 0,0\r\n" + OK
    assert await dte.ask(b'AT+CIPOPEN=1,"TCP","nowhere",80\r') == (
        b"\r\n+CIPOPEN: 1,11\r\n" + ERROR
    )
    assert await dte.ask(b"AT+CIPCLOSE=0\r") == b"\r\n+CIPCLOSE: 0,0\r\n" + OK


async def test_close_while_opening(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await ready(nursery, open_delay_s=5, close_while_opening="error")
    await b.dte.ask(OPEN)
    assert await b.dte.ask(b"AT+CIPCLOSE=0\r") == b"\r\n+CIPCLOSE: 0,4\r\n" + ERROR
    b.module.set_profile(close_while_opening="abort")
    assert await b.dte.ask(b"AT+CIPCLOSE=0\r") == OK + b"\r\n+CIPCLOSE: 0,0\r\n"
    assert await b.dte.heard(10) == b""


async def test_queries_show_what_is_open(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await ready(nursery)
    await b.dte.ask(b'AT+CIPOPEN=1,"TCP","a.example",80\r')
    await b.dte.ask(b'AT+CIPOPEN=9,"UDP",,,5000\r')
    lines = [b"+CIPOPEN: %d\r\n" % number for number in range(10)]
    lines[1] = b'+CIPOPEN: 1,"TCP","203.0.113.1",80,-1\r\n'
    lines[9] = b'+CIPOPEN: 9,"UDP","",0,-1\r\n'
    assert await b.dte.ask(b"AT+CIPOPEN?\r") == b"\r\n" + b"".join(lines) + OK
    assert await b.dte.ask(b"AT+CIPCLOSE?\r") == (
        b"\r\n+CIPCLOSE: 0,1,0,0,0,0,0,0,0,1\r\n" + OK
    )


async def test_udp_close_says_the_result_first(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = (await ready(nursery)).dte
    await dte.ask(b'AT+CIPOPEN=2,"UDP",,,5000\r')
    assert await dte.ask(b'AT+CIPOPEN=3,"UDP",,,5000\r') == b"\r\n+CIPOPEN: 3,6\r\n" + ERROR
    assert await dte.ask(b"AT+CIPCLOSE=2\r") == b"\r\n+CIPCLOSE: 2,0\r\n" + OK
    assert await dte.ask(b'AT+CIPOPEN=3,"UDP",,,5000\r') == b"\r\n+CIPOPEN: 3,0\r\n" + OK


async def test_a_far_close_frees_the_number_and_our_close_gives_a_fin(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    b = await ready(nursery)
    far: list[FarStream] = []

    async def keep(stream: FarStream) -> None:
        far.append(stream)
        await trio.sleep_forever()

    b.internet.listen_tcp("a.example", 80, keep)
    await b.dte.ask(OPEN)
    await far[0].send_eof()
    assert await b.dte.heard() == b"\r\n+IPCLOSE: 0,1\r\n"
    assert await far[0].receive_some() == b""
    assert await b.dte.ask(b"AT+CIPCLOSE=0\r") == b"\r\n+CIPCLOSE: 0,4\r\n" + ERROR
    assert await b.dte.ask(OPEN) == OPENED
    await b.dte.ask(b"AT+CIPCLOSE=0\r")
    assert await far[1].receive_some() == b""
    assert await b.dte.ask(OPEN) == OPENED
    far[2].reset()
    assert await b.dte.heard() == b"\r\n+IPCLOSE: 0,1\r\n"


async def test_a_far_side_that_closes_at_once_is_told_after_the_result(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    b = await ready(nursery, open_delay_s=1)

    async def hang_up(stream: FarStream) -> None:
        await trio.lowlevel.checkpoint()

    b.internet.listen_tcp("a.example", 80, hang_up)
    await b.dte.ask(OPEN)
    assert await b.dte.heard(1) == b"\r\n+CIPOPEN: 0,0\r\n\r\n+IPCLOSE: 0,1\r\n"


async def test_a_reboot_comes_instead_of_the_result(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await ready(nursery, open_delay_s=5)
    await b.dte.ask(OPEN)
    b.module.reboot()
    said = await b.dte.heard(20)
    assert b"+CIPOPEN" not in said
    assert said.startswith(b"\x00\r\n*ATREADY: 1\r\n")


async def test_an_open_that_holds_its_command_ends_with_the_network(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await ready(nursery, open_result="before_ok")
    b.internet.add_silent("silent.example")
    assert await b.dte.ask(b'AT+CIPOPEN=0,"TCP","silent.example",80\r') == b""
    b.module.lose_network()
    heard = await b.dte.heard(1)
    assert b"\r\n+CIPOPEN: 0,1\r\n\r\nERROR\r\n" in heard
    assert await b.dte.ask(b"AT\r") == OK

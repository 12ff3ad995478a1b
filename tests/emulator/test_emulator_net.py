"""NETOPEN, NETCLOSE, IPADDR, losing the network (protocol.md 18, lines 14-19)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
OPENED = OK + b"\r\n+NETOPEN: 0\r\n"
NOT_OPEN = b"\r\n+IP ERROR: Network not opened\r\n" + ERROR


async def test_open_ask_address_and_close(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    assert await dte.ask(b"AT+NETOPEN?\r") == b"\r\n+NETOPEN: 0\r\n" + OK
    assert await dte.ask(b"AT+IPADDR\r") == NOT_OPEN
    assert await dte.ask(b"AT+CIPOPEN?\r") == NOT_OPEN
    assert await dte.ask(b"AT+NETCLOSE\r") == b"\r\n+NETCLOSE: 2\r\n" + ERROR
    assert await dte.ask(b"AT+NETOPEN\r") == OPENED
    assert await dte.ask(b"AT+NETOPEN?\r") == b"\r\n+NETOPEN: 1\r\n" + OK
    assert await dte.ask(b"AT+IPADDR\r") == b"\r\n+IPADDR: 10.84.17.161\r\n" + OK
    assert await dte.ask(b"AT+NETOPEN\r") == (
        b"\r\n+IP ERROR: Network is already opened\r\n" + ERROR
    )
    assert await dte.ask(b"AT+NETCLOSE\r") == OK + b"\r\n+NETCLOSE: 0\r\n"
    assert await dte.ask(b"AT+IPADDR\r") == NOT_OPEN


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"netopen_result_before_ok": True}, b"\r\n+NETOPEN: 0\r\n" + OK),
        ({"netopen_fail_first": 1}, OK + b"\r\n+NETOPEN: 1\r\n"),
        ({"netopen_fail_first": 1, "netopen_fail_code": 5}, OK + b"\r\n+NETOPEN: 5\r\n"),
        ({"netopen_fail_first": 1, "netopen_fail_code": None}, ERROR),
        ({"netopen_mute": True}, OK),
        ({"sockets_present": False}, ERROR),
        ({"cereg": 3, "cgreg": 3}, OK + b"\r\n+NETOPEN: 1\r\n"),
        ({"sim": "SIM PIN"}, OK + b"\r\n+NETOPEN: 1\r\n"),
        ({"creg": 3, "cereg": 5}, OPENED),
    ],
)
async def test_ways_to_answer_netopen(
    autojump_clock: MockClock, nursery: trio.Nursery, options: dict[str, Any], answer: bytes
) -> None:
    assert await bench(nursery, boot_echo=False, **options).dte.ask(b"AT+NETOPEN\r") == answer


async def test_failures_end_after_their_number(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False, netopen_fail_first=2).dte
    answers = [await dte.ask(b"AT+NETOPEN\r") for _ in range(3)]
    assert answers == [OK + b"\r\n+NETOPEN: 1\r\n"] * 2 + [OPENED]


async def test_the_result_comes_after_its_delay(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False, netopen_delay_s=5, netclose_delay_s=1).dte
    assert await dte.ask(b"AT+NETOPEN\r") == OK
    assert await dte.heard(4.9) == b""
    assert await dte.heard(0.2) == b"\r\n+NETOPEN: 0\r\n"
    assert await dte.ask(b"AT+NETCLOSE\r") == OK
    assert await dte.heard(1) == b"\r\n+NETCLOSE: 0\r\n"


async def test_netclose_names_the_links_it_closes(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.module.preset.ghost_links(2)
    await b.dte.ask(b'AT+CIPOPEN=5,"UDP",,,5000\r')
    assert await b.dte.ask(b"AT+NETCLOSE\r") == (
        b"\r\n+CIPCLOSE: 5,0\r\n"
        + OK
        + b"\r\n+CIPCLOSE: 0,0\r\n\r\n+CIPCLOSE: 1,0\r\n\r\n+NETCLOSE: 0\r\n"
    )


async def test_old_firmware_says_closed_in_words(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False, netclose_closed_form="text").dte
    assert await dte.ask(b"AT+NETCLOSE\r") == (
        b"\r\n+IP ERROR: Network is already closed\r\n" + ERROR
    )


@pytest.mark.parametrize("state", [0, 1])
async def test_a_lost_network_takes_the_links_without_ipclose(
    autojump_clock: MockClock, nursery: trio.Nursery, state: int
) -> None:
    b = bench(nursery, boot_echo=False, netopen_after_loss=state)
    b.module.preset.ghost_links(1)
    await b.dte.ask(b"AT+CIPRXGET=1\r")
    b.module.lose_network()
    assert await b.dte.heard() == b"\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n"
    assert await b.dte.ask(b"AT+CIPCLOSE?\r") == (
        b"\r\n+CIPCLOSE: 0,0,0,0,0,0,0,0,0,0\r\n" + OK
    )
    assert await b.dte.ask(b"AT+CIPRXGET=4,0\r") == b"\r\n+CIPRXGET: 4,0,0\r\n" + OK
    assert await b.dte.ask(b"AT+NETOPEN?\r") == f"\r\n+NETOPEN: {state}\r\n".encode() + OK
    if state:
        assert (await b.dte.ask(b"AT+NETCLOSE\r")).endswith(b"\r\n+NETCLOSE: 0\r\n")
    assert await b.dte.ask(b"AT+NETOPEN\r") == OPENED


async def test_a_silent_loss_says_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.module.preset.network_open()
    b.module.lose_network(urc=False)
    assert await b.dte.heard() == b""
    assert await b.dte.ask(b"AT+IPADDR\r") == NOT_OPEN


async def test_latched_settings_need_another_netopen(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery)
    await b.dte.ready()
    assert await b.dte.ask(b"AT+CSOCKSETPN=1,1\r") == ERROR
    await b.dte.ask(b"AT+CIPCCFG=10,0,0,1,1,0,500,1\r")
    assert b.module.dce.stack.latched == (0, 1, 0)
    await b.dte.ask(b"AT+NETCLOSE\r")
    await b.dte.ask(b"AT+NETOPEN\r")
    assert b.module.dce.stack.latched == (0, 1, 1)


async def test_firmware_without_sockets_still_has_an_address(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False, sockets_present=False)
    for line in (b"NETOPEN?", b"IPADDR", b"CIPRXGET=1", b"CIPMODE=0", b"SERVERSTOP=0"):
        assert await b.dte.ask(b"AT+" + line + b"\r") == ERROR
    assert await b.dte.ask(b"AT+CGPADDR=1\r") == b"\r\n+CGPADDR: 1,10.84.17.161\r\n" + OK


async def test_error_numbers_instead_of_words(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False, err_mode=0).dte
    assert await dte.ask(b"AT+IPADDR\r") == b"\r\n+IP ERROR: 8\r\n" + ERROR
    await dte.ask(b"AT+CIPCCFG=10,0,0,1,1,0,500\r")
    assert await dte.ask(b"AT+IPADDR\r") == NOT_OPEN


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b'AT+CDNSGIP="a.example"\r', b'\r\n+CDNSGIP: 1,"a.example","203.0.113.1"\r\n' + OK),
        (b'AT+CDNSGIP="nowhere"\r', b"\r\n+CDNSGIP: 0,10\r\n" + ERROR),
        (
            b'AT+CPING="a.example",1,1\r',
            OK + b"\r\n+CPING: 1,203.0.113.1,64,1,64\r\n\r\n+CPING: 3,1,1,0,1,1,1\r\n",
        ),
        (b'AT+CPING="nowhere",1,1\r', OK + b"\r\n+CPING: 2\r\n\r\n+CPING: 3,1,0,1,0,0,0\r\n"),
    ],
)
async def test_names(
    autojump_clock: MockClock, nursery: trio.Nursery, said: bytes, answer: bytes
) -> None:
    b = bench(nursery, boot_echo=False)
    b.internet.add_host("a.example")
    assert await b.dte.ask(said) == answer


async def test_a_slow_lookup_blocks_the_channel(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False, dns_delay_s=6)
    assert await b.dte.ask(b'AT+CDNSGIP="nowhere"\r') == b""
    assert await b.dte.heard(6) == b"\r\n+CDNSGIP: 0,10\r\n" + ERROR


@pytest.mark.parametrize(("fields", "tail"), [(7, b"500"), (8, b"500,0")])
async def test_cipccfg_has_seven_or_eight_fields(
    autojump_clock: MockClock, nursery: trio.Nursery, fields: int, tail: bytes
) -> None:
    dte = bench(nursery, boot_echo=False, cipccfg_fields=fields).dte
    answer = await dte.ask(b"AT+CIPCCFG?\r")
    assert answer == b"\r\n+CIPCCFG: 10,0,0,1,0,0," + tail + b"\r\n" + OK
    eight = await dte.ask(b"AT+CIPCCFG=10,0,0,1,1,0,500,1\r")
    assert eight == (OK if fields == 8 else ERROR)


async def test_cipcfg_is_absent_on_old_firmware(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False, cipcfg=False).dte
    assert await dte.ask(b'AT+CIPCFG="DATAECHO",OFF\r') == ERROR

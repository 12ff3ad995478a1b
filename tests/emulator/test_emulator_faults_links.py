"""Faults of opens, closes and the network."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.faults import Fault
from tests.emulator.faultbench import ERROR, NO_DATA, OK, PROMPT, fault_bench

OPEN = 'AT+CIPOPEN=3,"TCP","a.example",80'
EVENT = b"\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n"


def opened(err: int, link: int = 3) -> bytes:
    return b"\r\n+CIPOPEN: %d,%d\r\n" % (link, err)


@pytest.mark.parametrize("err", [1, 3, 4, 5, 6, 8, 9, 10, 11, 12])
async def test_an_open_fails(
    autojump_clock: MockClock, nursery: trio.Nursery, err: int
) -> None:
    b = await fault_bench(nursery)
    b.faults.inject("open_error", err=err, times=1, delay_s=2)
    at_once = opened(err) + ERROR
    late = OK + opened(err)
    assert await b.ask(OPEN, after_s=3) == (at_once if err in (3, 4, 6) else late)
    assert await b.ask(OPEN, after_s=1) == OK + opened(0)


async def test_an_open_has_no_result(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery)
    b.faults.inject("open_never", times=1)
    assert await b.ask(OPEN, after_s=200) == OK
    assert await b.ask(OPEN) == opened(4) + ERROR
    assert await b.ask("AT+CIPCLOSE=3") == OK + b"\r\n+CIPCLOSE: 3,0\r\n"
    assert await b.ask(OPEN, after_s=1) == OK + opened(0)


@pytest.mark.parametrize("stubborn", [True, False])
async def test_a_success_comes_late(
    autojump_clock: MockClock, nursery: trio.Nursery, stubborn: bool
) -> None:
    b = await fault_bench(nursery)
    b.faults.inject("open_late", delay_s=35, stubborn=stubborn, times=1)
    assert await b.ask(OPEN, after_s=30) == OK
    closed = b"\r\n+CIPCLOSE: 3,4\r\n" + ERROR if stubborn else OK + b"\r\n+CIPCLOSE: 3,0\r\n"
    assert await b.ask("AT+CIPCLOSE=3") == closed
    assert await b.dte.heard(10) == (opened(0) if stubborn else b"")
    if stubborn:
        assert await b.ask("AT+CIPCLOSE=3") == OK + b"\r\n+CIPCLOSE: 3,0\r\n"
    assert await b.ask(OPEN, after_s=1) == OK + opened(0)


@pytest.mark.parametrize(
    ("given", "line", "kept"),
    [
        ({}, b"\r\n+IPCLOSE: 0,1\r\n", True),
        ({"code": 0}, b"\r\n+IPCLOSE: 0,0\r\n", True),
        ({"code": 2, "reset": True}, b"\r\n+IPCLOSE: 0,2\r\n", True),
        ({"discard": True}, b"\r\n+IPCLOSE: 0,1\r\n", False),
        ({"urc": False}, b"", True),
    ],
)
async def test_a_link_is_closed(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    given: dict[str, Any],
    line: bytes,
    kept: bool,
) -> None:
    b = await fault_bench(nursery, 0, 1)
    await b.far_sends(b"abcd")
    b.faults.inject("far_close", link=0, **given)
    assert await b.settled() == line
    assert b"+CIPCLOSE: 0,1,0" in await b.ask("AT+CIPCLOSE?")
    assert await b.read() == (b"\r\n+CIPRXGET: 2,0,4,0\r\nabcd" + OK if kept else NO_DATA)


@pytest.mark.parametrize(("which", "link"), [("same", 0), ("other", 1)])
async def test_a_link_is_closed_in_the_middle_of_a_send(
    autojump_clock: MockClock, nursery: trio.Nursery, which: str, link: int
) -> None:
    b = await fault_bench(nursery, 0, 1)
    b.faults.add(Fault("far_close", which=which, on_send="payload"))
    count = -1 if which == "same" else 4
    line = b"\r\n+IPCLOSE: %d,1\r\n" % link
    assert await b.send(b"abcd") == PROMPT + line + OK + b"\r\n+CIPSEND: 0,4,%d\r\n" % count


async def test_data_of_the_last_use_shows_up(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 3)
    await b.far_sends(b"old")
    b.faults.inject("stale_data", for_s=10)
    b.faults.inject("far_close", link=3)
    await b.ask(OPEN, after_s=1)
    assert b"old" in await b.read(3)


# -- the network --


@pytest.mark.parametrize(("urc", "says"), [(True, 0), (True, 1), (False, 0)])
async def test_the_network_is_lost(
    autojump_clock: MockClock, nursery: trio.Nursery, urc: bool, says: int
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("lose_network", urc=urc, netopen_says=says)
    assert await b.settled() == (EVENT if urc else b"")
    assert await b.ask("AT+NETOPEN?") == b"\r\n+NETOPEN: %d\r\n" % says + OK
    assert b.far[0].was_reset


async def test_a_dead_network_takes_everything_and_gives_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    dead = b.faults.inject("network_dead")
    assert (await b.send(b"abcd")).endswith(b"+CIPSEND: 0,4,4\r\n")
    assert b"+CIPACK: 4,0,0" in await b.ask("AT+CIPACK=0")
    assert await b.far_sends(b"hello") == b""
    assert await b.ask(OPEN, after_s=121) == OK + opened(10)
    assert b"+CPING: 3,1,0,1" in await b.ask('AT+CPING="a.example",1,1', after_s=30)
    assert bytes(b.got[0]) == b""
    dead.lift()
    assert await b.settled() == b"\r\n+CIPRXGET: 1,0\r\n"
    assert bytes(b.got[0]) == b"abcd"
    assert b"+CIPACK: 4,4,5" in await b.ask("AT+CIPACK=0")
    assert await b.ask(OPEN, after_s=1) == OK + opened(0)


@pytest.mark.parametrize(
    ("until", "commands", "alive"),
    [
        ("lifted", ("AT+NETCLOSE", "AT+NETOPEN"), False),
        ("netopen", ("AT+NETCLOSE", "AT+NETOPEN"), True),
        ("reset", ("AT+NETCLOSE", "AT+NETOPEN"), False),
        ("reset", ("AT+CFUN=0", "AT+CFUN=1", "AT+NETOPEN"), True),
    ],
)
async def test_what_revives_a_dead_network(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    until: str,
    commands: tuple[str, ...],
    alive: bool,
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("network_dead", until=until)
    await b.send(b"lost")
    for command in commands:
        await b.ask(command, after_s=1)
    result = await b.ask(OPEN, after_s=121)
    assert result == OK + opened(0 if alive else 10)
    closed_in_order = alive and until == "netopen"
    assert bytes(b.got[0]) == (b"lost" if closed_in_order else b"")


@pytest.mark.parametrize(
    ("how", "said"),
    [("result", OK + b"\r\n+NETOPEN: 1\r\n"), ("error", ERROR), ("mute", OK)],
)
async def test_netopen_fails(
    autojump_clock: MockClock, nursery: trio.Nursery, how: str, said: bytes
) -> None:
    b = await fault_bench(nursery)
    await b.ask("AT+NETCLOSE")
    b.faults.inject("netopen_fails", how=how, times=2)
    assert await b.ask("AT+NETOPEN", after_s=1) == said
    assert await b.ask("AT+NETOPEN", after_s=1) == said
    assert await b.ask("AT+NETOPEN", after_s=1) == OK + b"\r\n+NETOPEN: 0\r\n"


@pytest.mark.parametrize("told", [True, False])
async def test_another_address(
    autojump_clock: MockClock, nursery: trio.Nursery, told: bool
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("new_address", address="10.1.2.3", told=told)
    assert (b"+CGEV" in await b.settled()) == told
    assert b"+IPADDR: 10.1.2.3" in await b.ask("AT+IPADDR")
    await b.send(b"abcd")
    assert bytes(b.got[0]) == b""
    await b.ask("AT+NETCLOSE")
    await b.ask("AT+NETOPEN")
    await b.ask(OPEN)
    await b.send(b"abcd", 3)
    assert bytes(b.got[1]) == b"abcd"


@pytest.mark.parametrize(("state", "stat"), [("searching", 2), ("denied", 3)])
async def test_registration_is_lost_for_a_while(
    autojump_clock: MockClock, nursery: trio.Nursery, state: str, stat: int
) -> None:
    b = await fault_bench(nursery, 0)
    await b.ask("AT+CEREG=1")
    b.faults.inject("registration", state=state, for_s=30)
    said = await b.settled()
    assert b"+CEREG: %d" % stat in said
    assert EVENT in said
    assert b"+CEREG: 1,%d" % stat in await b.ask("AT+CEREG?")
    assert b"+NETOPEN: 1" in await b.ask("AT+NETOPEN", after_s=1)
    assert b"+CEREG: 1" in await b.dte.heard(30)
    assert b"+NETOPEN: 0" in await b.ask("AT+NETOPEN", after_s=1)


async def test_a_restart_does_not_help_where_nobody_registers(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery)
    lost = b.faults.inject("registration")
    b.faults.inject("reboot")
    await trio.sleep(10)
    assert b"+CEREG: 0,2" in await b.ask("AT+CEREG?")
    lost.lift()
    assert b"+CEREG: 0,1" in await b.ask("AT+CEREG?")


async def test_the_sim_is_taken_out(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery, 0)
    out = b.faults.inject("sim")
    assert await b.settled() == b"\r\n+CPIN: NOT INSERTED\r\n" + EVENT
    assert b"SIM not inserted" in await b.ask("AT+CPIN?")
    assert b"+CEREG: 0,0" in await b.ask("AT+CEREG?")
    out.lift()
    assert await b.settled() == b"\r\n+CPIN: READY\r\n"
    assert b"+CPIN: READY" in await b.ask("AT+CPIN?")
    assert b"+NETOPEN: 0" in await b.ask("AT+NETOPEN", after_s=1)


@pytest.mark.parametrize("stuck", [True, False])
async def test_the_radio_is_off(
    autojump_clock: MockClock, nursery: trio.Nursery, stuck: bool
) -> None:
    b = await fault_bench(nursery, 0)
    off = b.faults.inject("radio_off", stuck=stuck)
    assert b"+CFUN: 0" in await b.ask("AT+CFUN?")
    assert await b.ask("AT+CFUN=1") == (ERROR if stuck else OK)
    off.lift()
    assert b"+CFUN: 1" in await b.ask("AT+CFUN?")
    assert b"+NETOPEN: 0" in await b.ask("AT+NETOPEN", after_s=1)


async def test_firmware_without_socket_commands(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("no_sockets", for_s=5)
    assert await b.ask("AT+NETOPEN?") == ERROR
    await trio.sleep(5)
    assert b"+NETOPEN: 1" in await b.ask("AT+NETOPEN?")

"""Faults of unsolicited lines, of answers, and of reads."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.faults import Fault
from tests.emulator.faultbench import ERROR, NO_DATA, OK, PROMPT, fault_bench

HINT = b"\r\n+CIPRXGET: 1,0\r\n"


def read_of(data: bytes, rest: int = 0, link: int = 0) -> bytes:
    return b"\r\n+CIPRXGET: 2,%d,%d,%d\r\n" % (link, len(data), rest) + data + OK


async def test_one_data_hint_is_lost(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery, 0, 1)
    b.faults.inject("drop_urc", link=0, times=1)
    assert await b.far_sends(b"a", 1) == HINT.replace(b",0", b",1")
    assert await b.far_sends(b"a") == b""
    assert await b.read() == read_of(b"a")
    assert await b.far_sends(b"b") == HINT


@pytest.mark.parametrize(
    ("urc", "event", "line"),
    [
        ("closed", Fault("far_close", link=0), b"\r\n+IPCLOSE: 0,1\r\n"),
        ("network", Fault("lose_network"), b"\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n"),
        ("sim", Fault("sim"), b"\r\n+CPIN: NOT INSERTED\r\n"),
        ("packet", Fault("say"), b"\r\n+CGEV: EPS PDN ACT 1\r\n"),
        ("any", Fault("say"), b"\r\n+CGEV: EPS PDN ACT 1\r\n"),
    ],
)
async def test_a_sort_of_line_can_be_dropped_or_delayed(
    autojump_clock: MockClock, nursery: trio.Nursery, urc: str, event: Fault, line: bytes
) -> None:
    for name, given in (("drop_urc", {}), ("delay_urc", {"delay_s": 2})):
        b = await fault_bench(nursery, 0)
        b.faults.inject(name, urc=urc, times=1, **given)
        b.faults.add(event)
        assert line not in await b.settled()
        assert (line in await b.dte.heard(2)) == (name == "delay_urc")


@pytest.mark.parametrize(
    ("urc", "command"),
    [
        ("open_result", 'AT+CIPOPEN=1,"TCP","a.example",80'),
        ("close_result", "AT+CIPCLOSE=0"),
        ("netclose_result", "AT+NETCLOSE"),
    ],
)
async def test_the_late_result_of_a_command_is_lost(
    autojump_clock: MockClock, nursery: trio.Nursery, urc: str, command: str
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("drop_urc", urc=urc)
    said = await b.ask(command, after_s=1)
    assert said.startswith(OK)
    assert len(b.faults.log) == 1


async def test_a_storm_has_its_rate_and_its_end(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("urc_storm", rate=500, lines=["RING"], for_s=2)
    assert (await b.dte.heard(1)).count(b"RING") == pytest.approx(500, abs=1)
    assert (await b.dte.heard(5)).count(b"RING") == pytest.approx(500, abs=1)


async def test_lines_stand_at_every_boundary(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("urc_everywhere", lines=["X"], places=["prompt", "entry", "line"], for_s=5)
    x = b"\r\nX\r\n"
    sent = x + PROMPT + x + x + OK + x + b"\r\n+CIPSEND: 0,1,1\r\n"
    assert await b.send(b"a") == sent
    await trio.sleep(5)
    assert await b.send(b"a") == sent.replace(x, b"")


async def test_a_queue_overflows(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery)
    b.faults.inject("urc_overflow", depth=3)
    for number in range(5):
        b.faults.inject("say", text=f"URC {number}")
    assert (await b.settled()).count(b"URC") == 3
    b.faults.inject("say", text="URC 5")
    assert b"URC 5" in await b.settled()


@pytest.mark.parametrize(
    ("name", "given", "said", "runs"),
    [
        ("lose_command", {}, b"", 0),
        ("lose_answer", {}, b"", 1),
        ("lose_final", {}, b"\r\n+CSQ: 22,0\r\n", 1),
        ("answer", {"final": "+CME ERROR: SIM busy"}, b"\r\n+CME ERROR: SIM busy\r\n", 0),
        ("answer", {"final": "OK", "lines": ["+CSQ: 1,0"]}, b"\r\n+CSQ: 1,0\r\n" + OK, 0),
    ],
)
async def test_an_answer_goes_wrong_once(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    name: str,
    given: dict[str, Any],
    said: bytes,
    runs: int,
) -> None:
    b = await fault_bench(nursery)
    b.faults.inject(name, command="+CSQ", times=1, **given)
    assert await b.ask("AT+CREG?") == b"\r\n+CREG: 0,1\r\n" + OK
    assert await b.ask("AT+CSQ") == said
    assert await b.ask("AT+CSQ") == b"\r\n+CSQ: 22,0\r\n" + OK
    assert b.faults.log[0].detail.startswith("+CSQ")


async def test_a_command_without_an_answer_is_executed_or_not(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0, 1)
    b.faults.inject("lose_command", command="+CIPCLOSE", link=0)
    b.faults.inject("lose_answer", command="+CIPCLOSE", link=1)
    assert await b.ask("AT+CIPCLOSE=0") == b""
    assert await b.ask("AT+CIPCLOSE=1") == b"\r\n+CIPCLOSE: 1,0\r\n"
    assert b"+CIPCLOSE: 1,0,0" in await b.ask("AT+CIPCLOSE?")


async def test_an_answer_comes_late(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("late_answer", command="+CIPSEND", delay_s=3, times=1)
    assert await b.ask("AT+CIPSEND=0,1") == b""
    assert await b.dte.heard(3) == PROMPT
    assert (await b.dte.ask(b"x")).startswith(OK)


async def test_echo_comes_on(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery)
    assert await b.ask("AT") == OK
    b.faults.inject("echo_on")
    assert await b.ask("AT") == b"AT\r" + OK


# -- reads --


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("read_refused", {}, NO_DATA),
        ("read_refused", {"form": "error"}, ERROR),
        ("read_refused", {"waiting": "data"}, NO_DATA),
        ("read_refused", {"waiting": "nothing"}, read_of(b"0123456789")),
        ("lose_payload", {"count": 4}, read_of(b"0123456789").replace(b"3456", b"")),
        (
            "lose_payload",
            {"count": 2, "where": "start"},
            read_of(b"0123456789").replace(b"01", b""),
        ),
        (
            "lose_payload",
            {"count": 2, "where": "end"},
            read_of(b"0123456789").replace(b"89", b""),
        ),
        ("rest_lies", {"by": 5, "also_zero": True}, read_of(b"0123456789", 5)),
        ("rest_lies", {"by": 5}, read_of(b"0123456789")),
        ("flip_header", {"field": "link", "bit": 0}, read_of(b"0123456789", link=1)),
        ("flip_header", {"field": "rest", "bit": 1}, read_of(b"0123456789", 2)),
    ],
)
async def test_a_read_goes_wrong_once(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    name: str,
    given: dict[str, Any],
    said: bytes,
) -> None:
    b = await fault_bench(nursery, 0)
    await b.far_sends(b"0123456789")
    b.faults.inject(name, times=1, **given)
    assert await b.read() == said
    left = name == "read_refused" and given.get("waiting") != "nothing"
    assert await b.read() == (read_of(b"0123456789") if left else NO_DATA)


async def test_reads_are_short(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery, 0)
    await b.far_sends(bytes(1000))
    b.faults.inject("short_read", most=10)
    rest = 1000
    while rest:
        said = await b.read()
        size, left = map(int, said.split(b"\r\n")[1].split(b",")[2:])
        assert 1 <= size <= 10
        assert rest - size == left
        rest = left


@pytest.mark.parametrize(
    ("where", "first"),
    [("header", b"\r\n+CIPRXGET"), ("payload", b"\r\n+CIPRXGET: 2,0,4,0\r\nab"), ("ok", None)],
)
async def test_the_line_stands_still_in_the_middle_of_a_read(
    autojump_clock: MockClock, nursery: trio.Nursery, where: str, first: bytes | None
) -> None:
    b = await fault_bench(nursery, 0)
    await b.far_sends(b"abcd")
    b.faults.inject("pause", where=where, delay_s=0.8, times=1)
    whole = read_of(b"abcd")
    begin = first or whole[:-3]
    assert await b.read() == begin
    assert await b.dte.heard(0.7) == b""
    assert await b.dte.heard(0.2) == whole[len(begin) :]
    await b.far_sends(b"abcd")
    assert await b.read() == whole


async def test_the_result_of_netopen_is_lost(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery)
    await b.ask("AT+NETCLOSE")
    b.faults.inject("drop_urc", urc="netopen_result", times=1)
    assert await b.ask("AT+NETOPEN", after_s=1) == OK
    assert await b.ask("AT+NETOPEN?") == b"\r\n+NETOPEN: 1\r\n" + OK


async def test_the_second_port_is_left_alone(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery)
    b.faults.inject("answer", command="+CSQ")
    port = b.module.second.port
    port.receive(b"ATE0;+CSQ\r")
    assert b"+CSQ: 22,0" in port.out.take()
    assert await b.ask("AT+CSQ") == ERROR

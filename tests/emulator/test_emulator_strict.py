"""What a DTE must not do is noticed (protocol.md 18, line 7)."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import Bench, bench

OK = b"\r\nOK\r\n"
SLOW = 0.1


def slow(nursery: trio.Nursery, overlap: str) -> Bench:
    return bench(nursery, boot_echo=False, command_latency_s=SLOW, overlap=overlap)


async def test_queued_overlap_is_executed_after(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = slow(nursery, "queue")
    assert await b.dte.ask(b"AT\rAT+CSQ\r") == b""
    assert await b.dte.heard(SLOW) == OK
    assert await b.dte.heard(SLOW) == b"\r\n+CSQ: 22,0\r\n" + OK
    assert b.module.complaints == ["input while a command executes: b'AT+CSQ\\r'"]


async def test_dropped_overlap_is_gone(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = slow(nursery, "drop")
    await b.dte.ask(b"AT\rAT+CSQ\r")
    assert await b.dte.heard(3 * SLOW) == OK
    assert len(b.module.complaints) == 1


async def test_refused_overlap_gets_an_error_at_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = slow(nursery, "error")
    assert await b.dte.ask(b"AT\r\nAT+CSQ\r\n") == b"\r\nERROR\r\n"
    assert await b.dte.heard(3 * SLOW) == OK
    assert len(b.module.complaints) == 1


async def test_the_lf_of_a_command_is_no_overlap(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = slow(nursery, "error")
    await b.dte.ask(b"AT\r")
    await b.dte.ask(b"\n")
    assert await b.dte.heard(SLOW) == OK
    assert b.module.complaints == []


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (b"AT\n\r", "LF that is not after a CR"),
        (b"\x1aAT\r", "stray Ctrl-Z before a command"),
        (b"hello AT\r", "not a command line: b'hello AT'"),
        (b"AT+CIPSEND=0,0\r", "CIPSEND of 0 bytes"),
        (b"AT+CIPSEND=0,1501\r", "CIPSEND of 1501 bytes"),
        (b"AT+CIPRXGET=2,0,1501\r", "CIPRXGET=2 of 1501 bytes"),
        (b"AT+CIPRXGET=3,0,751\r", "CIPRXGET=3 of 751 bytes"),
        (b"AT+CIPRXGET=2,0,0\r", "CIPRXGET=2 of 0 bytes"),
    ],
)
async def test_complaints_name_the_mistake(
    autojump_clock: MockClock, nursery: trio.Nursery, said: bytes, complaint: str
) -> None:
    b = bench(nursery)
    await b.dte.ready()
    await b.dte.ask(said)
    assert b.module.complaints == [complaint]


async def test_unknown_commands_are_kept_apart_and_commands_are_counted(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    b = bench(nursery)
    await b.dte.ask(b"AT+CSQ;+CSQ\rAT+CIPSTATUS\rATD123\r")
    assert b.module.complaints == []
    assert b.module.unknown == ["+CIPSTATUS", "D"]
    assert b.module.commands["+CSQ"] == 2


async def test_surplus_behind_a_payload_is_noticed_and_parsed_as_a_command(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    b = slow(nursery, "queue")
    b.module.preset.ghost_links(1)
    await b.dte.ask(b"AT+CIPSEND=0,5\r")
    assert await b.dte.heard(SLOW) == b"\r\n>"
    await b.dte.ask(b"helloAT\r")
    said = await b.dte.heard(3 * SLOW)
    assert said == b"\r\nOK\r\n\r\n+CIPSEND: 0,5,5\r\n\r\nOK\r\n"
    assert b.module.complaints == ["input while a command executes: b'AT\\r'"]


async def test_payload_before_the_prompt_is_noticed_and_not_lost(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False, prompt_latency_s=0.04)
    b.module.preset.ghost_links(1)
    assert await b.dte.ask(b"AT+CIPSEND=0,5\rhello") == b""
    assert await b.dte.heard(0.04) == b"\r\n>\r\nOK\r\n\r\n+CIPSEND: 0,5,5\r\n"
    assert b.module.complaints == ["input while a command executes: b'hello'"]

"""CIPRXGET, reads and hints (protocol.md 18, lines 35-46)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.emulator.opened import opened

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
NO_DATA = b"\r\n+IP ERROR: No data\r\n" + ERROR
HOSTILE = b"\r\nOK\r\n\x00>\r\n+CIPRXGET: 2,0,5,0\r\n\x1a"


async def test_hint_count_read_and_no_data(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery)
    await far.send_all(b"data from server")
    assert await b.dte.heard() == b"\r\n+CIPRXGET: 1,0\r\n"
    assert await b.dte.ask(b"AT+CIPRXGET=4,0\r") == b"\r\n+CIPRXGET: 4,0,16\r\n" + OK
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,5\r") == (b"\r\n+CIPRXGET: 2,0,5,11\r\ndata " + OK)
    assert await b.dte.ask(b"AT+CIPRXGET=3,0,5\r") == (
        b"\r\n+CIPRXGET: 3,0,5,6\r\n66726F6D20\r\n" + OK
    )
    assert await b.dte.ask(b"AT+CIPRXGET=2,0\r") == b"\r\n+CIPRXGET: 2,0,6,0\r\nserver" + OK
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,1500\r") == NO_DATA
    assert await b.dte.ask(b"AT+CIPRXGET=2,7,1500\r") == NO_DATA
    assert await b.dte.ask(b"AT+CIPACK=0\r") == b"\r\n+CIPACK: 0,0,16\r\n" + OK
    assert b.module.complaints == []


@pytest.mark.parametrize("trailer", ["\r\n", "\r\n\r\n"])
async def test_a_payload_is_raw_with_either_trailer(
    autojump_clock: MockClock, nursery: trio.Nursery, trailer: str
) -> None:
    b, far = await opened(nursery, trailer=trailer)
    await far.send_all(HOSTILE)
    await b.dte.heard()
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,1500\r") == (
        b"\r\n+CIPRXGET: 2,0,%d,0\r\n" % len(HOSTILE) + HOSTILE + trailer.encode() + b"OK\r\n"
    )


@pytest.mark.parametrize(
    ("kind", "hints"), [("edge", [1, 0, 1]), ("every", [1, 1, 1]), ("none", [0, 0, 0])]
)
async def test_hints(
    autojump_clock: MockClock, nursery: trio.Nursery, kind: str, hints: list[int]
) -> None:
    b, far = await opened(nursery, data_urcs=kind)
    heard = []
    for number in range(3):
        if number == 2:
            await b.dte.ask(b"AT+CIPRXGET=2,0,1500\r")
        await far.send_all(b"x")
        heard.append((await b.dte.heard()).count(b"+CIPRXGET: 1,0"))
    assert heard == hints


async def test_hints_can_be_lost(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b, far = await opened(nursery, data_urc_loss=1.0)
    await far.send_all(b"x")
    assert await b.dte.heard() == b""
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,9\r") == b"\r\n+CIPRXGET: 2,0,1,0\r\nx" + OK


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"AT+CIPRXGET?\r", b"\r\n+CIPRXGET: 1\r\n" + OK),
        (b"AT+CIPRXGET=?\r", b"\r\n+CIPRXGET: (0-5),(0-9),(1-1500)\r\n" + OK),
        (b"AT+CIPRXGET=2,0,1501\r", b"\r\n+IP ERROR: Invalid parameter\r\n" + ERROR),
        (b"AT+CIPRXGET=2,10,5\r", b"\r\n+IP ERROR: Invalid parameter\r\n" + ERROR),
        (b"AT+CIPRXGET=6\r", b"\r\n+IP ERROR: Invalid parameter\r\n" + ERROR),
        (b"AT+CIPRXGET=4,5\r", b"\r\n+CIPRXGET: 4,5,0\r\n" + OK),
    ],
)
async def test_answers(
    autojump_clock: MockClock, nursery: trio.Nursery, said: bytes, answer: bytes
) -> None:
    b, _ = await opened(nursery)
    assert await b.dte.ask(said) == answer


async def test_a_closed_link_can_be_an_error_and_words_in_lower_case(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    b, _ = await opened(nursery, closed_link_query="error", error_case="lower")
    assert await b.dte.ask(b"AT+CIPRXGET=4,5\r") == b"\r\n+IP ERROR: no data\r\n" + ERROR


async def test_reads_need_buffer_mode(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b, _ = await opened(nursery)
    await b.dte.ask(b"AT+CIPRXGET=0\r")
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,5\r") == (
        b"\r\n+IP ERROR: Operation not supported\r\n" + ERROR
    )


async def test_short_reads_and_the_rest(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery, short_reads=3)
    await far.send_all(b"12345")
    await b.dte.heard()
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,1500\r") == b"\r\n+CIPRXGET: 2,0,3,2\r\n123" + OK


async def test_a_full_buffer_stalls_the_far_side_and_loses_nothing(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    b, far = await opened(nursery, receive_buffer_bytes=3000)
    data = bytes(range(256)) * 40

    async def flood() -> None:
        await far.send_all(data)
        await far.send_eof()

    nursery.start_soon(flood)
    assert await b.dte.heard(60) == b"\r\n+CIPRXGET: 1,0\r\n"
    got, closed = b"", False
    while (said := await b.dte.ask(b"AT+CIPRXGET=2,0,1000\r")) != NO_DATA:
        closed = closed or b"+IPCLOSE: 0,1" in said
        head, _, rest = said.partition(b"\r\n+CIPRXGET: 2,0,")[2].partition(b"\r\n")
        got += rest[: int(head.split(b",")[0])]
    assert got == data
    assert closed


@pytest.mark.parametrize(
    ("options", "reset", "answer"),
    [
        ({}, False, b"\r\n+CIPRXGET: 2,0,4,0\r\nlast" + OK),
        ({}, True, b"\r\n+CIPRXGET: 2,0,4,0\r\nlast" + OK),
        ({"reset_discards_data": True}, True, NO_DATA),
        ({"reset_discards_data": True}, False, b"\r\n+CIPRXGET: 2,0,4,0\r\nlast" + OK),
        ({"keep_data_after_close": False}, False, NO_DATA),
    ],
)
async def test_data_after_a_far_close(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    options: dict[str, Any],
    reset: bool,
    answer: bytes,
) -> None:
    b, far = await opened(nursery, **options)
    await far.send_all(b"last")
    if reset:
        far.reset()
    else:
        await far.aclose()
    assert await b.dte.heard() == b"\r\n+CIPRXGET: 1,0\r\n\r\n+IPCLOSE: 0,1\r\n"
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,1500\r") == answer


@pytest.mark.parametrize(("stale", "count"), [(False, b"0"), (True, b"4")])
async def test_a_reused_number_may_show_the_last_users_data(
    autojump_clock: MockClock, nursery: trio.Nursery, stale: bool, count: bytes
) -> None:
    b, far = await opened(nursery, stale_data_after_reuse=stale)
    await far.send_all(b"last")
    await far.aclose()
    await b.dte.heard()
    await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    answer = await b.dte.ask(b"AT+CIPRXGET=4,0\r")
    assert answer == b"\r\n+CIPRXGET: 4,0," + count + b"\r\n" + OK


async def test_our_close_throws_unread_data_away(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery)
    await far.send_all(b"last")
    await b.dte.ask(b"AT+CIPCLOSE=0\r")
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,1500\r") == NO_DATA


async def test_direct_push_with_and_without_headers(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery)
    await b.dte.ask(b"AT+CIPRXGET=0\r")
    await far.send_all(b"HELLO CLIENT\r\n")
    head = b"\r\nRECV FROM:203.0.113.1:80\r\n+IPD14\r\n"
    assert await b.dte.heard() == head + b"HELLO CLIENT\r\n"
    await b.dte.ask(b"AT+CIPSRIP=0\r")
    await far.send_all(b"a")
    assert await b.dte.heard() == b"\r\n+IPD1\r\na"
    await b.dte.ask(b"AT+CIPHEAD=0\r")
    await far.send_all(b"b")
    assert await b.dte.heard() == b"b"
    await b.dte.ask(b"AT+CIPCCFG=10,0,0,1,1,0,500\r")
    await far.send_all(b"c" * 2000)
    assert await b.dte.heard() == (
        b"\r\n+RECEIVE,0,1500\r\n" + b"c" * 1500 + b"\r\n+RECEIVE,0,500\r\n" + b"c" * 500
    )


async def test_leaving_buffer_mode_dumps_what_is_buffered(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery)
    await far.send_all(b"x" * 1600)
    await b.dte.heard()
    head = b"\r\nRECV FROM:203.0.113.1:80\r\n+IPD"
    assert await b.dte.ask(b"AT+CIPRXGET=0\r") == (
        OK + head + b"1500\r\n" + b"x" * 1500 + head + b"100\r\n" + b"x" * 100
    )


async def test_a_hint_of_another_link_before_the_header(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery, ghost_urc_p=1.0)
    await far.send_all(b"x")
    await b.dte.heard()
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,9\r") == (
        b"\r\n+CIPRXGET: 1,1\r\n\r\n+CIPRXGET: 2,0,1,0\r\nx" + OK
    )


async def test_urcs_at_every_boundary_never_inside_a_payload(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery)
    await far.send_all(b"x\r\ny")
    await b.dte.heard()
    b.module.set_profile(urc_everywhere=("+CIPRXGET: 1,9",))
    urc = b"\r\n+CIPRXGET: 1,9\r\n"
    assert await b.dte.ask(b"AT+CIPRXGET=2,0,9\r") == (
        urc + b"\r\n+CIPRXGET: 2,0,4,0\r\nx\r\ny" + urc + urc + OK
    )
    assert await b.dte.ask(b"AT+CIPSEND=0,2\r") == urc + b"\r\n>" + urc
    assert await b.dte.ask(b"hi") == urc + OK + urc + b"\r\n+CIPSEND: 0,2,2\r\n"
    b.module.set_profile(urc_places=("prompt",))
    assert await b.dte.ask(b"AT+CIPSEND=0,2\r") == urc + b"\r\n>"
    assert await b.dte.ask(b"hi") == OK + b"\r\n+CIPSEND: 0,2,2\r\n"


async def test_mode_5_says_the_sender_before_the_hint(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery)
    await b.dte.ask(b"AT+CIPRXGET=5\r")
    await far.send_all(b"x")
    assert await b.dte.heard() == (b"\r\n+CIPRXGETIP:203.0.113.1:80\r\n\r\n+CIPRXGET: 1,0\r\n")


async def test_a_lost_close(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b, far = await opened(nursery, close_urc_loss=1.0)
    await far.send_eof()
    assert await b.dte.heard() == b""
    assert (await b.dte.ask(b"AT+CIPCLOSE?\r")).startswith(b"\r\n+CIPCLOSE: 0,")

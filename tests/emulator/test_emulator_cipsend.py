"""CIPSEND and CIPACK (protocol.md 18, lines 24-34 and 55)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import Bench, bench
from modemproxy.emulator.far_stream import FarStream

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
BUSY = b"\r\n+CIPERROR: 8\r\n" + ERROR
HOSTILE = b"\r\nOK\r\n>\x00\x03\x1a\x1b+++\r\n+IPCLOSE: 0,1\r\nAT\r"


async def opened(nursery: trio.Nursery, **options: Any) -> tuple[Bench, list[FarStream]]:
    """A module with link 0 open to a host that reads only what a test reads."""
    b = bench(nursery, **options)
    far: list[FarStream] = []

    async def keep(stream: FarStream) -> None:
        far.append(stream)
        await trio.sleep_forever()

    b.internet.listen_tcp("a.example", 80, keep)
    await b.dte.ready()
    await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    await b.dte.heard(max(1, b.module.profile.open_delay_s))
    return b, far


async def send(b: Bench, data: bytes) -> bytes:
    prompt = await b.dte.ask(b"AT+CIPSEND=0,%d\r" % len(data))
    assert prompt == b"\r\n>"
    return await b.dte.ask(data)


async def test_the_bytes_of_one_send(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b, far = await opened(nursery)
    assert await send(b, b"x" * 1460) == OK + b"\r\n+CIPSEND: 0,1460,1460\r\n"
    assert await far[0].receive_some() == b"x" * 1460
    assert await b.dte.ask(b"AT+CIPACK=0\r") == b"\r\n+CIPACK: 1460,1460,0\r\n" + OK


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_a_payload_is_counted_and_never_read(
    autojump_clock: MockClock, nursery: trio.Nursery, size: int
) -> None:
    b, far = await opened(nursery)
    said = await b.dte.pieces(b"AT+CIPSEND=0,%d\r" % len(HOSTILE) + HOSTILE, size)
    assert said == b"\r\n>" + OK + b"\r\n+CIPSEND: 0,%d,%d\r\n" % (len(HOSTILE), len(HOSTILE))
    assert await far[0].receive_some() == HOSTILE


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_the_lf_of_a_crlf_driver_is_no_payload(
    autojump_clock: MockClock, nursery: trio.Nursery, size: int
) -> None:
    b, far = await opened(nursery)
    await b.dte.ask(b"AT\r\n")
    await b.dte.pieces(b"AT+CIPSEND=0,5\r\n\nabc\nAT\r\n", size)
    assert await far[0].receive_some() == b"\nabc\n"


async def test_the_lf_of_a_cr_driver_is_payload(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery)
    await b.dte.ask(b"AT+CIPSEND=0,2\r")
    await b.dte.ask(b"\n!")
    assert await far[0].receive_some() == b"\n!"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"AT+CIPSEND=0,0\r", b"\r\n+CIPERROR: 3\r\n" + ERROR),
        (b"AT+CIPSEND=0,1501\r", b"\r\n+CIPERROR: 3\r\n" + ERROR),
        (b"AT+CIPSEND=0,x\r", b"\r\n+CIPERROR: 3\r\n" + ERROR),
        (b"AT+CIPSEND=10,5\r", b"\r\n+CIPERROR: 3\r\n" + ERROR),
        (b"AT+CIPSEND=1,5\r", b"\r\n+CIPERROR: 4\r\n" + ERROR),
        (b"AT+CIPSEND\r", ERROR),
        (b"AT+CIPSEND=0,5,\r", b"\r\n>"),
        (b"AT+CIPSEND=0,\r", b"\r\n>"),
        (b"AT+CIPACK=1\r", b"\r\n+IP ERROR: Connection is not created\r\n" + ERROR),
        (b'AT+CIPSENDSTR=0,"4142"\r', OK + b"\r\n+CIPSENDSTR: 0,2\r\n"),
    ],
)
async def test_answers(
    autojump_clock: MockClock, nursery: trio.Nursery, said: bytes, answer: bytes
) -> None:
    b, _ = await opened(nursery)
    assert await b.dte.ask(said) == answer


async def test_without_a_network_the_error_is_2(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    assert await dte.ask(b"AT+CIPSEND=0,5\r") == b"\r\n+CIPERROR: 2\r\n" + ERROR


@pytest.mark.parametrize("prompt", ["\r\n>", "\r\n> ", ">"])
async def test_prompt_forms(
    autojump_clock: MockClock, nursery: trio.Nursery, prompt: str
) -> None:
    b, _ = await opened(nursery, prompt_text=prompt)
    assert await b.dte.ask(b"AT+CIPSEND=0,5\r") == prompt.encode()


async def test_latencies_of_prompt_ok_and_result(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, _ = await opened(
        nursery, command_latency_s=0.005, prompt_latency_s=0.04, send_result_delay_s=0.5
    )
    assert await b.dte.ask(b"AT+CIPSEND=0,5\r") == b""
    assert await b.dte.heard(0.039) == b""
    assert await b.dte.heard(0.002) == b"\r\n>"
    assert await b.dte.ask(b"hello") == b""
    assert await b.dte.heard(0.006) == OK
    assert await b.dte.ask(b"AT+CIPRXGET=4,0\r") == b""
    assert await b.dte.heard(0.01) == b"\r\n+CIPRXGET: 4,0,0\r\n" + OK
    assert await b.dte.heard(0.6) == b"\r\n+CIPSEND: 0,5,5\r\n"
    assert b.module.complaints == []


async def test_result_before_ok(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b, _ = await opened(nursery, send_result_before_ok=True)
    assert await send(b, b"hello") == b"\r\n+CIPSEND: 0,5,5\r\n" + OK


async def test_confirms_can_be_forced(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b, far = await opened(nursery)
    b.module.confirm_next(2, 0, -1)
    assert await send(b, b"hello") == OK + b"\r\n+CIPSEND: 0,5,2\r\n"
    assert await send(b, b"hello") == OK + b"\r\n+CIPSEND: 0,5,0\r\n"
    assert await send(b, b"hello") == OK + b"\r\n+CIPSEND: 0,5,-1\r\n"
    assert await far[0].receive_some() == b"he"


@pytest.mark.parametrize(
    ("dead", "answer"),
    [
        ("minus_one", OK + b"\r\n+CIPSEND: 0,5,-1\r\n"),
        ("error", b"\r\n+CIPERROR: 4\r\n" + ERROR),
    ],
)
async def test_a_link_that_closes_in_data_entry(
    autojump_clock: MockClock, nursery: trio.Nursery, dead: str, answer: bytes
) -> None:
    b, far = await opened(nursery, send_on_dead=dead)
    await b.dte.ask(b"AT+CIPSEND=0,5\r")
    await far[0].send_eof()
    assert await b.dte.heard() == b"\r\n+IPCLOSE: 0,1\r\n"
    assert await b.dte.ask(b"hello") == answer


async def test_an_incomplete_payload_is_given_up_and_never_sent(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery)
    await b.dte.ask(b"AT+CIPTIMEOUT=,,15000\r")
    await b.dte.ask(b"AT+CIPSEND=0,100\r")
    assert await b.dte.ask(b"hello") == b""
    assert await b.dte.ask(b"\x1bAT\rAT\r") == b""
    assert await b.dte.heard(14.9) == b""
    assert await b.dte.heard(0.2) == ERROR
    assert await b.dte.ask(b"AT\r") == OK
    assert b.module.complaints == ["data entry was not completed in time"]
    assert await b.dte.ask(b"AT+CIPACK=0\r") == b"\r\n+CIPACK: 0,0,0\r\n" + OK
    assert await send(b, b"next") == OK + b"\r\n+CIPSEND: 0,4,4\r\n"
    assert await far[0].receive_some() == b"next"


async def test_the_changeable_form_ends_with_ctrl_z(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery)
    assert await b.dte.ask(b"AT+CIPSEND=0\r") == b"\r\n>"
    assert await b.dte.ask(b"a\x03\x1ab\x03\x1bc\x03\x03\x1a") == (
        OK + b"\r\n+CIPSEND: 0,6,6\r\n"
    )
    assert await far[0].receive_some() == b"a\x1ab\x1bc\x03"


async def test_the_changeable_form_is_given_up_with_esc(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, _ = await opened(nursery)
    await b.dte.ask(b"AT+CIPSEND=0\r")
    assert await b.dte.ask(b"abc\x1b") == ERROR
    assert await b.dte.ask(b"AT+CIPACK=0\r") == b"\r\n+CIPACK: 0,0,0\r\n" + OK


async def test_a_payload_is_echoed_with_echo_on_unless_dataecho_is_off(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    b, _ = await opened(nursery)
    await b.dte.ask(b"ATE1\r")
    await b.dte.ask(b"AT+CIPSEND=0,5\r")
    assert await b.dte.ask(b"hello") == b"hello" + OK + b"\r\n+CIPSEND: 0,5,5\r\n"
    await b.dte.ask(b'AT+CIPCFG="DATAECHO",OFF\r')
    await b.dte.ask(b"AT+CIPSEND=0,5\r")
    assert await b.dte.ask(b"hello") == OK + b"\r\n+CIPSEND: 0,5,5\r\n"


async def test_cipack_can_be_missing(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b, _ = await opened(nursery, cipack=False)
    assert await b.dte.ask(b"AT+CIPACK=0\r") == (
        b"\r\n+IP ERROR: Operation not supported\r\n" + ERROR
    )


async def test_a_reboot_in_data_entry_ends_it(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b, far = await opened(nursery, boot_delay_s=1)
    await b.dte.ask(b"AT+CIPSEND=0,100\r")
    await b.dte.ask(b"half")
    b.module.reboot()
    assert (await b.dte.heard(5)).startswith(b"\x00\r\n*ATREADY: 1\r\n")
    assert await b.dte.ask(b"AT\r") == b"AT\r" + OK
    with pytest.raises(trio.BrokenResourceError):
        await far[0].receive_some()

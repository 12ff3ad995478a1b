"""Smaller things that modules do (protocol.md 1, 6, 9 and 12)."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench
from modemproxy.emulator.far_stream import FarStream

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


async def test_what_is_never_acknowledged_ends_the_link_with_reason_2(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, unacked_close_s=20)
    b.internet._window = 100

    async def read_once_then_never(stream: FarStream) -> None:
        await trio.sleep(15)
        await stream.receive_some(50)
        await trio.sleep_forever()

    b.internet.listen_tcp("a.example", 80, read_once_then_never)
    await b.dte.ready()
    await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    await b.dte.ask(b"AT+CIPSEND=0,200\r")
    await b.dte.ask(b"x" * 200)
    assert await b.dte.heard(39) == b"", "an acknowledgement after 15 s began it anew"
    assert await b.dte.heard(2) == b"\r\n+IPCLOSE: 0,2\r\n"
    assert await b.dte.ask(b"AT+CIPCLOSE=0\r") == b"\r\n+CIPCLOSE: 0,4\r\n" + ERROR
    assert (await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')).endswith(b"0,0\r\n")


async def test_what_is_acknowledged_in_time_stays_open(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, unacked_close_s=5)

    async def read(stream: FarStream) -> None:
        async for _ in stream:
            pass

    b.internet.listen_tcp("a.example", 80, read)
    await b.dte.ready()
    await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    await b.dte.ask(b"AT+CIPSEND=0,2\r")
    await b.dte.ask(b"hi")
    assert await b.dte.heard(60) == b""


async def test_asleep_it_loses_the_bytes_that_wake_it(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False, csclk=2, sleep_idle_s=5)
    assert await b.dte.ask(b"AT\r") == OK
    await trio.sleep(6)
    assert await b.dte.ask(b"AT\r") == b""
    assert await b.dte.ask(b"AT+CSCLK=0\r") == OK
    await trio.sleep(6)
    assert await b.dte.ask(b"AT\r") == OK


async def test_autobauding_follows_the_first_at_and_boots_in_silence(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False, autobaud=True)
    b.module.dte_baudrate = lambda: 57600
    assert await b.dte.ask(b"xx") == b""
    assert await b.dte.ask(b"AT\r") == OK
    assert b.module.baudrate == 57600
    assert await b.dte.ask(b"AT+IPR?\r") == b"\r\n+IPR: 0\r\n" + OK
    b.module.reboot()
    assert await b.dte.heard(10) == b""
    assert await b.dte.ask(b"AT+IPREX=57600\r") == OK
    assert await b.dte.ask(b"AT+IPREX?\r") == b"\r\n+IPREX: 57600\r\n" + OK
    b.module.reboot()
    assert b"*ATREADY" in await b.dte.heard(10)


async def test_a_fixed_rate_takes_no_zero(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    assert await dte.ask(b"AT+IPR=0\r") == ERROR


async def test_urcs_can_be_delayed(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = bench(nursery, boot_echo=False)
    await b.dte.ask(b"AT+CURCD=500;+NETOPEN\r")
    b.module.lose_network()
    assert await b.dte.heard(0.4) == b""
    assert await b.dte.heard(0.2) == b"\r\n+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY\r\n"


async def test_the_address_has_the_family_that_was_chosen_before_netopen(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    assert await dte.ask(b"AT+CSOCKSETPN=?\r") == b"\r\n+CSOCKSETPN: (1),(1,6)\r\n" + OK
    await dte.ask(b"AT+CSOCKSETPN=1,6;+NETOPEN\r")
    assert await dte.ask(b"AT+IPADDR\r") == b"\r\n+IPADDR: 2001:db8:64d8::1\r\n" + OK


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"ATS0?\r", b"\r\n000\r\n" + OK),
        (b"ATS3?\r", b"\r\n013\r\n" + OK),
        (b"ATS99?\r", ERROR),
        (b"ATS0=1\r", OK),
        (b"AT&D3\r", ERROR),
        (b"AT+CGPADDR=?\r", b"\r\n+CGPADDR: (1)\r\n" + OK),
        (b"AT+CGATT=?\r", b"\r\n+CGATT: (0,1)\r\n" + OK),
        (b"AT+CGAUTH=?\r", b"\r\n+CGAUTH: (1-15),(0-3),64,64\r\n" + OK),
    ],
)
async def test_small_answers(
    autojump_clock: MockClock, nursery: trio.Nursery, line: bytes, answer: bytes
) -> None:
    assert await bench(nursery, boot_echo=False).dte.ask(line) == answer


async def test_what_at_and_w_stores_of_dtr(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    await b.dte.ask(b"AT&D2&W\r")
    await b.dte.ask(b"AT&F;E0\r")
    assert b.module.dce.dtr_mode == 0
    await b.dte.ask(b"ATZ\r")
    assert b.module.dce.dtr_mode == 2

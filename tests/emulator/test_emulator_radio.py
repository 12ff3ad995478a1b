"""Registration lost and found again, by command and by the network (protocol.md 12.3)."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench
from modemproxy.emulator.far_stream import FarStream

OK = b"\r\nOK\r\n"


@pytest.mark.parametrize(
    ("off", "on", "stat"),
    [
        (b"AT+CFUN=0\r", b"AT+CFUN=1\r", 0),
        (b"AT+CFUN=4\r", b"AT+CFUN=1\r", 0),
        (b"AT+CGATT=0\r", b"AT+CGATT=1\r", 0),
    ],
)
async def test_leaving_the_network_kills_the_stack_and_coming_back_takes_its_time(
    autojump_clock: MockClock, nursery: trio.Nursery, off: bytes, on: bytes, stat: int
) -> None:
    b = bench(nursery, boot_echo=False, reregistration_delay_s=12)
    dte = b.dte
    await dte.ask(b"AT+CEREG=1;+NETOPEN\r")
    assert await dte.ask(off) == b"\r\n+CEREG: 0\r\n" + OK
    assert await dte.heard(30) == b"", "no word of the network that is gone"
    assert await dte.ask(b"AT+CEREG?\r") == b"\r\n+CEREG: 1,%d\r\n" % stat + OK
    assert b"0.0.0.0" in await dte.ask(b"AT+CGPADDR=1\r")
    assert b"+CGATT: 0" in await dte.ask(b"AT+CGATT?\r")
    assert b"Network not opened" in await dte.ask(b"AT+IPADDR\r")
    assert await dte.ask(b"AT+NETOPEN\r") == OK + b"\r\n+NETOPEN: 1\r\n"
    assert await dte.ask(on) == OK
    assert await dte.ask(b"AT+CEREG?\r") == b"\r\n+CEREG: 1,2\r\n" + OK
    assert await dte.heard(13) == b"\r\n+CEREG: 1\r\n"
    assert await dte.ask(b"AT+NETOPEN\r") == OK + b"\r\n+NETOPEN: 0\r\n"


async def test_without_an_own_delay_it_is_that_of_the_start(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False, registration_delay_s=4)
    await b.dte.ask(b"AT+CEREG=1\r")
    assert await b.dte.heard(4) == b"\r\n+CEREG: 1\r\n"
    await b.dte.ask(b"AT+CGATT=0;+CGATT=1\r")
    assert await b.dte.heard(3) == b""
    assert await b.dte.heard(2) == b"\r\n+CEREG: 1\r\n"


async def test_asking_for_what_is_already_so_changes_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    await dte.ask(b"AT+CEREG=1;+NETOPEN\r")
    assert await dte.ask(b"AT+CGATT=1;+CFUN=1\r") == OK
    assert b"+NETOPEN: 1" in await dte.ask(b"AT+NETOPEN?\r")
    assert await dte.ask(b"AT+CGATT=2\r") == b"\r\nERROR\r\n"


async def test_the_sim_speaks_again_after_cfun(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(
        nursery,
        boot_echo=False,
        cfun_off_urcs=("+SIMCARD: NOT AVAILABLE",),
        cfun_on_banner=((0.0, "+CPIN: READY"), (1.0, "PB DONE")),
    )
    assert await b.dte.ask(b"AT+CFUN=0\r") == OK + b"\r\n+SIMCARD: NOT AVAILABLE\r\n"
    assert await b.dte.ask(b"AT+CFUN=1\r") == OK + b"\r\n+CPIN: READY\r\n"
    assert await b.dte.heard(2) == b"\r\nPB DONE\r\n"


async def test_cgev_lines_when_asked_for(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    await b.dte.ask(b"AT+CGEREP=2,1\r")
    assert await b.dte.ask(b"AT+CGATT=0\r") == b"\r\n+CGEV: NW DETACH\r\n" + OK
    assert await b.dte.ask(b"AT+CGATT=1\r") == b"\r\n+CGEV: EPS PDN ACT 1\r\n" + OK


async def test_without_coverage_nothing_moves_and_nothing_of_tcp_is_lost(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery)
    got = bytearray()

    async def talk(stream: FarStream) -> None:
        await stream.send_all(b"hello")
        async for data in stream:
            got.extend(data)

    b.internet.listen_tcp("a.example", 80, talk)
    peer = b.internet.listen_udp("d.example", 53)
    await b.dte.ready()
    await b.dte.ask(b'AT+CIPOPEN=1,"UDP",,,5000\r')
    await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    await b.dte.ask(b"AT+CIPRXGET=2,0\r")
    b.module.dce.ctx.touch()
    b.module.dce.radio.lose_registration(200)
    await b.dte.ask(b"AT+CIPSEND=0,4\r")
    assert await b.dte.ask(b"late") == OK + b"\r\n+CIPSEND: 0,4,4\r\n"
    await b.dte.ask(b'AT+CIPSEND=1,4,"d.example",53\r')
    await b.dte.ask(b"lost")
    peer.send_to(b"lost too", 5000)
    assert await b.dte.ask(b'AT+CIPOPEN=2,"TCP","a.example",80\r') == OK
    assert await b.dte.heard(121) == b"\r\n+CIPOPEN: 2,10\r\n"
    assert await b.dte.ask(b"AT+CIPACK=0\r") == b"\r\n+CIPACK: 4,0,5\r\n" + OK
    assert await b.dte.heard(100) == b""
    assert got == b"late"
    assert peer.received == []
    assert await b.dte.ask(b"AT+CIPACK=0\r") == b"\r\n+CIPACK: 4,4,5\r\n" + OK


@pytest.mark.parametrize(
    ("sim", "imsi", "iccid"),
    [
        ("READY", b"001010000000018", b"+ICCID"),
        ("SIM PIN", b"+CME ERROR: SIM PIN required", b"+ICCID"),
        ("NOT INSERTED", b"+CME ERROR: SIM not inserted", b"+CME ERROR: SIM not inserted"),
    ],
)
async def test_what_a_sim_is_needed_for(
    autojump_clock: MockClock, nursery: trio.Nursery, sim: str, imsi: bytes, iccid: bytes
) -> None:
    dte = bench(nursery, boot_echo=False, sim=sim).dte
    assert imsi in await dte.ask(b"AT+CIMI\r")
    assert iccid in await dte.ask(b"AT+CICCID\r")


async def test_firmware_without_sockets_cannot_choose_its_radio(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False, sockets_present=False).dte
    assert await dte.ask(b"AT+CNMP=38\r") == b"\r\n+CME ERROR: phone failure\r\n"
    assert await dte.ask(b"AT+CNMP?\r") == b"\r\n+CNMP: 2\r\n" + OK

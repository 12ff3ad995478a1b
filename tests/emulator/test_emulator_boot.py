"""Boot, SIM, registration, power (protocol.md 18, lines 9-13)."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


async def test_commands_before_the_banner_vanish(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_delay_s=5)
    await b.dte.ready()
    b.module.reboot()
    assert await b.dte.ask(b"AT\r") == b""
    assert await b.dte.heard(4.9) == b""
    assert await b.dte.heard(0.2) == b"\x00\r\n*ATREADY: 1\r\n"
    assert await b.dte.heard(5) == (
        b"\r\n+CPIN: READY\r\n\r\nSMS DONE\r\n\r\n+CGEV: EPS PDN ACT 1\r\n\r\nPB DONE\r\n"
    )
    assert await b.dte.ask(b"AT+CIPRXGET?\r") == (b"AT+CIPRXGET?\r\r\n+CIPRXGET: 0\r\n" + OK)


async def test_a_reboot_without_a_banner(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    b.module.preset.network_open()
    b.module.reboot(banner=False)
    assert await b.dte.heard(10) == b""
    assert await b.dte.ask(b"AT+NETOPEN?\r") == b"\r\n+NETOPEN: 0\r\n" + OK


@pytest.mark.parametrize("line", [b"AT+CRESET\r", b"AT+CFUN=1,1\r", b"AT+CFUN=6\r"])
async def test_restarts_say_ok_first(
    autojump_clock: MockClock, nursery: trio.Nursery, line: bytes
) -> None:
    b = bench(nursery, boot_echo=False)
    assert await b.dte.ask(line) == OK
    assert (await b.dte.heard(10)).startswith(b"\x00\r\n*ATREADY: 1\r\n")


async def test_power_off_is_for_good(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = bench(nursery, boot_echo=False)
    assert await b.dte.ask(b"AT+CPOF\r") == OK
    assert await b.dte.heard(100) == b""
    assert await b.dte.ask(b"AT\r") == b""


async def test_a_netopen_that_reboots(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = bench(nursery, boot_echo=False, netopen_reboots=True)
    assert await b.dte.ask(b"AT+NETOPEN\r") == OK
    assert b"*ATREADY" in await b.dte.heard(10)


async def test_saved_things_survive_and_others_do_not(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    await b.dte.ask(b'AT+CGDCONT=1,"IPV4V6","mine"\r')
    await b.dte.ask(b"AT+IPREX=9600\r")
    await b.dte.ask(b"AT+IPR=57600;+CIPTIMEOUT=5000\r")
    assert b.module.baudrate == 57600
    b.module.reboot()
    await b.dte.heard(10)
    assert b.module.baudrate == 9600
    assert b'"IPV4V6","mine"' in await b.dte.ask(b"AT+CGDCONT?\r")
    assert b"120000,120000,120000" in await b.dte.ask(b"AT+CIPTIMEOUT?\r")


async def test_a_pin_opens_the_sim_and_registration_follows(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False, sim="SIM PIN", registration_delay_s=8, cereg=5)
    await b.dte.ask(b"AT+CEREG=1\r")
    assert await b.dte.ask(b"AT+CPIN?\r") == b"\r\n+CPIN: SIM PIN\r\n" + OK
    assert await b.dte.ask(b"AT+CEREG?\r") == b"\r\n+CEREG: 1,0\r\n" + OK
    assert await b.dte.ask(b'AT+CPIN="9999"\r') == b"\r\n+CME ERROR: incorrect password\r\n"
    assert b.module.dce.radio.pin_left == 2
    said = await b.dte.ask(b'AT+CPIN="1234"\r')
    assert sorted(said.split(b"\r\n")) == sorted((OK + b"\r\n+CPIN: READY\r\n").split(b"\r\n"))
    assert await b.dte.ask(b"AT+CEREG?\r") == b"\r\n+CEREG: 1,2\r\n" + OK
    assert await b.dte.ask(b"AT+CSQ\r") == b"\r\n+CSQ: 99,99\r\n" + OK
    assert await b.dte.heard(8) == b"\r\n+CEREG: 5\r\n"
    assert await b.dte.ask(b"AT+CSQ\r") == b"\r\n+CSQ: 22,0\r\n" + OK


async def test_three_wrong_pins_ask_for_the_puk(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False, sim="SIM PIN")
    for _ in range(3):
        await b.dte.ask(b"AT+CPIN=0000\r")
    assert await b.dte.ask(b"AT+CPIN?\r") == b"\r\n+CPIN: SIM PUK\r\n" + OK
    assert await b.dte.ask(b"AT+CPIN=1234\r") == b"\r\n+CME ERROR: SIM PUK required\r\n"
    b.module.reboot()
    await b.dte.heard(10)
    assert await b.dte.ask(b"AT+CPIN?\r") == b"\r\n+CPIN: SIM PUK\r\n" + OK
    assert OK in await b.dte.ask(b'AT+CPIN="12345678","4321"\r')
    assert await b.dte.ask(b"AT+CPIN?\r") == b"\r\n+CPIN: READY\r\n" + OK


async def test_registrations_may_disagree(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False, creg=3, cgreg=5, cereg=11)
    assert await b.dte.ask(b"AT+CREG?;+CGREG?;+CEREG?\r") == (
        b"\r\n+CREG: 0,3\r\n\r\n+CGREG: 0,5\r\n\r\n+CEREG: 0,11\r\n" + OK
    )


async def test_mode_2_adds_the_cell(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    dte = bench(nursery, boot_echo=False).dte
    await dte.ask(b"AT+CEREG=2\r")
    assert await dte.ask(b"AT+CEREG?\r") == (b'\r\n+CEREG: 2,1,"0001","00000001",7\r\n' + OK)

"""The line layer: echo, framing, joined commands, V and Q (protocol.md 18, lines 1-8)."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import bench

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


async def test_echo_is_on_after_boot_and_the_answer_to_ate0_is_still_echoed(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    dte = bench(nursery).dte
    assert await dte.ask(b"AT\r") == b"AT\r\r\nOK\r\n"
    assert await dte.ask(b"ATE0\r") == b"ATE0\r\r\nOK\r\n"
    assert await dte.ask(b"AT\r") == OK


async def test_a_sent_lf_is_neither_echoed_nor_wrong(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery)
    assert await b.dte.ask(b"AT\r\nAT\r\n") == b"AT\r\r\nOK\r\nAT\r\r\nOK\r\n"
    assert await b.dte.pieces(b"AT\r\nATE0\r\n") == b"AT\r\r\nOK\r\nATE0\r\r\nOK\r\n"
    assert b.module.complaints == []


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"\r", b""),
        (b"\r\n\r\n", b""),
        (b"at\r", OK),
        (b"aT+csq\r", b"\r\n+CSQ: 22,0\r\n" + OK),
        (b"AT+CSQ;+CGATT?\r", b"\r\n+CSQ: 22,0\r\n\r\n+CGATT: 1\r\n" + OK),
        (b"AT+FOO;+CSQ\r", ERROR),
        (b"AT+CSQ;+FOO;+CGATT?\r", b"\r\n+CSQ: 22,0\r\n" + ERROR),
        (b"AT&F;E0\r", OK),
        (b"ATE0V1Q0\r", OK),
        (b"AT&W\r", OK),
        (b"ATZ\r", OK),
        (b"ATE2\r", ERROR),
        (b"\x00\x00AT\r", OK),
        (b"AT=\r", ERROR),
    ],
)
async def test_dialogue_without_echo(
    autojump_clock: MockClock, nursery: trio.Nursery, said: bytes, answer: bytes
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    assert await dte.ask(said) == answer


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_the_cut_of_the_input_does_not_matter(
    autojump_clock: MockClock, nursery: trio.Nursery, size: int
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    said = await dte.pieces(b"AT\r\nAT+CSQ\r\nATI\r\n", size)
    assert said.startswith(b"\r\nOK\r\n\r\n+CSQ: 22,0\r\n\r\nOK\r\n\r\nManufacturer: ")


async def test_only_the_first_information_line_has_a_leading_crlf(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    await dte.ask(b'AT+CGDCONT=2,"IP","ims"\r')
    assert await dte.ask(b"AT+CGDCONT?\r") == (
        b'\r\n+CGDCONT: 1,"IP","internet","",0,0\r\n+CGDCONT: 2,"IP","ims","",0,0\r\n' + OK
    )


async def test_a_line_of_3071_characters_is_the_longest(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = bench(nursery, boot_echo=False)
    name = b'AT+CGDCONT=1,"IP","' + b"x" * (3071 - 18) + b'"\r'
    assert len(name) == 2 + 3071 + 1
    assert await b.dte.ask(name) == OK
    assert b.module.complaints == []
    assert await b.dte.ask(name[:-2] + b'y"\r') == ERROR
    assert await b.dte.ask(b"AT+CSQ" + b"z" * 100_000 + b"\r") == ERROR
    assert len(b.module.complaints) == 2
    assert await b.dte.ask(b"AT\r") == OK


async def test_v0_is_numeric_and_q1_is_silent(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False).dte
    assert await dte.ask(b"ATV0\r") == b"0\r"
    assert await dte.ask(b"AT+CSQ\r") == b"+CSQ: 22,0\r\n0\r"
    assert await dte.ask(b"AT+FOO\r") == b"4\r"
    assert await dte.ask(b"ATV1\r") == OK
    assert await dte.ask(b"ATQ1\r") == b""
    assert await dte.ask(b"AT+CSQ\r") == b"\r\n+CSQ: 22,0\r\n"


async def test_atz_restores_what_atw_stored_and_atf_the_factory(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery).dte
    await dte.ask(b"ATE0&W\r")
    await dte.ask(b"ATE1\r")
    await dte.ask(b"ATZ\r")
    assert await dte.ask(b"AT\r") == OK
    await dte.ask(b"AT&F\r")
    assert await dte.ask(b"AT\r") == b"AT\r" + OK


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        (b"0", ERROR),
        (b"1", b"\r\n+CME ERROR: 10\r\n"),
        (b"2", b"\r\n+CME ERROR: SIM not inserted\r\n"),
    ],
)
async def test_cmee_chooses_the_form_and_cme_is_final(
    autojump_clock: MockClock, nursery: trio.Nursery, mode: bytes, answer: bytes
) -> None:
    dte = bench(nursery, boot_echo=False, sim="NOT INSERTED").dte
    await dte.ask(b"AT+CMEE=" + mode + b"\r")
    assert await dte.ask(b"AT+CPIN?\r") == answer


@pytest.mark.parametrize(
    "line",
    [
        "AT+CTZR=0",
        "AT+CTZU=1",
        "AT+GMM",
        "AT+CGMM",
        "AT+CGMR",
        "AT+GMR",
        "AT+CGMI",
        "AT+GSN",
        "AT+CGSN",
        "AT+SIMCOMATI",
        "AT+CSPN?",
        "AT+CBC",
        "AT+CPMUTEMP",
        "AT+CNSMOD?",
        "AT+CNTP?",
        "AT+CCLK?",
        "AT+COPS?",
        "AT+CPSI?",
        "AT+CGATT?",
        "AT+CFUN?",
        "AT+CSCLK=0",
        "AT+IFC=2,2",
        "AT+IFC?",
        "AT+IPR?",
        "AT+IPREX=?",
        "AT+CATR=1",
        "AT+CGEREP=2,1",
        "AT+CURCD=0",
        "AT+CDNSCFG?",
        "AT+CSOC?",
        "AT+CSOCKSETPN=1,6",
        "AT+CTCPKA=1,5,3",
        "AT+CIPCFG?",
        "AT+CIPMODE?",
        "AT+CIPHEAD=1",
        "AT+CIPSRIP?",
        "AT+CIPSENDMODE=?",
        "AT+CIPTIMEOUT=,,15000",
        "AT+CIPCCFG=?",
        "AT+CICCID",
        "AT+CIMI",
        "AT+CMEE=?",
        "AT+CIPACK=?",
        "AT+CIPSEND=?",
        "AT+CIPRXGET=?",
        "AT+NETOPEN=?",
        "AT+CIPOPEN=?",
        "AT+CIPCLOSE=?",
        "AT+SERVERSTART=?",
        "AT+SERVERSTOP=?",
        "AT+IPADDR=?",
        "AT&V",
        "ATI",
        "AT+CLAC",
        'AT+CDNSCFG="9.9.9.9"',
        'AT+CIPCFG="DATAECHO",OFF',
        'AT+CSOC="Mss",1400',
        "AT+CGACT=1,1",
        "AT+CGACT?",
        "AT+CGPADDR",
        "AT+CGPADDR=1",
        'AT+CGAUTH=1,1,"secret","me"',
        "AT+CGAUTH?",
        "AT+SPIC",
        "AT&C1",
        "AT&D0",
    ],
)
async def test_commands_of_real_drivers_are_known(
    autojump_clock: MockClock, nursery: trio.Nursery, line: str
) -> None:
    b = bench(nursery, boot_echo=False)
    said = await b.dte.ask(line.encode() + b"\r")
    assert said.endswith(OK)
    assert b.module.unknown == []
    assert b.module.complaints == []


@pytest.mark.parametrize(
    "line",
    [
        "AT+CIPMODE=2",
        "AT+CIPHEAD=",
        "AT+CIPTIMEOUT=1",
        "AT+CIPTIMEOUT=x",
        "AT+CSOCKSETPN=1,4",
        "AT+CATR=8",
        "AT+IPR=5",
        "AT+CIPCCFG=11",
        'AT+CIPCFG="NOPE",1',
        'AT+CSOC="Nope",1',
        "AT+CDNSCFG=",
        "AT+SERVERSTOP=4",
        "AT+CGAUTH=9,1",
        "AT+CDNSGIP",
        "AT+CGACT=0,8",
        "AT+CIPCCFG=1,2,0,1,1,0,500,1,1",
    ],
)
async def test_bad_values_are_bare_errors(
    autojump_clock: MockClock, nursery: trio.Nursery, line: str
) -> None:
    assert await bench(nursery, boot_echo=False).dte.ask(line.encode() + b"\r") == ERROR


async def test_one_command_can_be_slower_than_the_others(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    dte = bench(nursery, boot_echo=False, slow_commands=((0.5, "+CSQ"),)).dte
    assert await dte.ask(b"AT+CSQ\r") == b""
    assert await dte.heard(0.49) == b""
    assert await dte.heard(0.02) == b"\r\n+CSQ: 22,0\r\n" + OK
    assert await dte.ask(b"AT\r") == OK

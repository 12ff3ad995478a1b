"""CDNSGIP: several addresses, families, delays, failures, names that are none (18, 56)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.byhand import Bench, bench
from tests.emulator.faultbench import fault_bench

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
FAILED = b"\r\n+CDNSGIP: 0,10\r\n" + ERROR
ASK = b'AT+CDNSGIP="many.example"\r'


async def resolving(nursery: trio.Nursery, kind: str = "IP", **options: Any) -> Bench:
    b = bench(nursery, **options)
    addresses = ("203.0.113.9", "2001:db8::9", "203.0.113.10")
    b.internet.add_addresses("many.example", *addresses)
    await b.dte.ask(b'AT+CGDCONT=1,"%s","internet"\r' % kind.encode())
    await b.dte.ready()
    return b


@pytest.mark.parametrize(
    ("kind", "form", "said"),
    [
        (
            "IP",
            "lines",
            b'\r\n+CDNSGIP: 1,"many.example","203.0.113.9"\r\n'
            b'+CDNSGIP: 2,"many.example","203.0.113.10"\r\n',
        ),
        ("IP", "first", b'\r\n+CDNSGIP: 1,"many.example","203.0.113.9"\r\n'),
        ("IP", "fields", b'\r\n+CDNSGIP: 1,"many.example","203.0.113.9","203.0.113.10"\r\n'),
        ("IPV6", "lines", b'\r\n+CDNSGIP: 1,"many.example","2001:db8::9"\r\n'),
        (
            "IPV4V6",
            "fields",
            b'\r\n+CDNSGIP: 1,"many.example","203.0.113.9","2001:db8::9","203.0.113.10"\r\n',
        ),
    ],
)
async def test_the_addresses_that_the_context_has_a_use_for(
    autojump_clock: MockClock, nursery: trio.Nursery, kind: str, form: str, said: bytes
) -> None:
    b = await resolving(nursery, kind, dns_form=form)
    assert await b.dte.ask(ASK) == said + OK


async def test_a_name_with_addresses_of_the_other_family_only_is_not_found(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await resolving(nursery)
    b.internet.add_addresses("six.example", "2001:db8::6")
    assert await b.dte.ask(b'AT+CDNSGIP="six.example"\r') == FAILED


async def test_a_look_up_has_the_line_until_it_is_over(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await resolving(nursery, dns_delay_s=3.0)
    assert await b.dte.ask(ASK + b"AT\r") == b""
    assert await b.dte.heard(2.9) == b""
    said = await b.dte.heard(0.2)
    assert said.startswith(b"\r\n+CDNSGIP: 1,")
    assert said.endswith(OK + OK)


@pytest.mark.parametrize(
    "name", ["no name", "a" * 64 + ".example", "x.example;", "a.b.c." * 50]
)
async def test_what_is_no_name_is_an_error_and_a_complaint(
    autojump_clock: MockClock, nursery: trio.Nursery, name: str
) -> None:
    b = await resolving(nursery)
    assert await b.dte.ask(f'AT+CDNSGIP="{name}"\r'.encode()) == ERROR
    assert b.module.complaints == [f"CDNSGIP of {name!r}, which is no host name"]


async def test_an_open_to_what_is_no_host_is_a_complaint(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await resolving(nursery)
    await b.dte.ask(b'AT+CIPOPEN=0,"TCP","two words",80\r')
    assert b.module.complaints == ["CIPOPEN to 'two words', which is no host"]


async def test_names_that_are_not_found_for_a_while(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery)
    b.faults.inject("dns_fails", delay_s=2.0, times=2)
    literal = b.internet.names["a.example"].encode()
    assert b'"203.0.113.1"' in await b.dte.ask(b'AT+CDNSGIP="203.0.113.1"\r')
    assert await b.dte.ask(b'AT+CDNSGIP="a.example"\r') == b""
    assert await b.dte.heard(2) == FAILED
    assert await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r') == OK
    assert await b.dte.heard(2) == b"\r\n+CIPOPEN: 0,11\r\n"
    assert literal in await b.dte.ask(b'AT+CDNSGIP="a.example"\r')
    await b.open(0)
    assert len(b.far) == 1


async def test_a_failure_without_delay_leaves_addresses_and_taken_numbers_alone(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("dns_fails")
    assert await b.dte.ask(b'AT+CDNSGIP="a.example"\r') == FAILED
    taken = await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    assert taken == b"\r\n+CIPOPEN: 0,4\r\n" + ERROR
    said = await b.dte.ask(b'AT+CIPOPEN=1,"TCP","203.0.113.1",80\r')
    assert said == OK + b"\r\n+CIPOPEN: 1,0\r\n"
    assert len(b.struck()) == 1

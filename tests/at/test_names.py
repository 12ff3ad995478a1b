"""CDNSGIP: its answers on old and new firmware, its failure, and what may be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.commands import quoted_host
from modemproxy.at.dte import Broken, Completed, Dte, Event, Failed
from modemproxy.at.names import ResolveName
from modemproxy.at.urcs import LookupFailure, parse_urc
from modemproxy.errors import LocalProtocolError


def ask(*lines: bytes) -> list[Event]:
    dte = Dte()
    dte.send(ResolveName("example.org"))
    dte.receive_data(b"".join(b"\r\n" + line + b"\r\n" for line in lines))
    events = []
    while (event := dte.next_event()) is not None:
        events.append(event)
    return events


@pytest.mark.parametrize(
    ("lines", "addresses"),
    [
        ([b'+CDNSGIP: 1,"example.org","192.0.2.1"'], ["192.0.2.1"]),
        ([b"+CDNSGIP: 1,example.org,192.0.2.1"], ["192.0.2.1"]),
        (
            [
                b'+CDNSGIP: 1,"example.org","192.0.2.1"',
                b'+CDNSGIP: 2,"example.org","192.0.2.2"',
                b'+CDNSGIP: 3,"example.org","192.0.2.1"',
            ],
            ["192.0.2.1", "192.0.2.2"],
        ),
        ([b'+CDNSGIP: 1,"example.org","192.0.2.1","192.0.2.3"'], ["192.0.2.1", "192.0.2.3"]),
        ([b'+CDNSGIP: 1,"example.org","2001:DB8:0:0::1"'], ["2001:db8::1"]),
    ],
)
def test_answers(lines: list[bytes], addresses: list[str]) -> None:
    (event,) = ask(*lines, b"OK")
    assert isinstance(event, Completed)
    assert event.reply == addresses


def test_a_failure_is_explained_before_error() -> None:
    news, event = ask(b"+CDNSGIP: 0,10", b"ERROR")
    assert news == LookupFailure(10)
    assert isinstance(event, Failed)
    assert event.failure.code == 10


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b'+CDNSGIP: 1,"example.org"'],
        [b'+CDNSGIP: 1,"example.org","192.0.2"'],
        [b'+CDNSGIP: 1,"example.org","192.0.2.\xff"'],
    ],
)
def test_what_is_no_address_is_not_believed(lines: list[bytes]) -> None:
    (event,) = ask(*lines, b"OK")
    assert isinstance(event, Broken)


def test_a_late_failure_is_nobodys_and_a_late_answer_means_nothing() -> None:
    assert parse_urc(b"+CDNSGIP: 0,10") == LookupFailure(10)
    assert parse_urc(b'+CDNSGIP: 1,"example.org","192.0.2.1"') is None


# what may stand in a command for a host


@pytest.mark.parametrize(
    "host", ["example.org", "a-b.example", "_sip._udp.example", "192.0.2.1", "2001:db8::1"]
)
def test_names_and_addresses_are_hosts(host: str) -> None:
    assert quoted_host(host) == f'"{host}"'
    assert ResolveName(host).text == f'+CDNSGIP="{host}"'


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a" * 255,
        'a"',
        "a\\22",
        "a b",
        "a,b",
        "a\r",
        "a\0",
        "\u00e4.example",
        "a;b",
        "[::1]",
    ],
)
def test_nothing_else_is(host: str) -> None:
    with pytest.raises(LocalProtocolError):
        quoted_host(host)


@given(st.text(max_size=60))
def test_whatever_is_asked_stays_inside_its_quotes(name: str) -> None:
    try:
        text = ResolveName(name).text
    except LocalProtocolError:
        return
    assert text == f'+CDNSGIP="{name}"'
    assert text.isascii()
    assert text.isprintable()
    assert text.count('"') == 2
    assert "\\" not in text

"""Commands for UDP: exact text, their results, and names that could leave their quotes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.datagrams import OpenUdp, SendDatagram
from modemproxy.at.dte import Completed, Dte, Failed, PromptReady
from modemproxy.at.results import Dialect
from modemproxy.at.transfer import SendData
from modemproxy.at.urcs import LinkOpened, SendConfirmed
from modemproxy.errors import LocalProtocolError


def test_an_open_names_no_remote_and_always_a_local_port() -> None:
    assert OpenUdp(3, 50000).text == '+CIPOPEN=3,"UDP",,,50000'


def test_a_send_names_its_far_side() -> None:
    command = SendDatagram(3, b"\x1a\x1b\r", "example.org", 53)
    assert command.text == '+CIPSEND=3,3,"example.org",53'
    assert command.payload == b"\x1a\x1b\r"
    assert SendDatagram(3, b"a", "2001:db8::1", 53).text == '+CIPSEND=3,1,"2001:db8::1",53'


def test_the_line_treats_a_datagram_as_it_treats_any_payload() -> None:
    assert isinstance(SendDatagram(3, b"a", "h", 1), SendData)


@pytest.mark.parametrize(
    "host", ['a",1\rAT+NETCLOSE', "a\r", "a\n", 'a"', "a\0", "\u00e4.example", "a\x1a", "a\x7f"]
)
def test_a_host_that_could_leave_its_quotes_never_gets_to_the_line(host: str) -> None:
    with pytest.raises(LocalProtocolError):
        _ = SendDatagram(3, b"a", host, 1).text


@given(st.text(max_size=40))
def test_whatever_the_host_is_the_command_is_one_line_with_one_string(host: str) -> None:
    try:
        text = SendDatagram(3, b"a", host, 1).text
    except LocalProtocolError:
        return
    assert text.isascii()
    assert text.isprintable()
    assert text.count('"') == 2


def test_the_result_of_an_open_stands_before_ok() -> None:
    dte = Dte()
    assert dte.send(OpenUdp(1, 5000)) == b'AT+CIPOPEN=1,"UDP",,,5000\r'
    dte.receive_data(b"\r\n+CIPOPEN: 1,0\r\n\r\nOK\r\n")
    assert dte.next_event() == LinkOpened(1, 0)
    assert isinstance(dte.next_event(), Completed)


def test_a_refused_open_has_the_number_of_its_own_result() -> None:
    dte = Dte()
    dte.send(OpenUdp(1, 5000))
    dte.receive_data(b"\r\n+CIPOPEN: 2,4\r\n\r\n+CIPOPEN: 1,6\r\n\r\nERROR\r\n")
    assert [dte.next_event(), dte.next_event()] == [LinkOpened(2, 4), LinkOpened(1, 6)]
    failed = dte.next_event()
    assert isinstance(failed, Failed)
    assert (failed.failure.dialect, failed.failure.code) == (Dialect.TAGGED, 6)


@pytest.mark.parametrize("result_first", [True, False])
def test_the_result_of_a_send_may_come_on_either_side_of_ok(result_first: bool) -> None:
    dte = Dte()
    dte.send(SendDatagram(1, b"HELLO", "117.131.85.139", 5254))
    dte.receive_data(b"\r\n>")
    assert dte.next_event() == PromptReady()
    assert dte.take_payload() == b"HELLO"
    ok, result = b"\r\nOK\r\n", b"\r\n+CIPSEND: 1,5,5\r\n"
    dte.receive_data(result + ok if result_first else ok + result)
    events = [dte.next_event(), dte.next_event()]
    kinds = [type(event) for event in events]
    expected = [SendConfirmed, Completed] if result_first else [Completed, SendConfirmed]
    assert kinds == expected

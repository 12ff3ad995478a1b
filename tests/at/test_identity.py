"""What the doctor asks: the test forms, plain numbers, the operator, the PIN's attempts."""

from modemproxy.at.dte import AnyCommand, Completed, Dte, Event, Failed
from modemproxy.at.identity import Probe, QueryNumbers, QueryOperator, QueryPinAttempts


def ask(command: AnyCommand, answer: bytes) -> Event | None:
    dte = Dte()
    dte.send(command)
    dte.receive_data(answer)
    return dte.next_event()


def reply(command: AnyCommand, answer: bytes) -> object:
    event = ask(command, answer)
    assert isinstance(event, Completed)
    return event.reply


def test_the_test_form_takes_any_number_of_lines() -> None:
    probe = Probe("CIPCFG")
    assert probe.shown == "AT+CIPCFG=?"
    two = b'\r\n+CIPCFG:"transwaittm",(5-1000)\r\n+CIPCFG:"DATAECHO",("ON","OFF")\r\n\r\nOK\r\n'
    assert reply(probe, two) is None
    assert reply(probe, b"\r\nOK\r\n") is None
    assert isinstance(ask(probe, b"\r\nERROR\r\n"), Failed)


def test_numbers_of_any_count() -> None:
    query = QueryNumbers("CIPCCFG")
    assert query.shown == "AT+CIPCCFG?"
    seven = b"\r\n+CIPCCFG: 10,0,0,1,0,0,500\r\n\r\nOK\r\n"
    assert reply(query, seven) == (10, 0, 0, 1, 0, 0, 500)
    assert reply(QueryNumbers("CMEE"), b"\r\n+CMEE: 2\r\n\r\nOK\r\n") == (2,)


def test_the_operator_if_there_is_one() -> None:
    assert reply(QueryOperator(), b'\r\n+COPS: 0,0,"Net, Inc",7\r\n\r\nOK\r\n') == "Net, Inc"
    assert reply(QueryOperator(), b"\r\n+COPS: 0\r\n\r\nOK\r\n") == ""


def test_the_attempts_that_are_left() -> None:
    assert reply(QueryPinAttempts(), b"\r\n+SPIC: 2,10,3,10\r\n\r\nOK\r\n") == 2

"""Prompts, results, payloads and echoes that nobody asked for, and answers that come late."""

import pytest

from modemproxy.at.commands import Attention, Basic, Identify
from modemproxy.at.dte import (
    AnyCommand,
    Broken,
    Completed,
    Dte,
    Echoed,
    Failed,
    PromptReady,
    Stray,
    StrayPrompt,
    Unknown,
)
from modemproxy.at.subscription import QuerySim
from modemproxy.at.tcpip import (
    OpenLink,
    QueryNet,
)
from modemproxy.at.transfer import (
    QueryUnread,
    ReadData,
    SendData,
)
from modemproxy.at.urcs import (
    Pushed,
)
from modemproxy.errors import RemoteProtocolError
from tests.at.dialogue import ERROR, LONG, OK, ask, events, line, read_answer
from tests.strategies import (
    pieces,
)


@pytest.mark.parametrize("command", [Attention(), ReadData(3, 9)])
def test_a_prompt_nobody_asked_for(command: AnyCommand) -> None:
    assert events(Dte(), b"\r\n>") == [StrayPrompt()]
    assert ask(command, b"\r\n> ") == [StrayPrompt()]


def test_a_second_prompt_is_stray_and_ok_before_the_first_is_not_ours() -> None:
    command = SendData(3, b"x")
    assert ask(command, OK + b"\r\n>" + b"\r\n>") == [
        Stray("OK before the prompt"),
        PromptReady(),
        StrayPrompt(),
    ]


@pytest.mark.parametrize("text", [b"OK", b"ERROR", b"+CME ERROR: 3"])
def test_a_final_nobody_asked_for(text: bytes) -> None:
    [event] = events(Dte(), line(text))
    assert isinstance(event, Stray)


def test_a_payload_nobody_asked_for() -> None:
    assert events(Dte(), b"\r\n+CIPRXGET: 2,3,2,0\r\nOK") == [Stray("2 bytes of link 3")]
    stray, done = ask(Attention(), read_answer(b"\r\nOK\r\n", LONG))
    assert stray == Stray("6 bytes of link 3")
    assert done == Completed(Attention(), None)


def test_pushed_bytes_are_never_text() -> None:
    assert events(Dte(), b"\r\n+IPD6\r\n\r\nOK\r\n") == [Pushed(None, b"\r\nOK\r\n")]
    assert ask(Attention(), b"\r\n+RECEIVE,2,1:\r\n>", OK) == [
        Pushed(2, b">"),
        Completed(Attention(), None),
    ]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7])
@pytest.mark.parametrize(
    "command", [Attention(), QuerySim(), Basic("E0"), OpenLink(3, "example.org", 443)]
)
def test_an_echo_is_seen_and_the_command_still_ends(command: AnyCommand, size: int) -> None:
    dte = Dte()
    echo = dte.send(command)
    answer = line(b"+CPIN: READY") if isinstance(command, QuerySim) else b""
    found = events(dte, *pieces(echo + answer + OK, size))
    assert found[0] == Echoed(echo[:-1])
    assert isinstance(found[-1], Completed)


def test_an_echo_behind_nothing_in_flight_is_still_an_echo() -> None:
    assert events(Dte(), b"AT+CIPSEND=3,5\r\r\n") == [Echoed(b"AT+CIPSEND=3,5")]


def test_lines_that_mean_nothing() -> None:
    assert events(Dte(), line(b"+NEW: 1"), line(b"words")) == [
        Unknown(b"+NEW: 1"),
        Unknown(b"words"),
    ]


def test_the_words_of_a_late_boot_are_no_model_name() -> None:
    found = ask(Identify("CGMM"), line(b"SMS DONE") + line(b"A7672E") + OK)
    assert found[-1] == Completed(Identify("CGMM"), "A7672E")
    assert len(found) == 2


def test_an_overlong_line_is_an_error_and_the_dialogue_goes_on() -> None:
    dte = Dte()
    dte.send(Attention())
    dte.receive_data(b"x" * 5000 + b"\r\n" + OK)
    with pytest.raises(RemoteProtocolError):
        dte.next_event()
    assert isinstance(dte.next_event(), Unknown)
    assert dte.next_event() == Completed(Attention(), None)


# late replies


@pytest.mark.parametrize(
    "late",
    [
        line(b"+NETOPEN: 1") + OK,
        line(b"+CIPRXGET: 4,3,120") + OK,
        ERROR,
        OK,
        read_answer(b"\r\nOK\r\n", LONG),
        b"\r\n>",
    ],
)
def test_after_abandon_a_late_reply_satisfies_nobody(late: bytes) -> None:
    dte = Dte()
    dte.send(QueryUnread(3))
    dte.abandon()
    assert dte.in_flight is None
    for event in events(dte, late):
        assert not isinstance(event, Completed | Failed | Broken | PromptReady)


def test_an_abandoned_payload_does_not_eat_the_banner_nor_speak() -> None:
    dte = Dte()
    dte.send(ReadData(3, 1460))
    events(dte, b"\r\n+CIPRXGET: 2,3,1460,0\r\n\r\n+IPCLOSE: 5,1\r\n")
    dte.abandon()
    found = events(dte, line(b"RDY"))
    assert [type(event).__name__ for event in found] == ["ModuleBooted"]


def test_what_was_heard_of_an_abandoned_command_is_forgotten() -> None:
    dte = Dte()
    dte.send(QueryNet())
    events(dte, line(b"+NETOPEN: 1"))
    dte.abandon()
    assert isinstance(ask(QueryNet(), OK, dte=dte)[-1], Broken)

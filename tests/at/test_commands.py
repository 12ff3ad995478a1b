"""Commands: exact text, whose lines are whose, what a reply means, what a log may show."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.commands import Assign, Attention, Basic, Command, Identify, SetRate, quoted
from modemproxy.at.servers import QueryServers, StopServer
from modemproxy.at.subscription import (
    EnterPin,
    QueryAddress,
    QueryContexts,
    QueryFunction,
    QueryRegistration,
    QuerySim,
    SetAuth,
    SetContext,
    SetDns,
)
from modemproxy.at.tcpip import (
    MAX_TIMEOUT_S,
    CloseLink,
    CloseNet,
    OpenLink,
    OpenNet,
    QueryIp,
    QueryLinks,
    QueryNet,
    QueryReceiveMode,
)
from modemproxy.at.transfer import AckReply, QueryAck, QueryUnread, ReadData, SendData
from modemproxy.at.urcs import (
    CloseDone,
    LinkOpened,
    NetClosed,
    NetOpened,
    ServerStopped,
    Urc,
)
from modemproxy.errors import LocalProtocolError, RemoteProtocolError

TEXTS: list[tuple[Command[Any], str]] = [
    (Attention(), ""),
    (Basic("E0"), "E0"),
    (Assign("CMEE", "2"), "+CMEE=2"),
    (SetRate(921600), "+IPR=921600"),
    (Identify("CGMR"), "+CGMR"),
    (QuerySim(), "+CPIN?"),
    (EnterPin("0123"), '+CPIN="0123"'),
    (QueryFunction(), "+CFUN?"),
    (QueryRegistration("CEREG"), "+CEREG?"),
    (QueryContexts(), "+CGDCONT?"),
    (SetContext("IPV4V6", "internet"), '+CGDCONT=1,"IPV4V6","internet"'),
    (SetAuth(2, "user", "secret"), '+CGAUTH=1,2,"secret","user"'),
    (SetAuth(0, "user", "secret"), "+CGAUTH=1,0"),
    (SetDns(("9.9.9.9", "1.1.1.1")), '+CDNSCFG="9.9.9.9","1.1.1.1"'),
    (QueryAddress(), "+CGPADDR=1"),
    (QueryReceiveMode(), "+CIPRXGET?"),
    (QueryNet(), "+NETOPEN?"),
    (OpenNet(), "+NETOPEN"),
    (CloseNet(), "+NETCLOSE"),
    (QueryIp(), "+IPADDR"),
    (OpenLink(3, "example.org", 443), '+CIPOPEN=3,"TCP","example.org",443'),
    (CloseLink(3), "+CIPCLOSE=3"),
    (QueryLinks(), "+CIPCLOSE?"),
    (SendData(3, b"\0\x1a\x1b"), "+CIPSEND=3,3"),
    (ReadData(3, 1460), "+CIPRXGET=2,3,1460"),
    (QueryUnread(3), "+CIPRXGET=4,3"),
    (QueryAck(3), "+CIPACK=3"),
    (QueryServers(), "+SERVERSTART?"),
    (StopServer(2), "+SERVERSTOP=2"),
]


@pytest.mark.parametrize(("command", "text"), TEXTS)
def test_text_is_exact_one_line_of_ascii(command: Command[Any], text: str) -> None:
    assert command.text == text
    assert text.isascii()
    assert text.isprintable() or not text
    assert len(text) < 3071


@pytest.mark.parametrize("command", [command for command, _ in TEXTS])
def test_time_limits_are_bounded_and_only_a_send_has_a_payload(command: Command[Any]) -> None:
    assert 0 < command.timeout_s <= 150
    if isinstance(command, SendData):
        assert command.payload == command.data
    else:
        assert command.payload is None


def test_an_open_waits_longer_than_the_module_does() -> None:
    assert OpenLink(0, "h", 1).timeout_s > MAX_TIMEOUT_S
    assert OpenLink(0, "h", 1, patience_s=10).timeout_s == 15


# secrets


def test_a_pin_is_not_shown_and_keeps_its_length() -> None:
    command = EnterPin("4711")
    assert "4711" not in command.shown
    assert len(command.shown) == len("AT" + command.text)


def test_a_password_is_not_shown_and_keeps_its_length() -> None:
    command = SetAuth(1, "user", "secret")
    assert command.shown == 'AT+CGAUTH=1,1,"******","user"'
    assert SetAuth(0, "user", "secret").shown == "AT+CGAUTH=1,0"


@pytest.mark.parametrize("command", [command for command, _ in TEXTS])
def test_what_is_shown_is_as_long_as_what_is_sent(command: Command[Any]) -> None:
    assert len(command.shown) == len("AT" + command.text)


# injection

BAD_TEXTS = ['a"b', "a\rb", "a\nAT+CPOF", "a\0", "a\x1b", "a\x7f", "ä", "\u2028", "a\tb"]


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_text_that_could_leave_its_quotes_or_its_line_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        quoted(text)
    commands: list[Command[Any]] = [
        EnterPin(text),
        SetContext("IP", text),
        SetContext(text, "internet"),
        SetAuth(1, text, "x"),
        SetAuth(1, "x", text),
        SetDns((text,)),
        OpenLink(0, text, 80),
    ]
    for command in commands:
        with pytest.raises(LocalProtocolError):
            _ = command.text


@given(text=st.text(max_size=20))
def test_quoted_text_is_one_string_or_an_error(text: str) -> None:
    try:
        result = quoted(text)
    except LocalProtocolError:
        return
    assert result == f'"{text}"'
    assert result.count('"') == 2
    assert all(" " <= char <= "~" for char in result)


# whose lines are whose

MINE: list[tuple[Command[Any], bytes, bool]] = [
    (Attention(), b"+CSQ: 1,2", False),
    (SendData(3, b"x"), b"+CIPSEND: 3,1,1", False),
    (ReadData(3, 5), b"+CIPRXGET: 1,3", False),
    (QueryReceiveMode(), b"+CIPRXGET: 1", True),
    (QueryReceiveMode(), b"+CIPRXGET: 1,3", False),
    (QueryUnread(3), b"+CIPRXGET: 4,3,120", True),
    (QueryUnread(3), b"+ciprxget:4, 3, 120", True),
    (QueryUnread(3), b"+CIPRXGET: 4,2,120", False),
    (QueryUnread(3), b"+CIPRXGET: 1,3", False),
    (QueryUnread(3), b"+CIPACK: 4,3,120", False),
    (QueryLinks(), b"+CIPCLOSE: 1,0,0,0,0,0,0,0,0,0", True),
    (QueryLinks(), b"+CIPCLOSE: 1,0,0,0", True),
    (QueryLinks(), b"+CIPCLOSE: 1,0", False),
    (QueryServers(), b"+SERVERSTART: 0,8080", True),
    (QueryServers(), b"+SERVERSTART: 0,8080,1", True),
    (QueryServers(), b"+SERVERSTART: 0", False),
    (QueryNet(), b"+NETOPEN: 1", True),
    (QueryNet(), b"+NETCLOSE: 1", False),
    (QueryAck(3), b"+CIPACK: 1,1,0", True),
    (QueryRegistration("CEREG"), b"+CEREG: 0,1", True),
    (QueryRegistration("CEREG"), b'+CEREG: 2,1,"1234","01",7', True),
    (QueryRegistration("CEREG"), b"+CEREG: 1", False),
    (QueryRegistration("CEREG"), b'+CEREG: 1,"12AB","01",7', False),
    (QueryRegistration("CEREG"), b'+CEREG: 1,"1234","01",7', False),
    (QueryRegistration("CEREG"), b"+CGREG: 0,1", False),
    (Identify("CGMM"), b"A7672E-LASE", True),
    (Identify("CGMR"), b"+CGMR: A011B14", True),
    (Identify("CGMR"), b"+CIPRXGET: 1,3", False),
    (Identify("CGMM"), b"SMS DONE", False),
    (Identify("CGMM"), b"RDY", False),
]


@pytest.mark.parametrize(("command", "line", "mine"), MINE)
def test_takes_its_own_lines_only(command: Command[Any], line: bytes, mine: bool) -> None:
    assert command.takes(line) is mine


OUTCOMES: list[tuple[Command[Any], Urc, int | None]] = [
    (OpenLink(3, "h", 1), LinkOpened(3, 11), 11),
    (OpenLink(3, "h", 1), LinkOpened(2, 11), None),
    (CloseLink(3), CloseDone(3, 0), 0),
    (CloseLink(3), CloseDone(4, 4), None),
    (CloseLink(3), LinkOpened(3, 4), None),
    (OpenNet(), NetOpened(1), 1),
    (OpenNet(), NetClosed(1), None),
    (CloseNet(), NetClosed(2), 2),
    (StopServer(1), ServerStopped(1, 4), 4),
    (StopServer(1), ServerStopped(0, 4), None),
    (Attention(), NetOpened(1), None),
]


@pytest.mark.parametrize(("command", "urc", "err"), OUTCOMES)
def test_the_outcome_is_that_of_the_same_link(
    command: Command[Any], urc: Urc, err: int | None
) -> None:
    assert command.outcome(urc) == err


# replies

REPLIES: list[tuple[Command[Any], list[bytes], object]] = [
    (Attention(), [], None),
    (Identify("CGMM"), [b"A7672E-LASE"], "A7672E-LASE"),
    (Identify("CGMR"), [b"+CGMR: A011B14", b"more"], "A011B14 more"),
    (QuerySim(), [b"+CPIN: SIM PIN"], "SIM PIN"),
    (QueryFunction(), [b"+CFUN: 1"], 1),
    (QueryRegistration("CEREG"), [b"+CEREG: 0,5"], 5),
    (
        QueryContexts(),
        [
            b'+CGDCONT: 1,"IP","internet","",0,0',
            b'+CGDCONT: 8,"IPV4V6","","",0,0',
            b"+CGDCONT: 3",
        ],
        {1: ("IP", "internet"), 8: ("IPV4V6", "")},
    ),
    (QueryContexts(), [b'+CGDCONT: 1,"IP",,"0.0.0.0"'], {1: ("IP", "")}),
    (QueryContexts(), [b'+CGDCONT: 1,"\xff","\xfe"'], {1: ("\ufffd", "\ufffd")}),
    (QueryContexts(), [], {}),
    (QueryAddress(), [b"+CGPADDR: 1,10.1.2.3"], "10.1.2.3"),
    (QueryAddress(), [b"+CGPADDR: 1,0.0.0.0"], ""),
    (QueryAddress(), [b"+CGPADDR: 1"], ""),
    (QueryAddress(), [], ""),
    (QueryReceiveMode(), [b"+CIPRXGET: 1"], 1),
    (QueryNet(), [b"+NETOPEN: 1"], True),
    (QueryNet(), [b"+NETOPEN: 0"], False),
    (QueryIp(), [b"+IPADDR: 10.71.155.118"], "10.71.155.118"),
    (
        QueryLinks(),
        [b"+CIPCLOSE: 1,0,0,0,0,0,0,0,0,1"],
        (True, *[False] * 8, True),
    ),
    (QueryUnread(3), [b"+CIPRXGET: 4,3,120"], 120),
    (QueryAck(3), [b"+CIPACK: 1460,1000,0"], AckReply(1460, 1000)),
    (QueryAck(3), [b"+CIPACK: 1460,1000"], AckReply(1460, 1000)),
    (QueryAck(3), [b"+CIPACK: 1460"], AckReply(-1, -1)),
    (QueryServers(), [b"+SERVERSTART: 0,8080", b"+SERVERSTART: 3,22"], {0: 8080, 3: 22}),
    (QueryServers(), [], {}),
]


@pytest.mark.parametrize(("command", "info", "reply"), REPLIES)
def test_replies(command: Command[Any], info: list[bytes], reply: object) -> None:
    assert command.parse(info) == reply


@pytest.mark.parametrize(
    "command",
    [QuerySim(), QueryFunction(), QueryNet(), QueryUnread(3), QueryAck(3), QueryLinks()],
)
def test_ok_without_an_answer_is_an_error(command: Command[Any]) -> None:
    with pytest.raises(RemoteProtocolError, match="OK without an answer"):
        command.parse([])


ANSWERING = [
    command for command, _ in TEXTS if command.answers or command.takes(b"+CEREG: 0,1")
]


@given(
    command=st.sampled_from([*ANSWERING, QueryUnread(3), QueryRegistration("CREG")]),
    rest=st.one_of(
        st.binary(max_size=30),
        st.lists(
            st.sampled_from([b"1", b"4", b"3", b'"', b'"\xff"', b"", b"9" * 4400]), max_size=5
        ).map(b",".join),
    ),
)
def test_any_line_it_takes_is_parsed_or_a_remote_protocol_error(
    command: Command[Any], rest: bytes
) -> None:
    line = command.text.encode().rstrip(b"?").partition(b"=")[0] + b": " + rest
    if command.takes(line):
        with contextlib.suppress(RemoteProtocolError):
            command.parse([line])

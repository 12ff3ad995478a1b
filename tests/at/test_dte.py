"""The dialogue: one command in flight, everything else belongs to somebody else."""

import pytest

from modemproxy.at.commands import Attention
from modemproxy.at.dte import (
    AnyCommand,
    Broken,
    Completed,
    Dte,
    Failed,
    PromptReady,
)
from modemproxy.at.results import Dialect
from modemproxy.at.servers import StopServer
from modemproxy.at.subscription import QuerySim
from modemproxy.at.tcpip import (
    CloseLink,
    CloseNet,
    OpenLink,
    OpenNet,
    QueryNet,
)
from modemproxy.at.transfer import (
    QueryAck,
    ReadData,
    SendData,
)
from modemproxy.at.urcs import (
    CloseDone,
    LinkOpened,
    NetOpened,
    SendConfirmed,
    Urc,
)
from modemproxy.errors import LocalProtocolError
from tests.at.dialogue import ERROR, OK, ask, line
from tests.strategies import (
    HOSTILE_PAYLOADS,
)

# what goes out


def test_a_command_is_one_line_ended_by_cr_only() -> None:
    dte = Dte()
    assert dte.send(QuerySim()) == b"AT+CPIN?\r"
    assert dte.in_flight == QuerySim()


def test_a_second_command_in_flight_is_our_bug() -> None:
    dte = Dte()
    dte.send(QuerySim())
    with pytest.raises(LocalProtocolError, match="in flight"):
        dte.send(Attention())


def test_payload_is_for_an_open_prompt_once() -> None:
    dte = Dte()
    with pytest.raises(LocalProtocolError):
        dte.take_payload()
    dte.send(SendData(3, b"hello"))
    with pytest.raises(LocalProtocolError):
        dte.take_payload()
    dte.receive_data(b"\r\n>")
    assert dte.next_event() == PromptReady()
    assert dte.prompted
    assert dte.take_payload() == b"hello"
    with pytest.raises(LocalProtocolError):
        dte.take_payload()


# results before and after OK


@pytest.mark.parametrize("data", HOSTILE_PAYLOADS)
@pytest.mark.parametrize("prompt", [b"\r\n>", b"\r\n> ", b">"])
@pytest.mark.parametrize("first", ["ok", "result"])
def test_a_send(data: bytes, prompt: bytes, first: str) -> None:
    command = SendData(3, data)
    result = line(b"+CIPSEND: 3,%d,%d" % (len(data), len(data)))
    answer = OK + result if first == "ok" else result + OK
    done, confirmed = Completed(command, None), SendConfirmed(3, len(data), len(data))
    expected = [done, confirmed] if first == "ok" else [confirmed, done]
    assert ask(command, prompt, answer) == [PromptReady(), *expected]


@pytest.mark.parametrize("first", ["ok", "result"])
@pytest.mark.parametrize(
    ("command", "text", "urc"),
    [
        (OpenLink(3, "h", 1), b"+CIPOPEN: 3,0", LinkOpened(3, 0)),
        (CloseLink(3), b"+CIPCLOSE: 3,0", CloseDone(3, 0)),
        (OpenNet(), b"+NETOPEN: 0", NetOpened(0)),
    ],
)
def test_a_result_on_either_side_of_ok(
    command: AnyCommand, text: bytes, urc: Urc, first: str
) -> None:
    done = Completed(command, None)
    if first == "ok":
        assert ask(command, OK, line(text)) == [done, urc]
    else:
        assert ask(command, line(text), OK) == [urc, done]


@pytest.mark.parametrize(
    ("command", "text", "dialect", "code"),
    [
        (OpenLink(3, "h", 1), b"+CIPOPEN: 3,4", Dialect.TAGGED, 4),
        (OpenLink(3, "h", 1), b"+CIPOPEN 3,4", Dialect.TAGGED, 4),
        (OpenLink(3, "h", 1), b"+CIPOPEN: 2,4", Dialect.BARE, None),
        (CloseLink(3), b"+CIPCLOSE: 3,4", Dialect.TAGGED, 4),
        (CloseNet(), b"+NETCLOSE: 2", Dialect.TAGGED, 2),
        (StopServer(1), b"+SERVERSTOP: 1,3", Dialect.TAGGED, 3),
        (SendData(3, b"x"), b"+CIPERROR: 8", Dialect.CIPERROR, 8),
        (ReadData(3, 9), b"+IP ERROR: No data", Dialect.IP_ERROR, 22),
        (ReadData(3, 9), b"+IP ERROR: 22", Dialect.IP_ERROR, 22),
        (QueryAck(3), b"+IP ERROR: Connection is not created", Dialect.IP_ERROR, 11),
        (QueryAck(3), b"+SOMETHING: else", Dialect.BARE, None),
    ],
)
def test_error_explained_by_the_line_before_it(
    command: AnyCommand, text: bytes, dialect: Dialect, code: int | None
) -> None:
    failed = ask(command, line(text) + ERROR)[-1]
    assert isinstance(failed, Failed)
    assert (failed.failure.dialect, failed.failure.code) == (dialect, code)
    assert not failed.handed_over


def test_cme_error_is_final_by_itself() -> None:
    [failed] = ask(QuerySim(), line(b"+CME ERROR: SIM busy"))
    assert isinstance(failed, Failed)
    assert failed.failure.code == 14


def test_an_explanation_is_not_kept_for_the_next_command() -> None:
    dte = Dte()
    ask(ReadData(3, 9), line(b"+IP ERROR: No data") + ERROR, dte=dte)
    failed = ask(ReadData(3, 9), ERROR, dte=dte)[-1]
    assert isinstance(failed, Failed)
    assert failed.failure.dialect is Dialect.BARE


def test_error_after_the_payload_says_that_bytes_were_handed_over() -> None:
    prompt, failed = ask(SendData(3, b"x"), b"\r\n>", ERROR)
    assert prompt == PromptReady()
    assert isinstance(failed, Failed)
    assert failed.handed_over


def test_an_answer_that_is_none_is_broken() -> None:
    [broken] = ask(QueryNet(), line(b"+NETOPEN: x") + OK)
    assert isinstance(broken, Broken)
    [broken] = ask(QueryNet(), OK)
    assert isinstance(broken, Broken)
    assert "OK without" in broken.problem

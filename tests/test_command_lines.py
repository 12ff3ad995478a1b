"""Commands come back out of the lines that a transcript shows."""

from typing import Any

import pytest

from modemproxy.at.commands import Attention, Basic, Command, Identify, Setting
from modemproxy.at.datagrams import OpenUdp, SendDatagram
from modemproxy.at.dte import AnyCommand
from modemproxy.at.identity import Probe, QueryNumbers, QueryOperator, QueryPinAttempts
from modemproxy.at.names import ResolveName
from modemproxy.at.servers import QueryOpen, QueryServers, StartServer, StopServer
from modemproxy.at.subscription import (
    EnterPin,
    QueryAddress,
    QueryContexts,
    QueryFunction,
    QueryRegistration,
    QuerySignal,
    QuerySim,
)
from modemproxy.at.tcpip import (
    CloseLink,
    CloseNet,
    OpenLink,
    OpenNet,
    QueryIp,
    QueryLinks,
    QueryNet,
    QueryReceiveMode,
)
from modemproxy.at.transfer import QueryAck, QueryUnread, ReadData, SendData
from tests.command_lines import Verbatim, parse_command_line
from tests.replay import replay
from tests.transcript import filler

SAMPLES: list[AnyCommand] = [
    Attention(),
    Basic("E0"),
    Identify("CGMM"),
    SendData(3, b"hello"),
    ReadData(3, 1460),
    QueryUnread(3),
    QueryAck(3),
    QuerySim(),
    EnterPin("0471"),
    QueryFunction(),
    QueryRegistration("CEREG"),
    QueryContexts(),
    QueryAddress(),
    QuerySignal(),
    QueryOperator(),
    QueryPinAttempts(),
    QueryNumbers("CIPCCFG"),
    Probe("NETOPEN"),
    QueryReceiveMode(),
    QueryNet(),
    OpenNet(),
    CloseNet(),
    QueryIp(),
    OpenLink(3, "far.example.com", 7),
    CloseLink(3),
    QueryLinks(),
    QueryServers(),
    StopServer(2),
    StartServer(2, 8080),
    QueryOpen(),
    ResolveName("far.example.com"),
    OpenUdp(4, 49152),
    SendDatagram(4, filler(9), "far.example.com", 53),
]


@pytest.mark.parametrize("command", SAMPLES, ids=lambda command: type(command).__name__)
def test_a_command_comes_back_out_of_its_line(command: AnyCommand) -> None:
    again = parse_command_line(command.shown)
    assert type(again) is type(command)
    assert len(again.text) == len(command.text)
    if not isinstance(command, EnterPin):
        assert again.shown == command.shown


def test_every_command_with_an_answer_is_known() -> None:
    """One that is new needs a line in ``tests/command_lines.py``, or it does not replay."""
    found: set[type[Any]] = set()
    todo: list[type[Any]] = [Command]
    while todo:
        for kind in todo.pop().__subclasses__():
            todo.append(kind)
            found.add(kind)
    answered = {
        kind
        for kind in found
        if kind.__module__.startswith("modemproxy.at.")
        and kind.__module__ != "modemproxy.at.raw"  # what an operator types may be anything
        and kind is not Setting
        and not (issubclass(kind, Setting) and kind.outcome is Command.outcome)
    }
    known = {type(sample).__name__ for sample in SAMPLES}  # slots make a class twice
    assert {kind.__name__ for kind in answered} - known == set()


def test_a_command_nobody_knows_has_a_result_and_no_answer() -> None:
    assert parse_command_line("AT$QCPWRDN") == Verbatim("$QCPWRDN")
    report = replay("= Opened\n> AT$QCPWRDN\n< OK\n= Completed AT$QCPWRDN\n")
    assert report.events == ["Completed AT$QCPWRDN"]

"""Unsolicited codes at any line boundary change nothing else, and any bytes bring events."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.commands import Attention, Identify
from modemproxy.at.dte import (
    AnyCommand,
    Completed,
    Dte,
    Event,
    PromptReady,
    Unknown,
)
from modemproxy.at.subscription import QueryContexts, QueryRegistration, QuerySim
from modemproxy.at.tcpip import (
    CloseLink,
    OpenLink,
    QueryLinks,
    QueryNet,
)
from modemproxy.at.transfer import (
    AckReply,
    QueryAck,
    QueryUnread,
    ReadData,
    ReadReply,
    SendData,
)
from modemproxy.at.urcs import (
    CloseDone,
    DataWaiting,
    LinkOpened,
    SendConfirmed,
    Urc,
)
from modemproxy.errors import RemoteProtocolError
from tests.at.dialogue import OK, ask, line
from tests.strategies import (
    URC_LINES,
    chopped,
    hostile_bytes,
    urc_lines,
)


@dataclass
class Scene:
    """What the module says, in pieces between which a line of its own may fall."""

    command: AnyCommand
    parts: list[bytes]
    result: object = None
    also: list[Event] = field(default_factory=list)


SCENES: list[Callable[[], Scene]] = [
    lambda: Scene(Attention(), [OK]),
    lambda: Scene(QueryNet(), [line(b"+NETOPEN: 1"), OK], result=True),
    lambda: Scene(QueryUnread(3), [line(b"+CIPRXGET: 4,3,9"), OK], result=9),
    lambda: Scene(QueryAck(3), [line(b"+CIPACK: 5,5,0"), OK], result=AckReply(5, 5)),
    lambda: Scene(
        QueryLinks(),
        [line(b"+CIPCLOSE: 1,0,0,0"), OK],
        result=(True, False, False, False),
    ),
    lambda: Scene(QueryRegistration("CEREG"), [line(b"+CEREG: 0,1"), OK], result=1),
    lambda: Scene(
        SendData(3, b"hello"),
        [b"\r\n>", OK, line(b"+CIPSEND: 3,5,5")],
        also=[PromptReady(), SendConfirmed(3, 5, 5)],
    ),
    lambda: Scene(
        ReadData(3, 9),
        [b"\r\n+CIPRXGET: 2,3,8,4\r\n\r\nOK\r\n\0>\r\n", OK],
        result=ReadReply(b"\r\nOK\r\n\0>", 4),
    ),
    lambda: Scene(
        ReadData(3, 9),
        [b"\r\n+CIPRXGET: 2,3,8,4\r\n\r\nOK\r\n\0>", OK],
        result=ReadReply(b"\r\nOK\r\n\0>", 4),
    ),
    lambda: Scene(OpenLink(3, "h", 1), [OK, line(b"+CIPOPEN: 3,0")], also=[LinkOpened(3, 0)]),
    lambda: Scene(CloseLink(3), [line(b"+CIPCLOSE: 3,0"), OK], also=[CloseDone(3, 0)]),
]


@given(scene=st.sampled_from(SCENES).map(lambda make: make()), data=st.data())
def test_a_urc_at_any_line_boundary_changes_nothing_else(
    scene: Scene, data: st.DataObject
) -> None:
    stream, inserted = b"", 0
    for part in [*scene.parts, b""]:
        said = data.draw(urc_lines)
        inserted += len(said)
        stream += b"".join(map(line, said)) + part
    reads = data.draw(chopped(stream))
    found = ask(scene.command, *reads)
    expected = [Completed(scene.command, scene.result), *scene.also]
    assert [event for event in found if event in expected] == (
        sorted(expected, key=found.index)
    )
    rest = [event for event in found if event not in expected]
    assert len(rest) == inserted
    assert all(isinstance(event, Urc | Unknown) for event in rest)


@pytest.mark.parametrize("text", URC_LINES)
def test_a_urc_between_command_and_prompt(text: bytes) -> None:
    found = ask(SendData(3, b"x"), line(text) + b"\r\n>", OK)
    assert found[1:] == [PromptReady(), Completed(SendData(3, b"x"), None)]


COMMANDS: list[AnyCommand] = [
    Attention(),
    QueryContexts(),
    QueryLinks(),
    QueryUnread(3),
    QuerySim(),
    QueryRegistration("CEREG"),
    Identify("CGMM"),
    SendData(3, b"hello"),
    ReadData(3, 5),
    OpenLink(3, "h", 1),
]


@given(command=st.sampled_from(COMMANDS), stream=hostile_bytes, data=st.data())
def test_any_bytes_bring_events_or_remote_protocol_errors(
    command: AnyCommand, stream: bytes, data: st.DataObject
) -> None:
    dte = Dte()
    dte.send(command)
    for read in data.draw(chopped(stream)):
        dte.receive_data(read)
        while True:
            try:
                if dte.next_event() is None:
                    break
            except RemoteProtocolError:
                continue


def test_a_urc_during_a_query_is_not_its_answer() -> None:
    found = ask(QueryUnread(3), line(b"+CIPRXGET: 1,3") + line(b"+CIPRXGET: 4,3,7") + OK)
    assert found == [DataWaiting(3), Completed(QueryUnread(3), 7)]

"""The wire transcript: whatever happened, its replay gives the same events."""

from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.commands import Attention, Identify
from modemproxy.at.dte import (
    AnyCommand,
    Dte,
    PromptReady,
)
from modemproxy.at.subscription import EnterPin, QueryContexts, QuerySim
from modemproxy.at.tcpip import CloseLink, OpenLink, QueryLinks, QueryReceiveMode
from modemproxy.at.transfer import QueryAck, QueryUnread, ReadData, SendData
from modemproxy.errors import RemoteProtocolError
from modemproxy.line.wiretext import describe
from tests.command_lines import parse_command_line
from tests.line.scribe import OK, Scribe, check_replay
from tests.replay import recorded
from tests.strategies import HOSTILE_PAYLOADS, hostile_bytes
from tests.transcript import filler, parse

COMMANDS: list[AnyCommand] = [
    Attention(),
    SendData(3, b"hello"),
    ReadData(3, 1460),
    QueryUnread(3),
    QueryAck(3),
    OpenLink(3, "far.example.com", 7),
    CloseLink(3),
    QueryLinks(),
    QueryReceiveMode(),
    QuerySim(),
    QueryContexts(),
    Identify("CGMM"),
    EnterPin("0471"),
]

ECHOED_PIN = b'\r\nAT+CPIN="0471"\r'
Act = AnyCommand | bytes | None
#: A command, what the module says, or giving up.
acts: st.SearchStrategy[Act] = st.one_of(
    st.sampled_from(COMMANDS),
    hostile_bytes,
    st.sampled_from(HOSTILE_PAYLOADS),
    st.sampled_from(
        [
            b"\r\n>",
            OK,
            b"OK\r",
            b"+CIPRXGET: 4,3,7\r",
            b"\r\n+CIPRXGET: 2,3,4,0\r\nabcd\r\n" + OK,
            b"\r\n+CIPRXGET: 2,3,4,0\r\nab",
            ECHOED_PIN,
            b"\r\n+CPIN: READY\r\n",
            b'\r\n+CGDCONT: 1,"IP","net"\r\n',
            b"AT+CIPSEND=3,5\r\r\n>",
            b"AT+CIPSEND=3,5\r\r\n>hello\r\nOK\r\n",
            b"hel",
            b"lo\r\nOK\r\n",
        ]
    ),
    st.just(None),
)


def act(scribe: Scribe, what: Act) -> None:
    if isinstance(what, bytes):
        scribe.hear(what)
        return
    if what is None or scribe.dte.in_flight is not None:
        scribe.dte.abandon()
    if what is not None:
        scribe.dte.send(what)


@given(st.lists(st.tuples(acts, st.sampled_from([0.0, 0.0, 0.0, 1.5])), max_size=25))
def test_whatever_happened_replays(story: list[tuple[Act, float]]) -> None:
    scribe = Scribe()
    for what, pause in story:
        scribe.now += pause
        act(scribe, what)
    scribe.close()
    steps = parse(scribe.text)
    assert [event.text for event in recorded(steps)] == scribe.events
    assert sum(len(step.data) for step in steps if step.kind == "<") == scribe.heard
    check_replay(scribe)


@given(st.lists(acts.filter(lambda act: act != ECHOED_PIN), max_size=25))
def test_recording_changes_nothing(story: list[Act]) -> None:
    """Only a secret that comes back is understood from its mask."""
    scribe, plain = Scribe(), Dte()
    events = []
    for what in story:
        act(scribe, what)
        if isinstance(what, bytes):
            plain.receive_data(what)
            events += drain(plain)
            continue
        if what is None or plain.in_flight is not None:
            plain.abandon()
        if what is not None:
            plain.send(what)
    assert events == scribe.events


def drain(dte: Dte) -> list[str]:
    found = []
    while True:
        try:
            event = dte.next_event()
        except RemoteProtocolError as error:
            found.append(describe(error))
            continue
        if event is None:
            return found
        found.append(describe(event))
        if isinstance(event, PromptReady):
            dte.take_payload()


def test_a_replayed_transcript_recorded_again_is_the_same() -> None:
    scribe = Scribe()
    scribe.ask(EnterPin("0471"), b'AT+CPIN="0471"\r', OK)
    scribe.ask(SendData(3, b"hello"), b"\r\n>", OK)
    scribe.ask(ReadData(3, 9), b"\r\n+CIPRXGET: 2,3,4,0\r\n>\r\nx\r\n\r\nOK\r\n")
    scribe.hear(b"\r\njunk\r\n")
    again = Scribe()
    for step in parse(scribe.text):
        if step.kind == "<":
            again.hear(bytes(byte for byte in step.data if byte is not None))
        elif step.kind == ">" and step.text:
            again.dte.send(parse_command_line(step.text))
    assert again.lines == scribe.lines


def test_the_player_expands_what_is_masked() -> None:
    (step,) = parse("<| {4}{2x}\\r\\nOK\\r\\n")
    assert bytes(byte or 0 for byte in step.data) == filler(4) + b"xx" + OK

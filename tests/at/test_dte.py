"""The dialogue: one command in flight, everything else belongs to somebody else."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.commands import Attention, Basic, Identify
from modemproxy.at.dte import (
    AnyCommand,
    Broken,
    Completed,
    Dte,
    Echoed,
    Event,
    Failed,
    PromptReady,
    Stray,
    StrayPrompt,
    Unknown,
)
from modemproxy.at.results import Dialect
from modemproxy.at.servers import StopServer
from modemproxy.at.subscription import QueryContexts, QueryRegistration, QuerySim
from modemproxy.at.tcpip import (
    CloseLink,
    CloseNet,
    OpenLink,
    OpenNet,
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
    LinkClosed,
    LinkOpened,
    NetOpened,
    Pushed,
    SendConfirmed,
    Urc,
)
from modemproxy.errors import LocalProtocolError, RemoteProtocolError
from tests.strategies import (
    HOSTILE_PAYLOADS,
    URC_LINES,
    chopped,
    hostile_bytes,
    hostile_payload,
    pieces,
    urc_lines,
)

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
SHORT, LONG = b"\r\n", b"\r\n\r\n"
URC = b"\r\n+IPCLOSE: 8,1\r\n"


def events(dte: Dte, *reads: bytes) -> list[Event]:
    """Everything the reads mean; the payload is handed over at the prompt."""
    found: list[Event] = []
    for data in reads:
        dte.receive_data(data)
        while (event := dte.next_event()) is not None:
            found.append(event)
            if isinstance(event, PromptReady):
                dte.take_payload()
    return found


def ask(command: AnyCommand, *reads: bytes, dte: Dte | None = None) -> list[Event]:
    dte = dte or Dte()
    dte.send(command)
    return events(dte, *reads)


def line(text: bytes) -> bytes:
    return b"\r\n" + text + b"\r\n"


def read_answer(data: bytes, trailer: bytes, link: int = 3, rest: int = 0) -> bytes:
    return (
        b"\r\n+CIPRXGET: 2,%d,%d,%d\r\n" % (link, len(data), rest) + data + trailer + b"OK\r\n"
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


# prompts and strays


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


# reads: trailers and losses


@pytest.mark.parametrize("trailer", [SHORT, LONG])
@pytest.mark.parametrize("data", HOSTILE_PAYLOADS)
@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_read(trailer: bytes, data: bytes, size: int) -> None:
    command = ReadData(3, 1460)
    found = ask(command, *pieces(read_answer(data, trailer, rest=77), size))
    assert found == [Completed(command, ReadReply(data, 77))]


def test_an_empty_read_teaches_no_trailer() -> None:
    dte = Dte()
    command = ReadData(3, 1460)
    assert ask(command, read_answer(b"", SHORT), dte=dte) == [
        Completed(command, ReadReply(b"", 0))
    ]
    assert dte.trailer.learned is None
    assert isinstance(ask(command, read_answer(b"a", LONG), dte=dte)[0], Completed)


@pytest.mark.parametrize(("first", "other"), [(SHORT, LONG), (LONG, SHORT)])
def test_a_session_has_the_trailer_of_its_first_read(first: bytes, other: bytes) -> None:
    dte = Dte()
    command = ReadData(3, 1460)
    for _ in range(2):
        assert isinstance(ask(command, read_answer(b"abc", first), dte=dte)[0], Completed)
    assert isinstance(ask(command, read_answer(b"abc", other), dte=dte)[0], Broken)
    assert isinstance(ask(command, read_answer(b"abc", first), dte=dte)[0], Completed)


def test_a_damaged_first_read_does_not_condemn_the_session() -> None:
    dte = Dte()
    command = ReadData(3, 1460)
    eaten = read_answer(b"0123456789", LONG).replace(b"0123456789", b"01234567")
    [wrong] = ask(command, eaten, dte=dte)  # two bytes lost: looks like the short trailer
    assert isinstance(wrong, Completed)
    good = read_answer(b"abc", LONG)
    for _ in range(3):
        assert isinstance(ask(command, good, dte=dte)[0], Broken)
    assert ask(command, good, dte=dte) == [Completed(command, ReadReply(b"abc", 0))]


LOSSY = bytes(range(33, 93))


def after_losing(
    count: int, trailer: bytes, between: bytes, *, learned: bool = True
) -> list[Event]:
    """A read of which ``count`` payload bytes were lost; then AT to see what is left."""
    dte = Dte()
    command = ReadData(3, 1460)
    if learned:
        ask(command, read_answer(b"first", trailer), dte=dte)
    whole = read_answer(LOSSY, trailer)
    at = whole.index(LOSSY)
    dte.send(command)
    found = events(dte, whole[: at + 5] + whole[at + 5 + count : at + len(LOSSY)])
    tail = trailer[:-2] + between + OK
    return found + events(dte, tail)


@pytest.mark.parametrize("between", [b"", URC], ids=["clean", "urc"])
@pytest.mark.parametrize("trailer", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("count", [0, *range(1, 24)])
def test_lost_payload_bytes_never_complete(count: int, trailer: bytes, between: bytes) -> None:
    done = [
        event for event in after_losing(count, trailer, between) if not isinstance(event, Urc)
    ]
    if not count:
        assert done == [Completed(ReadData(3, 1460), ReadReply(LOSSY, 0))]
    else:
        undetectable = bool(between) and count == len(between)  # a whole line was eaten
        assert undetectable or not any(isinstance(event, Completed) for event in done)


@pytest.mark.parametrize("between", [b"", URC], ids=["clean", "urc"])
@pytest.mark.parametrize("trailer", [SHORT, LONG], ids=["short", "long"])
def test_two_lost_bytes_are_broken(trailer: bytes, between: bytes) -> None:
    assert isinstance(after_losing(2, trailer, between)[-1], Broken)


@pytest.mark.parametrize("between", [b"", URC], ids=["clean", "urc"])
def test_four_lost_bytes_are_broken_with_the_long_trailer(between: bytes) -> None:
    assert isinstance(after_losing(4, LONG, between)[-1], Broken)


def test_four_lost_bytes_with_the_short_trailer_eat_the_ok_or_are_broken() -> None:
    assert after_losing(4, SHORT, b"") == []  # receiving still: the channel's stall ends it
    assert isinstance(after_losing(4, SHORT, URC)[-1], Broken)


@pytest.mark.parametrize("count", [1, 3, 4, 5])
def test_losses_in_the_first_read_of_a_session(count: int) -> None:
    found = after_losing(count, LONG, b"", learned=False)
    assert not any(isinstance(event, Completed) for event in found)


@pytest.mark.parametrize("extra", [b"x", b"\r\n", b"OK"])
def test_bytes_too_many_are_broken(extra: bytes) -> None:
    dte = Dte()
    command = ReadData(3, 1460)
    ask(command, read_answer(b"first", SHORT), dte=dte)
    damaged = b"\r\n+CIPRXGET: 2,3,2,0\r\nhi" + extra + OK
    found = [e for e in ask(command, damaged, dte=dte) if not isinstance(e, Unknown)]
    assert isinstance(found[0], Broken)


@pytest.mark.parametrize("trailer", [SHORT, LONG])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_urcs_between_payload_and_ok(trailer: bytes, count: int) -> None:
    command = ReadData(3, 1460)
    answer = read_answer(b"abc", trailer).removesuffix(OK) + URC * count + OK
    found = ask(command, answer)
    assert found == [LinkClosed(8, 1)] * count + [Completed(command, ReadReply(b"abc", 0))]


@pytest.mark.parametrize(
    "answer",
    [
        read_answer(b"abc", LONG, link=4),  # of another link
        read_answer(b"x" * 11, LONG),  # more than asked
        OK,  # no header at all
        b"\r\n+CIPRXGET: 2,3,1501,0\r\n\r\nOK\r\n",  # no such length
        b"\r\n+CIPRXGET: 2,3,2,0\r\nhi" + ERROR,  # refused behind the payload
        b"\r\n+CIPRXGET: 2,3,2,0\r\nhi\r\n+IP ERROR: No data\r\n" + ERROR,
        b"\r\n+CIPRXGET: 2,3,2,0\r\nhi\r\n+CME ERROR: 3\r\n",
        b"\r\n+CIPRXGET: 2,3,2,0\r\nhiOK\r\n",
    ],
)
def test_answers_that_are_not_to_be_trusted(answer: bytes) -> None:
    found = ask(ReadData(3, 10), answer)
    assert isinstance(found[-1], Broken)


def test_receiving_lasts_from_the_header_to_the_final_result() -> None:
    dte = Dte()
    dte.send(ReadData(3, 10))
    seen = [(dte.receiving, dte.missing)]
    for said in (b"\r\n+CIPRXGET: 2,3,2,0\r\nh", b"i", OK):
        events(dte, said)
        seen.append((dte.receiving, dte.missing))
    assert seen == [(False, 0), (True, 1), (True, 0), (False, 0)]


@given(payload=hostile_payload, data=st.data())
def test_any_payload_arrives_as_it_is(payload: bytes, data: st.DataObject) -> None:
    command = ReadData(3, 1500)
    trailer = data.draw(st.sampled_from([SHORT, LONG]))
    stream = read_answer(payload, trailer, rest=5)
    found = ask(command, *data.draw(chopped(stream)))
    assert found == [Completed(command, ReadReply(payload, 5))]


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


# a URC at any line boundary changes nothing else


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
    lambda: Scene(QueryLinks(), [line(b"+CIPCLOSE: 1,0,0"), OK], result=(True, False, False)),
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

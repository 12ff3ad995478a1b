"""Reads: their trailers, and bytes lost on the line that must never go unnoticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.dte import (
    Broken,
    Completed,
    Dte,
    Event,
    Unknown,
)
from modemproxy.at.transfer import (
    ReadData,
    ReadReply,
)
from modemproxy.at.urcs import (
    LinkClosed,
    Urc,
)
from tests.at.dialogue import ERROR, LONG, OK, SHORT, URC, ask, events, read_answer
from tests.strategies import (
    HOSTILE_PAYLOADS,
    chopped,
    hostile_payload,
    pieces,
)


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
    for _ in range(5):
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

"""Bytes to tokens: the same tokens however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.framer import (
    MAX_LINE_BYTES,
    MAX_PAYLOAD_BYTES,
    Framer,
    Line,
    Payload,
    Prompt,
    Token,
)
from modemproxy.errors import RemoteProtocolError
from tests.strategies import HOSTILE_PAYLOADS, chopped, hostile_bytes, hostile_payload, pieces

CRLF = b"\r\n"
LONG = b"\r\n\r\n"


def tokens(framer: Framer, *reads: bytes) -> list[Token | str]:
    """Everything the reads bring; an error is its first word."""
    found: list[Token | str] = []
    for data in reads:
        framer.receive_data(data)
        while True:
            try:
                token = framer.next_token()
            except RemoteProtocolError as error:
                found.append(str(error).partition(" ")[0])
                continue
            if token is None:
                break
            found.append(token)
    return found


def header(size: int, link: int = 0, rest: int = 0) -> bytes:
    return b"\r\n+CIPRXGET: 2,%d,%d,%d\r\n" % (link, size, rest)


TABLE: list[tuple[str, bytes, list[Token]]] = [
    ("ok", b"\r\nOK\r\n", [Line(b"OK", CRLF)]),
    ("no leading cr", b"\nOK\r\n", [Line(b"OK", b"\n")]),
    ("nothing leading", b"OK\r\n", [Line(b"OK")]),
    ("lf only", b"OK\nERROR\n", [Line(b"OK"), Line(b"ERROR", b"\n")]),
    (
        "answer",
        b"\r\n+NETOPEN: 1\r\n\r\nOK\r\n",
        [Line(b"+NETOPEN: 1", CRLF), Line(b"OK", LONG)],
    ),
    (
        "several information lines",
        b"\r\n+A: 1\r\n+A: 2\r\n\r\nOK\r\n",
        [Line(b"+A: 1", CRLF), Line(b"+A: 2", CRLF), Line(b"OK", LONG)],
    ),
    ("echo", b"AT+CSQ\r\r\nOK\r\n", [Line(b"AT+CSQ"), Line(b"OK", b"\r\r\n")]),
    ("trailing blanks", b"\r\nOK  \r\n", [Line(b"OK", CRLF)]),
    ("leading blanks", b"\r\n \0OK\r\n", [Line(b"OK", CRLF)]),
    ("prompt", b"\r\n>", [Prompt()]),
    ("bare prompt", b">", [Prompt()]),
    (
        "prompt, space, urc",
        b"\r\n> \r\n+IPCLOSE: 1,1\r\n",
        [Prompt(), Line(b"+IPCLOSE: 1,1", CRLF)],
    ),
    ("urc before prompt", b"\r\nRDY\r\n\r\n>", [Line(b"RDY", CRLF), Prompt()]),
    (
        "a greater-than inside a line is text",
        b"\r\na > b\r\n",
        [Line(b"a > b", CRLF)],
    ),
    (
        "read, long trailer",
        header(6, 3, 10) + b"abcdef\r\n\r\nOK\r\n",
        [Payload(b"abcdef", 3, 10), Line(b"OK", LONG)],
    ),
    (
        "read, short trailer",
        header(6) + b"abcdef\r\nOK\r\n",
        [Payload(b"abcdef", 0, 0), Line(b"OK", CRLF)],
    ),
    (
        "empty read",
        header(0) + b"\r\nOK\r\n",
        [Payload(b"", 0, 0), Line(b"OK", CRLF)],
    ),
    (
        "largest read",
        header(1500) + b"\r" * 1500 + b"\r\nOK\r\n",
        [Payload(b"\r" * 1500, 0, 0), Line(b"OK", CRLF)],
    ),
    (
        "spaced header",
        b"\r\n+CIPRXGET:2, 0 ,2,  7 \r\nhi\r\nOK\r\n",
        [Payload(b"hi", 0, 7), Line(b"OK", CRLF)],
    ),
    (
        "header ended by lf",
        b"+CIPRXGET: 2,0,2,7\nhi\r\nOK\r\n",
        [Payload(b"hi", 0, 7), Line(b"OK", CRLF)],
    ),
    (
        "payload glued to its OK",
        header(2) + b"hiOK\r\n",
        [Payload(b"hi", 0, 0), Line(b"OK")],
    ),
    (
        "other modes are lines",
        b"\r\n+CIPRXGET: 1,3\r\n\r\n+CIPRXGET: 4,3,9\r\n",
        [Line(b"+CIPRXGET: 1,3", CRLF), Line(b"+CIPRXGET: 4,3,9", LONG)],
    ),
    ("push", b"\r\n+IPD5\r\nhello", [Payload(b"hello", None, None)]),
    ("push with colon", b"\r\n+IPD 5:\r\n>\r\nOK", [Payload(b">\r\nOK", None, None)]),
    ("push of a link", b"\r\n+RECEIVE,4,3:\r\nOK\r", [Payload(b"OK\r", 4, None)]),
    (
        "too long to be true",
        b"+CIPRXGET: 2,0,1501,0\r\n\r\nOK\r\n",
        [Line(b"+CIPRXGET: 2,0,1501,0"), Line(b"OK", LONG)],
    ),
    (
        "a count of many digits",
        b"+CIPRXGET: 2,0," + b"9" * 4000 + b",0\r\n\r\nOK\r\n",
        [Line(b"+CIPRXGET: 2,0," + b"9" * 4000 + b",0"), Line(b"OK", LONG)],
    ),
    ("a negative count", b"+CIPRXGET: 2,0,-1,0\r\n", [Line(b"+CIPRXGET: 2,0,-1,0")]),
]
#: Ends what stands before it whatever that was: the last CR LF may still be open.
SENTINEL = b"\r\n+END\r\n"
table = pytest.mark.parametrize(("data", "expected"), [row[1:] for row in TABLE],
                                ids=[row[0] for row in TABLE])  # fmt: skip


@table
def test_whole(data: bytes, expected: list[Token]) -> None:
    assert tokens(Framer(), data) == expected


@table
def test_one_byte_at_a_time(data: bytes, expected: list[Token]) -> None:
    assert tokens(Framer(), *pieces(data, 1)) == expected


@table
def test_with_trailing_bytes(data: bytes, expected: list[Token]) -> None:
    found = tokens(Framer(), data + SENTINEL)
    assert found[:-1] == expected
    last = found[-1]
    assert isinstance(last, Line)
    assert last.text == b"+END"


@given(data=st.data())
def test_chopped_anywhere(data: st.DataObject) -> None:
    _, stream, expected = data.draw(st.sampled_from(TABLE))
    assert tokens(Framer(), *data.draw(chopped(stream))) == expected


@pytest.mark.parametrize("payload", HOSTILE_PAYLOADS)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("trailer", [CRLF, LONG])
def test_nothing_inside_a_payload_is_special(payload: bytes, size: int, trailer: bytes) -> None:
    stream = header(len(payload), 3, 9) + payload + trailer + b"OK\r\n"
    found = tokens(Framer(), *pieces(stream, size))
    assert found == [Payload(payload, 3, 9), Line(b"OK", trailer)]


@given(payload=hostile_payload, data=st.data())
def test_any_payload_comes_out_as_it_went_in(payload: bytes, data: st.DataObject) -> None:
    stream = header(len(payload)) + payload + LONG + b"OK\r\n" + header(2) + b"ok\r\nOK\r\n"
    found = tokens(Framer(), *data.draw(chopped(stream)))
    assert found == [
        Payload(payload, 0, 0),
        Line(b"OK", LONG),
        Payload(b"ok", 0, 0),
        Line(b"OK", CRLF),
    ]


@given(stream=hostile_bytes, data=st.data())
def test_any_bytes_frame_the_same_however_cut_and_never_fail_otherwise(
    stream: bytes, data: st.DataObject
) -> None:
    whole = tokens(Framer(), stream + SENTINEL)
    assert tokens(Framer(), *data.draw(chopped(stream + SENTINEL))) == whole


@given(stream=st.binary(max_size=300))
def test_random_bytes_only_ever_raise_remote_protocol_errors(stream: bytes) -> None:
    assert tokens(Framer(), *pieces(stream, 1)) == tokens(Framer(), stream)


def test_an_ok_without_its_lf_is_not_over() -> None:
    framer = Framer()
    assert tokens(framer, b"\r\nOK\r") == []
    assert tokens(framer, b"\n") == [Line(b"OK", CRLF)]


def test_a_cr_that_no_lf_follows_ends_the_line_at_the_next_byte() -> None:
    framer = Framer()
    assert tokens(framer, b"AT+CSQ\r") == []
    assert tokens(framer, b"A") == [Line(b"AT+CSQ")]


def test_the_space_behind_a_prompt_may_come_in_another_read() -> None:
    framer = Framer()
    assert tokens(framer, b"\r\n>") == [Prompt()]
    assert tokens(framer, b" ") == []
    assert tokens(framer, b"\r\nOK\r\n") == [Line(b"OK", CRLF)]


@pytest.mark.parametrize("length", [MAX_LINE_BYTES - 1, MAX_LINE_BYTES])
@pytest.mark.parametrize("size", [0, 1, 1000])
def test_the_longest_line_is_a_line(length: int, size: int) -> None:
    text = b"x" * length
    assert tokens(Framer(), *pieces(text + CRLF, size)) == [Line(text)]


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_a_longer_line_is_an_error_and_framing_goes_on_behind_it(size: int) -> None:
    stream = b"x" * (MAX_LINE_BYTES + 1) + b"tail\r\n\r\nOK\r\n"
    found = tokens(Framer(), *pieces(stream, size))
    assert found == ["line", Line(b"tail"), Line(b"OK", LONG)]


@pytest.mark.parametrize("filler", [b"x", b"\r", b"\n", b" ", b"\0", b"\r\n", b"> "])
def test_memory_is_bounded_whatever_comes(filler: bytes) -> None:
    framer = Framer()
    for _ in range(200):
        tokens(framer, filler * 500)
    assert len(framer._buffer) <= MAX_LINE_BYTES + 500 * len(filler)
    assert len(framer._lead) <= 64


def test_missing_counts_down_to_the_payloads_last_byte() -> None:
    framer = Framer()
    assert framer.missing == 0
    assert tokens(framer, header(4) + b"a") == []
    assert framer.missing == 3
    assert tokens(framer, b"bcd") == [Payload(b"abcd", 0, 0)]
    assert framer.missing == 0


def test_a_reset_in_mid_payload_lets_a_banner_through() -> None:
    framer = Framer()
    assert tokens(framer, header(MAX_PAYLOAD_BYTES) + b"abc") == []
    framer.reset()
    assert framer.missing == 0
    assert tokens(framer, b"\r\nRDY\r\n") == [Line(b"RDY", CRLF)]


def test_a_reset_never_reads_payload_as_text() -> None:
    framer = Framer()
    assert tokens(framer, header(100) + b"\r\n+IPCLOSE: 3,1\r\n\r\nRDY\r\n>") == []
    framer.reset()
    assert tokens(framer, b"\r\nOK\r\n") == [Line(b"OK", CRLF)]


def test_a_reset_between_tokens_keeps_half_a_line() -> None:
    framer = Framer()
    assert tokens(framer, b"\r\n+IPCLO") == []
    framer.reset()
    assert tokens(framer, b"SE: 3,1\r\n") == [Line(b"+IPCLOSE: 3,1")]

"""A count that lost a digit makes text of the payload, which must not pass for a read."""

import pytest

from modemproxy.at.dte import Completed, Dte, Event
from modemproxy.at.trailer import Trailer
from modemproxy.at.transfer import ReadData

SHORT, LONG = b"\r\n", b"\r\n\r\n"
TEXTS = (
    b"GET / HTTP/1.0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello\r\n\r\n",
    b"\r\nOK\r\n> password=swordfish\r\n+IPCLOSE: 9,1\r\n",
    b"one\r\n\r\ntwo\r\n\r\nthree\r\n\r\n",
    b"\r\n\r\n\r\nsmall talk\r\n\r\n",
    b"0123456789\r\n> ",
    b"a" * 100,
    bytes(range(256)),
)


def read(dte: Dte, data: bytes, count: bytes, trailer: bytes) -> list[Event]:
    """Ask for data and get it, with any count in the header."""
    dte.send(ReadData(3, 1460))
    dte.receive_data(b"\r\n+CIPRXGET: 2,3,%b,0\r\n%b%bOK\r\n" % (count, data, trailer))
    return list(iter(dte.next_event, None))


def whole(events: list[Event]) -> bool:
    return any(isinstance(event, Completed) for event in events)


@pytest.mark.parametrize("trailer", [SHORT, LONG])
@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("data", TEXTS)
def test_a_count_that_lost_a_digit_is_no_read(
    data: bytes, trailer: bytes, learned: bool
) -> None:
    count = b"%d" % len(data)
    for lost in range(len(count)):
        dte = Dte()
        if learned:
            assert whole(read(dte, b"abc", b"3", trailer))
        damaged = count[:lost] + count[lost + 1 :]
        assert not whole(read(dte, data, damaged, trailer)), damaged


@pytest.mark.parametrize("trailer", [SHORT, LONG])
@pytest.mark.parametrize("code", [b"+IPCLOSE: 8,1", b"+SOMETHING: new", b"*COUNTRY: 1"])
def test_codes_between_payload_and_ok_are_allowed(code: bytes, trailer: bytes) -> None:
    dte = Dte()
    assert whole(read(dte, b"abc", b"3", trailer))
    assert whole(read(dte, b"abc", b"3", b"\r\n" + code + b"\r\n" + trailer))


@pytest.mark.parametrize("trailer", [SHORT, LONG])
@pytest.mark.parametrize(
    "end",
    [
        b"+CIPR",  # of a tag
        b"+CIPRXGET: 1,",
        b"+IPCLOSE: 1",
        b"+IP ERROR: No data",
        b"AT+CIPSEND=1,2",
        b"text",
        b"*",
    ],
)
@pytest.mark.parametrize("learned", [True, False])
def test_an_end_of_a_payload_is_no_code_of_the_modules(
    end: bytes, trailer: bytes, learned: bool
) -> None:
    """The count is too low by just so much that the rest looks like a line."""
    dte = Dte()
    if learned:
        assert whole(read(dte, b"abc", b"3", trailer))
    assert not whole(read(dte, b"abc" + trailer + end, b"3", trailer))
    assert not whole(read(dte, b"abc\r\n" + end, b"3", trailer))


def test_codes_behind_an_empty_read_are_allowed() -> None:
    assert whole(read(Dte(), b"", b"0", b"\r\n+IPCLOSE: 8,1\r\n\r\n"))


@pytest.mark.parametrize("trailer", [SHORT, LONG])
@pytest.mark.parametrize("byte", [b"\0", b" ", b"\t", b"\r", b"\n", b"x", b">"])
@pytest.mark.parametrize("code", [b"", b"\r\n+CIPRXGET: 1,3\r\n"])
def test_a_byte_that_was_counted_as_none_is_not_dropped(
    byte: bytes, trailer: bytes, code: bytes
) -> None:
    assert not whole(read(Dte(), byte, b"0", code + trailer))
    assert whole(read(Dte(), b"", b"0", code + trailer))


def test_more_lines_than_cr_lf_leave_no_trailer() -> None:
    """Lines of text have one CR LF each, codes have two: what is left must be a trailer."""
    trailer = Trailer()
    trailer.begin()
    trailer.add_line(b"\r\n")
    trailer.add_line(b"\r\n")
    assert not trailer.fits(b"\r\n\r\n", b"x")
    assert trailer.learned is None


def test_two_bytes_that_look_like_half_a_trailer_are_believed_the_third_time() -> None:
    """Until the module's own trailer is known; a far side that says no more is not lost."""
    trailer = Trailer()
    verdicts = []
    for _ in range(3):
        trailer.begin()
        verdicts.append(trailer.fits(b"\r\n", b"\r\n"))
    assert verdicts == [False, False, True]
    trailer.begin()
    assert trailer.fits(b"\r\n", b"\r\n")

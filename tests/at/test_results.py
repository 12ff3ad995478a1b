"""Result codes: four dialects, two tables, words or numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.results import (
    BARE_ERROR,
    CLOSE_REASONS,
    CME_ERRORS,
    IP_ERRORS,
    TCPIP_ERRORS,
    Dialect,
    Failure,
    Refused,
    TcpipErr,
    parse_failure_line,
    parse_final,
    tcpip_error_text,
)


@pytest.mark.parametrize(("code", "text"), IP_ERRORS.items())
@pytest.mark.parametrize("spell", [str, str.upper, str.lower], ids=["as is", "upper", "lower"])
def test_ip_error_in_words_of_any_case(code: int, text: str, spell: type[str]) -> None:
    failure = parse_failure_line(b"+IP ERROR: " + spell(text).encode())
    assert failure is not None
    assert (failure.dialect, failure.code) == (Dialect.IP_ERROR, code)
    assert failure.is_ip(text)
    assert failure.is_no_data == (code == 22)
    assert failure.is_busy == (code == 15)
    assert failure.is_network_closed == (code == 8)


@pytest.mark.parametrize(("code", "text"), IP_ERRORS.items())
def test_ip_error_as_number(code: int, text: str) -> None:
    assert parse_failure_line(b"+IP ERROR:%d" % code) == Failure(Dialect.IP_ERROR, code, text)


def test_words_win_over_the_shifted_numbers_of_old_tables() -> None:
    unknown = parse_failure_line(b"+IP ERROR: Something new")
    assert unknown == Failure(Dialect.IP_ERROR, None, "Something new")


@pytest.mark.parametrize(("code", "text"), TCPIP_ERRORS.items())
@pytest.mark.parametrize("form", [b"+CIPERROR: %d", b"+CIPERROR:%d", b"+CIPERROR: %d  "])
def test_ciperror(code: int, text: str, form: bytes) -> None:
    failure = parse_failure_line(form % code)
    assert failure == Failure(Dialect.CIPERROR, code, text)
    assert failure.is_busy == (code == 8)
    assert failure.is_network_closed == (code == 2)


@pytest.mark.parametrize(("code", "text"), CME_ERRORS.items())
def test_cme_is_final_as_number_and_in_words(code: int, text: str) -> None:
    expected = Failure(Dialect.CME, code, text)
    assert parse_final(b"+CME ERROR: %d" % code) == expected
    assert parse_final(b"+CME ERROR:" + text.encode()) == expected
    shouted = parse_final(b"+CME ERROR: " + text.upper().encode())
    assert isinstance(shouted, Failure)
    assert shouted.code == code


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"OK", True),
        (b"ERROR", BARE_ERROR),
        (b"+CMS ERROR: 500", Failure(Dialect.CMS, 500, "error 500")),
        (b"+CME ERROR: 999", Failure(Dialect.CME, 999, "error 999")),
        (b"+CME ERROR: odd words", Failure(Dialect.CME, None, "odd words")),
        (b"+CME ERROR: " + b"9" * 30, Failure(Dialect.CME, None, "9" * 30)),
        (b"OKLAHOMA", None),
        (b"200 OK", None),
        (b"OK ", None),
        (b"ERROR: 3", None),
        (b"+IP ERROR: No data", None),
        (b"+CIPERROR: 3", None),
        (b"", None),
    ],
)
def test_final_result_codes(line: bytes, expected: Failure | bool | None) -> None:
    assert parse_final(line) == expected


@pytest.mark.parametrize(
    "line",
    [b"OK", b"ERROR", b"+CIPERROR:", b"+CIPERROR: x", b"+CIPSEND: 1,2,3", b"+CME ERROR: 3"],
)
def test_lines_that_announce_no_failure(line: bytes) -> None:
    assert parse_failure_line(line) is None


@pytest.mark.parametrize("number", [b"9" * 5000, b"1" + b"0" * 9])
def test_numbers_without_end_are_words(number: bytes) -> None:
    assert parse_failure_line(b"+CIPERROR: " + number) is None
    failure = parse_failure_line(b"+IP ERROR: " + number)
    assert failure is not None
    assert failure.code is None


@given(line=st.binary(max_size=60))
def test_any_line(line: bytes) -> None:
    for prefix in (b"", b"+IP ERROR: ", b"+CME ERROR: ", b"+CIPERROR: "):
        parse_final(prefix + line)
        parse_failure_line(prefix + line)


def test_the_same_number_means_different_things_in_two_tables() -> None:
    tagged = Failure(Dialect.TAGGED, 8, tcpip_error_text(8))
    ip = parse_failure_line(b"+IP ERROR: 8")
    cme = parse_final(b"+CME ERROR: 8")
    assert ip is not None
    assert isinstance(cme, Failure)
    assert tagged.is_err(TcpipErr.BUSY)
    assert not ip.is_err(TcpipErr.BUSY)
    assert not cme.is_err(TcpipErr.BUSY)
    assert ip.is_network_closed
    assert not BARE_ERROR.is_busy


def test_unknown_numbers_are_said_as_numbers() -> None:
    assert tcpip_error_text(77) == "error 77"
    assert tcpip_error_text(255) == "unknown error"
    assert sorted(CLOSE_REASONS) == [0, 1, 2]


def test_a_refusal_carries_what_was_said() -> None:
    refused = Refused("AT+X", Failure(Dialect.CIPERROR, 8, "busy"), handed_over=True)
    assert str(refused) == "AT+X: busy"
    assert (refused.code, refused.reason, refused.handed_over) == (8, "busy", True)

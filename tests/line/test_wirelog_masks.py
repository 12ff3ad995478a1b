"""The wire transcript: what is not in it, and means the same all the same."""

from collections.abc import Callable

import pytest

from modemproxy.at.dte import (
    AnyCommand,
    Echoed,
    Event,
    Unknown,
)
from modemproxy.at.subscription import EnterPin, SetAuth
from modemproxy.at.transfer import ReadData
from modemproxy.line.wiretext import describe, visible
from tests.line.scribe import OK, Scribe, check_replay


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (EnterPin("0471"), "> AT+CPIN=******"),
        (SetAuth(1, "joe", "swordfish"), '> AT+CGAUTH=1,1,"*********","joe"'),
    ],
)
def test_secrets_are_stars_of_the_same_length(command: AnyCommand, line: str) -> None:
    scribe = Scribe()
    scribe.ask(command, b"AT" + command.text.encode() + b"\r", b"\r\nOK\r\n")
    scribe.close()
    assert scribe.lines[0] == line
    assert len(line) - 2 == len(f"AT{command.text}")
    assert len([event for event in scribe.events if event.startswith("Echoed")]) == 1
    assert "0471" not in scribe.text
    assert "swordfish" not in scribe.text
    check_replay(scribe)


@pytest.mark.parametrize("lost", range(len(b'AT+CPIN="0471"\r')))
def test_an_echo_that_lost_a_byte_shows_no_pin(lost: int) -> None:
    echo = b'AT+CPIN="0471"\r'
    scribe = Scribe()
    scribe.ask(EnterPin("0471"), echo[:lost] + echo[lost + 1 :], OK)
    scribe.close()
    assert not any(part in scribe.text for part in ("0471", "471", "047"))
    check_replay(scribe)


LEAK = b"user=joe&password=swordfish"


@pytest.mark.parametrize(
    "said",
    [
        b"\r\n+CIPRXGET: 2,3,%d,0\r\n" % len(LEAK) + LEAK + OK,
        b"\r\n+CIPRXGET: 2,3,2,0\r\n" + LEAK + OK,  # a digit of the count was lost
        b"\r\n+CIPRXGE: 2,3,%d,0\r\n" % len(LEAK) + LEAK + OK,
        b"\r\n+IPD%d\r\n" % len(LEAK) + LEAK,
        b"\r\n+RECEIVE,3,%d:\r\n" % len(LEAK) + LEAK,
        b"\r\n" + LEAK + b"\r\n",
        b"\r\n+" + LEAK + b"\r\n",
        b"\r\n+CMT: " + b'"' + LEAK + b'",1\r\n',
        LEAK * 200 + b"\r\n",
        b"\r\n+CIPRXGET: 2,3,99,0\r\n" + LEAK,
    ],
)
def test_payload_is_never_in_it_even_where_it_is_taken_for_text(said: bytes) -> None:
    scribe = Scribe()
    scribe.ask(ReadData(3, 99), said)
    scribe.dte.abandon()
    scribe.hear(LEAK, OK)
    scribe.close()
    assert "joe" not in scribe.text
    assert "fish" not in scribe.text
    check_replay(scribe)


@pytest.mark.parametrize(
    ("line", "event", "shown"),
    [
        (b"+CSQ: 22,0", Unknown, b"+CSQ: 22,0"),
        (b"^SIMST: 1", Unknown, b"^SIMST: 1"),
        (b"+CMS ERROR: 38", Unknown, b"+CMS ERROR: 38"),
        (b"RING", Unknown, b"RING"),
        (b"RINGS", Unknown, b"xxxxx"),
        (b"+csq: 22", Unknown, b"+xxxxxxx"),
        (b"+", Unknown, b"x"),
        (b'+CLIP: "+4912345",145,"a,b"', Unknown, b'+CLIP: "xxxxxxxx",145,"x,x"'),
        (b"\xff\xfe", Unknown, b"xx"),
        (b"AT+CIPRXGET=4,3", Echoed, b"AT+CIPRXGET=4,3"),
        (b'AT+CIPOPEN=1,"TCP","h",1', Echoed, b"AT+CIPOPEN=*************"),
        (b'ATEx"y', Echoed, b"ATE***"),
    ],
)
def test_the_modules_own_words_are_shown(
    line: bytes, event: Callable[[bytes], Event], shown: bytes
) -> None:
    assert visible(line, event(line)) == shown
    assert visible(shown, event(shown)) == shown


def test_a_long_mask_is_written_short() -> None:
    assert describe(Unknown(b"?" * 39)) == "Unknown " + "x" * 39
    assert describe(Unknown(b"?" * 40)) == "Unknown {40x}"

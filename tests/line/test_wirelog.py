"""The wire transcript: every byte of the line, in the notation."""

import pytest

from modemproxy.at.commands import Attention
from modemproxy.at.transfer import ReadData, SendData
from tests.line.scribe import OK, Scribe, check_replay
from tests.transcript import parse


def test_an_exchange_reads_as_the_notation_has_it() -> None:
    scribe = Scribe()
    scribe.ask(SendData(3, b"hello"), b"\r\n>", b" ", OK + b"\r\n+CIPSEND: 3,5,5\r\n")
    scribe.ask(ReadData(3, 9), b"\r\n+CIPRXGET: 2,3,4,0\r\n>\r\nx\r\nOK\r\n")
    scribe.close()
    assert scribe.lines == [
        "> AT+CIPSEND=3,5",
        "<| \\r\\n>",
        "= PromptReady()",
        ">| {5}",
        "<| \\x20\\r\\nOK\\r\\n",
        "= Completed AT+CIPSEND=3,5",
        "< +CIPSEND: 3,5,5",
        "= SendConfirmed(link=3, requested=5, confirmed=5)",
        "> AT+CIPRXGET=2,3,9",
        "< +CIPRXGET: 2,3,4,0",
        "<| {4}",
        "< OK",
        "= Completed AT+CIPRXGET=2,3,9: {4} rest 0",
        "! hangup",
    ]
    check_replay(scribe)


def test_the_opening_is_marked_and_dated() -> None:
    scribe = Scribe()
    assert scribe.written[0] == "= Opened"
    assert scribe.written[1].startswith("# 2")


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        (b"\r\nOK\r\n", ["< OK"]),
        (b"OK\r\n", ["<| OK\\r\\n"]),
        (b"\r\n\r\nOK\r\n", ["<| \\r\\n\\r\\nOK\\r\\n"]),
        (b"\r\nOK\n", ["<| \\r\\nOK\\n"]),
        (b"\r\nOK \r\n", ["<| \\r\\nOK \\r\\n"]),
        (b"\r\nOK\r\n\r\n", ["< OK"]),
        (b"\0\r\nOK\r\n", ["<| \\x00\\r\\nOK\\r\\n"]),
        (b"AT\r\r\nOK\r\n", ["<| AT\\r", "< OK"]),
        (b"\r\n> ", ["<| \\r\\n>"]),
        (b">", ["<| >"]),
        (b"\r\n+CGEV: a{12}\\\r\n", ["< +CGEV: a{12}\\\\"]),
        (b"+CGEV: a{12}\r\n", ["<| +CGEV: a\\x7b12}\\r\\n"]),
        (b"\r\nRDY\r\n\r\nRDY\r\n", ["< RDY", "< RDY"]),
    ],
)
def test_line_ends_and_blanks_are_kept_as_they_came(said: bytes, lines: list[str]) -> None:
    scribe = Scribe()
    scribe.hear(said)
    assert [line for line in scribe.lines if not line.startswith("=")] == lines
    steps = parse("\n".join(lines))
    heard = b"".join(bytes(byte for byte in step.data if byte is not None) for step in steps)
    assert said.startswith(heard)
    assert said[len(heard) :].strip(b" \r\n") == b""
    scribe.close()
    check_replay(scribe)


def test_every_byte_is_written_in_the_end() -> None:
    scribe = Scribe()
    said = b"\0\r\n> \r\n\nOK\rRDY\n\t\r\r\n+CREG: 1\r\n  \r\n\r\n"
    scribe.hear(said)
    scribe.close()
    steps = parse("\n".join(scribe.lines))
    assert b"".join(bytes(b or 0 for b in step.data) for step in steps) == said


def test_silence_is_written_a_little_shorter_than_it_was() -> None:
    scribe = Scribe()
    for gap, command in ((0.1, Attention()), (0.25, Attention()), (5.0, Attention())):
        scribe.now += gap
        scribe.ask(command)
        scribe.now += gap
        scribe.hear(OK)
    pauses = [line for line in scribe.lines if line.startswith("@")]
    assert pauses == ["@ 0.2", "@ 0.2", "@ 4.9", "@ 4.9"]
    assert scribe.lines[-5:] == [
        "@ 4.9",
        "> AT",
        "@ 4.9",
        "< OK",
        "= Completed AT",
    ]


def test_a_payload_that_pauses_is_written_in_its_parts() -> None:
    scribe = Scribe()
    scribe.ask(ReadData(3, 9), b"\r\n+CIPRXGET: 2,3,9,0\r\nab", b"cd")
    scribe.now += 1
    scribe.hear(b"e")
    scribe.now += 1
    scribe.hear(b"fghi" + OK)
    assert scribe.lines[1:] == [
        "< +CIPRXGET: 2,3,9,0",
        "<| {4}",
        "@ 0.9",
        "<| {1}",
        "@ 0.9",
        "<| {4}",
        "< OK",
        "= Completed AT+CIPRXGET=2,3,9: {9} rest 0",
    ]
    check_replay(scribe)


def test_a_payload_given_up_is_written_as_far_as_it_came() -> None:
    scribe = Scribe()
    scribe.ask(ReadData(3, 9), b"\r\n+CIPRXGET: 2,3,9,0\r\nab", b"cd")
    scribe.dte.abandon()
    scribe.ask(Attention(), OK)
    assert scribe.lines == [
        "> AT+CIPRXGET=2,3,9",
        "< +CIPRXGET: 2,3,9,0",
        "<| {4}",
        "= GivenUp",
        "> AT",
        "< OK",
        "= Completed AT",
    ]
    check_replay(scribe)


def test_a_hangup_inside_a_payload_and_inside_a_line() -> None:
    scribe = Scribe()
    scribe.ask(ReadData(3, 9), b"\r\n+CIPRXGET: 2,3,9,0\r\nab")
    scribe.close()
    assert scribe.lines[-2:] == ["<| {2}", "! hangup"]
    check_replay(scribe)
    scribe = Scribe()
    scribe.hear(b"\r\n+CIPRX")
    scribe.dte.close(hung_up=False)
    assert scribe.lines == ["<| \\r\\n", "<| xxxxxx", "= Closed"]
    check_replay(scribe)


def test_an_empty_payload() -> None:
    scribe = Scribe()
    scribe.ask(ReadData(3, 9), b"\r\n+CIPRXGET: 2,3,0,0\r\n" + OK)
    assert scribe.lines[1:3] == ["< +CIPRXGET: 2,3,0,0", "< OK"]
    check_replay(scribe)


def test_an_overlong_line_is_cut_at_the_same_byte() -> None:
    scribe = Scribe()
    scribe.ask(Attention(), b"\r\n" + b"y" * 5000 + b"\r\n" + OK)
    assert scribe.lines == [
        "> AT",
        "<| \\r\\n{4097x}",
        "= Broken line of more than 4096 bytes",
        "<| {903x}\\r\\n",
        "= Unknown {903x}",
        "< OK",
        "= Completed AT",
    ]
    check_replay(scribe)


def test_a_lone_cr_is_known_by_the_byte_behind_it() -> None:
    """It ended a line when a command was sent; the rest of the read came to be later."""
    scribe = Scribe()
    scribe.hear(b"OK\r+CRE")
    scribe.ask(Attention(), b"G: 1\r\n" + OK)
    assert scribe.events == ["Stray OK", "Registration(domain='CREG', stat=1)", "Completed AT"]
    check_replay(scribe)


def test_a_payload_that_is_echoed_is_masked_in_one_piece() -> None:
    scribe = Scribe()
    scribe.ask(SendData(3, b"hello"), b"AT+CIPSEND=3,5\r", b"\r\n>", b"he")
    scribe.now += 1
    scribe.hear(b"l")
    scribe.now += 1
    scribe.hear(b"lo\r\n" + OK)
    assert scribe.lines[-7:] == [
        "= PromptReady()",
        ">| {5}",
        "@ 0.9",
        "@ 0.9",
        "<| {5}",
        "<| \\r\\n\\r\\nOK\\r\\n",
        "= Completed AT+CIPSEND=3,5",
    ]
    check_replay(scribe)


TEXT = ["Completed AT+CIPSEND=3,5", "Stray OK"]


@pytest.mark.parametrize(
    ("reads", "events"),
    [
        ((b"hel", b"y\r\n" + OK), ["Unknown xxxx", *TEXT]),
        ((b"hely\r\n" + OK,), ["Unknown xxxx", *TEXT]),
        ((b"hel", OK), ["Unknown xxx", *TEXT]),
        ((OK,), TEXT),
        ((b"hello" + OK,), TEXT),
        ((b"hello",), ["Stray OK"]),
        ((b"hel",), ["Stray OK"]),
    ],
)
def test_an_echo_that_is_damaged_is_text_and_one_that_stops_is_nothing(
    reads: tuple[bytes, ...], events: list[str]
) -> None:
    scribe = Scribe()
    scribe.ask(SendData(3, b"hello"), b"AT+CIPSEND=3,5\r\r\n>", *reads)
    if scribe.dte.in_flight is not None:
        scribe.dte.abandon()
    scribe.hear(OK)
    scribe.close()
    assert "hel" not in scribe.text
    assert scribe.events[2:] == events
    check_replay(scribe)

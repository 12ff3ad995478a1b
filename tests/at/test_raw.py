"""What an operator may type, and what is an answer to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.dte import Completed, Dte, Event, Failed, StrayPrompt
from modemproxy.at.raw import RawCommand, Unfit, raw_command
from modemproxy.at.urcs import (
    ClientConnected,
    CloseDone,
    DataWaiting,
    LinkClosed,
    LinkOpened,
    ModuleBooted,
    NetworkLost,
    Registration,
    SendConfirmed,
    SimState,
    Urc,
)

from .dialogue import ask, line

OK = b"\r\nOK\r\n"

# -- what may be sent -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("AT+CSQ", "+CSQ"),
        ("at+csq", "+CSQ"),
        ("+CSQ", "+CSQ"),
        (" ATI \n", "I"),
        ("AT", ""),
        ("at&v", "&V"),
        ("AT + COPS ?", "+COPS?"),
        ("AT+CIPCLOSE?", "+CIPCLOSE?"),
        ("AT+CIPSEND?", "+CIPSEND?"),
        ("AT+IPR?", "+IPR?"),
        ("AT+CGDCONT=?", "+CGDCONT=?"),
        ("AT+CIPACK=3", "+CIPACK=3"),
    ],
)
def test_what_changes_nothing_is_sent(typed: str, sent: str) -> None:
    assert raw_command(typed).text == sent


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("AT+CFUN=1,1", "restart"),
        ("AT+CRESET", "restart"),
        ("AT+NETCLOSE", "network"),
        ("AT+CIPCLOSE=3", "connections"),
        ("AT+COPS=?", "for long"),
        ("AT+CMEE=2", "may change"),
        ("AT+CSQ=1", "may change"),
        ("AT+CGPADDR=1", "may change"),
        ('AT+CDNSGIP="a.example"', "may change"),
        ("AT$QCRMCALL=0,1", "may change"),
    ],
)
def test_what_changes_something_has_to_be_forced(typed: str, why: str) -> None:
    with pytest.raises(Unfit, match=rf"{why}.*--force"):
        raw_command(typed)
    assert raw_command(typed, force=True).text == typed[2:]


@pytest.mark.parametrize(
    "typed",
    [
        "AT+CIPSEND=1,5",
        "at+cipsend",
        "AT + CIPSEND = 1 , 5",
        "AT+CIPRXGET=2,0,1460",
        "AT+CIPRXGET=0",
        "AT+IPR=9600",
        "AT +IPR=9600",
        "AT+IPR =9600",
        "ATE1",
        "ATIE1",
        "ATI+IPR=9600",
        "ATI +CIPSEND=0,5",
        "ATE1V0",
        "ATQ1",
        "ATS3=10",
        "ATZ",
        "AT&F",
        "AT&V&F",
        "AT&W",
        "ATD*99#",
        "ATD112;",
        "ATA",
        "ATO",
        "ATH",
        "A/",
        "ATA/",
        "+++",
        "AT+CMGS=5",
        "AT+CPIN=1234",
        'AT+CPIN="1234"',
        "AT+CSQ;+CFUN=0",
        "AT+CSQ;",
        "AT+CSQ\rAT+CFUN=0",
        "AT+CSQ\r\nAT+CFUN=0",
        "AT+CSQ\x1a",
        "AT+CSQ\x1b",
        "AT+CSQ\t",
        "AT+CSQ é",
        'AT+CGDCONT=1,"IP',
        "AT\u0085+CSQ",
        "AT" + "+CSQ" * 100,
        "ATAT+CSQ",
        "AT+",
        "AT+=?",
        "AT?",
    ],
)
def test_what_would_break_the_line_is_never_sent(typed: str) -> None:
    with pytest.raises(Unfit):
        raw_command(typed, force=True)


@given(
    st.one_of(
        st.text(),
        st.lists(
            st.sampled_from(
                ["AT", "+", "I", "E1", "IPR", "CIPSEND", "CSQ", "=", "?", " ", ";", '"', "&F"]
            )
        ).map("".join),
    ),
    st.booleans(),
)
def test_whatever_is_typed_is_one_command_that_leaves_the_line_alone(
    typed: str, force: bool
) -> None:
    try:
        text = raw_command(typed, force=force).text
    except Unfit:
        return
    assert all(" " <= char <= "~" for char in text)
    assert ";" not in text
    assert (
        text in ("", "I", "&V")
        or text.startswith(("+", "*", "^", "$", "#", "%"))
        or (text[0] == "I" and text[1:].isdigit())
    )
    assert not text.startswith(("+IPR=", "+CIPSEND="))


@given(st.text("ATIEIPR+= ?96", max_size=12), st.lists(st.integers(0, 20), max_size=4))
def test_blanks_and_case_change_no_verdict(typed: str, at: list[int]) -> None:
    def verdict(text: str) -> str:
        try:
            return raw_command(text, force=True).text
        except Unfit:
            return "no"

    blank = typed.lower()
    for place in at:
        blank = f"{blank[:place]} {blank[place:]}"
    assert verdict(blank) == verdict(typed)


# -- what a log shows -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("AT+CFUN=1,1", "AT+CFUN=1,1"),
        ("AT+CGDCONT=?", "AT+CGDCONT=?"),
        ('AT+CGAUTH=1,2,"pass","me"', 'AT+CGAUTH=1,2,"****","**"'),
        ("AT+CLCK=SC,0,1234", "AT+CLCK=SC,0,****"),
        ("AT+XPWD=12345", "AT+XPWD=*****"),
        ("AT+CSQ", "AT+CSQ"),
    ],
)
def test_secrets_are_not_shown_and_keep_their_length(typed: str, shown: str) -> None:
    assert raw_command(typed, force=True).shown == shown
    assert len(shown) == len(typed)


# -- what is an answer ----------------------------------------------------------------------


def said(command: str, *lines: bytes, end: bytes = OK) -> tuple[list[Event], list[str]]:
    """What the lines mean while a command is in flight, and which of them were its answer."""
    raw = raw_command(command, force=True)
    events = ask(raw, *map(line, lines), end)
    if end == OK:
        assert events.pop() == Completed(raw, tuple(raw.lines))
    return events, raw.lines


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("ATI", [b"Manufacturer: SIMCOM", b"Model: A7670E", b"+GCAP: +CGSM"]),
        ("AT+CGSN", [b"861234567890123"]),
        ("AT+CICCID", [b"+ICCID: 89882390000098765432"]),
        ("AT+CPIN?", [b"+CPIN: READY"]),
        ("AT+CEREG?", [b"+CEREG: 0,1"]),
        ("AT+CEREG?", [b'+CEREG: 2,1,"1A2B","01234567",7']),
        ("AT+NETOPEN?", [b"+NETOPEN: 1"]),
        ("AT+CIPOPEN?", [b"+CIPOPEN: 0", b'+CIPOPEN: 1,"TCP","10.0.0.1",80,-1']),
        ("AT+CIPCLOSE?", [b"+CIPCLOSE: 1,0,0,0,0,0,0,0,0,0"]),
        ("AT+CIPRXGET?", [b"+CIPRXGET: 1"]),
        ("AT+COPS?", [b'+COPS: 0,0,"T\xc3\xa9l\xc3\xa9com",7']),
        ("AT+CPSI?", [b"+CPSI: LTE,Online,262-01,0x1A2B,12345678,100,EUTRAN-BAND20,6300"]),
    ],
)
def test_its_lines_are_the_answer(command: str, lines: list[bytes]) -> None:
    events, answer = said(command, *lines)
    assert events == []
    assert answer == [each.decode("ascii", "backslashreplace") for each in lines]


@pytest.mark.parametrize(
    "command", ["ATI", "AT+CSQ", "AT+CIPOPEN?", "AT+CIPCLOSE?", "AT+CEREG?", "AT+CPIN=?"]
)
@pytest.mark.parametrize(
    ("report", "urc"),
    [
        (b"+CIPRXGET: 1,3", DataWaiting(3)),
        (b"+IPCLOSE: 3,1", LinkClosed(3, 1)),
        (b"+CIPOPEN: 3,0", LinkOpened(3, 0)),
        (b"+CIPCLOSE: 3,0", CloseDone(3, 0)),
        (b"+CIPSEND: 3,5,5", SendConfirmed(3, 5, 5)),
        (b"+CLIENT: 0,1,10.0.0.1:5", ClientConnected(0, 1, "10.0.0.1:5")),
        (b"+CEREG: 0", Registration("CEREG", 0)),
        (b'+CEREG: 1,"1A2B","01234567",7', Registration("CEREG", 1)),
        (b"+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY", NetworkLost()),
        (b"RDY", ModuleBooted("RDY")),
        (b"+CPIN: NOT READY", SimState("NOT READY")),
    ],
)
def test_reports_go_their_way_also_those_of_its_own_name(
    command: str, report: bytes, urc: Urc
) -> None:
    events, answer = said(command, b"+X: 1", report, b"+X: 2")
    assert events == [urc]
    assert answer == ["+X: 1", "+X: 2"]


def test_a_line_that_lost_bytes_is_no_answer() -> None:
    events, answer = said("ATI", b"Model", b"\xff\x80garbled")
    assert answer == ["Model"]
    assert len(events) == 1


def test_an_answer_has_a_bound() -> None:
    many = [b"%d " % n + b"x" * 190 for n in range(1500)]
    events, answer = said("ATI", *many)
    assert events == []  # the rest is its answer, too
    assert answer == [text.decode() for text in many[: len(answer)]]
    assert 60_000 < sum(map(len, answer)) <= 64_000


@pytest.mark.parametrize("end", [b"\r\nERROR\r\n", b"\r\n+CME ERROR: 100\r\n"])
def test_a_refusal_is_told_with_what_came_before(end: bytes) -> None:
    events, answer = said("AT+NOPE?", b"+NOPE: half", end=end)
    assert [type(event) for event in events] == [Failed]
    assert answer == ["+NOPE: half"]


def test_a_prompt_is_not_answered() -> None:
    raw = raw_command("AT+NEW=1", force=True)
    dte = Dte()
    assert ask(raw, b"\r\n> ", dte=dte) == [StrayPrompt()]
    assert raw.payload is None


def test_only_a_search_takes_long() -> None:
    assert raw_command("AT+COPS=?", force=True).bound_s == 180
    assert raw_command("AT+COPS?").bound_s == 9
    assert isinstance(raw_command("AT"), RawCommand)

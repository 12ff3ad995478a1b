"""What is believed while the answer to a read may be damaged."""

import pytest

from modemproxy.at.dte import AnyCommand, Broken, Completed, Event, Failed
from modemproxy.at.results import BARE_ERROR
from modemproxy.at.transfer import QueryAck, ReadData, ReadReply, SendData
from modemproxy.at.urcs import DataWaiting, LinkClosed, ModuleBooted
from modemproxy.line.doubt import Doubt

READ = ReadData(9, 1460)
WHOLE = Completed(READ, ReadReply(b"x" * 1460, 0))
CLOSED = LinkClosed(3, 1)


def doubt(command: AnyCommand = READ, *unknown: bytes) -> Doubt:
    made = Doubt()
    made.begin(command)
    for line in unknown:
        made.note_unknown(line, receiving=False)
    return made


@pytest.mark.parametrize("command", [READ, SendData(9, b"x"), QueryAck(9)])
def test_a_healthy_line_is_believed(command: AnyCommand) -> None:
    made = doubt(command)
    assert not made.keeps(CLOSED, receiving=False)
    assert made.verdict(Completed(command, None)) == (Completed(command, None), [])
    assert not any((made.noise, made.arisen, made.ruled))


def test_what_stands_between_payload_and_ok_waits_for_the_ok() -> None:
    made = doubt()
    assert made.keeps(CLOSED, receiving=True)
    assert made.keeps(ModuleBooted("RDY"), receiving=True)
    assert made.verdict(WHOLE) == (WHOLE, [CLOSED, ModuleBooted("RDY")])
    assert not made.keeps(CLOSED, receiving=False)


def test_what_stands_behind_a_damaged_payload_is_not_believed() -> None:
    made = doubt()
    assert made.keeps(CLOSED, receiving=True)
    broken = Broken(READ, "wrong trailer")
    assert made.verdict(broken) == (broken, [])
    assert made.noise
    assert made.keeps(CLOSED, receiving=False)
    made.begin(QueryAck(9))
    assert not made.keeps(CLOSED, receiving=False)


def test_a_hint_is_believed_whatever_happens() -> None:
    made = doubt(READ, b"+CIPRXGET: 2,;,1460,0")
    assert not made.keeps(DataWaiting(9), receiving=True)
    made.verdict(Broken(READ, "damaged"))
    assert not made.keeps(DataWaiting(9), receiving=False)


@pytest.mark.parametrize("end", [WHOLE, Failed(READ, BARE_ERROR, handed_over=False)])
def test_behind_a_header_gone_wrong_no_end_is_believed(end: Event) -> None:
    made = doubt(READ, b"+CIPRXGET: 2,;,1460,0")
    assert made.arisen
    event, kept = made.verdict(end)
    assert isinstance(event, Broken)
    assert kept == []
    assert made.noise


def test_words_of_nobody_make_an_error_doubtful_and_no_more() -> None:
    made = doubt(READ, b"RING")
    assert made.keeps(CLOSED, receiving=False)
    assert made.verdict(WHOLE) == (WHOLE, [CLOSED])
    made = doubt(READ, b"RING")
    event, _ = made.verdict(Failed(READ, BARE_ERROR, handed_over=False))
    assert isinstance(event, Broken)


@pytest.mark.parametrize("line", [b"+CNSMOD: 8", b"*PSUTTZ: 1", b"^MODE: 17"])
def test_a_report_that_is_not_known_is_no_damage(line: bytes) -> None:
    made = doubt(READ, line)
    assert not made.arisen
    assert not made.keeps(CLOSED, receiving=False)


def test_only_a_read_can_be_damaged_like_that() -> None:
    made = doubt(QueryAck(9), b"words", b"+CIPRXGET: 2,;,1460,0")
    assert not made.arisen


@pytest.mark.parametrize(("receiving", "lines"), [(True, ()), (False, (b"words",))])
def test_a_silence_ends_what_may_be_payload(receiving: bool, lines: tuple[bytes, ...]) -> None:
    made = doubt(READ, *lines)
    assert made.keeps(CLOSED, receiving=receiving)
    assert made.give_up(receiving=receiving)
    assert not made.keeps(CLOSED, receiving=False)


def test_no_answer_at_all_is_no_damage() -> None:
    assert not doubt().give_up(receiving=False)


def test_only_an_error_behind_a_payload_may_be_followed_by_another_verdict() -> None:
    send = SendData(9, b"x")
    for handed_over in (True, False):
        made = doubt(send)
        made.verdict(Failed(send, BARE_ERROR, handed_over=handed_over))
        assert made.ruled is handed_over
    made.begin(send)
    assert not made.ruled

"""CIPACK's counters: what they prove, and when they are not believed."""

import pytest

from modemproxy.module.outbound import Outbound


def sent(size: int) -> Outbound:
    """One send that the module has taken."""
    outbound = Outbound()
    outbound.queue += bytes(size)
    outbound.begin(size, 0.0)
    outbound.note_accepted()
    outbound.settle(size, 0.1)
    return outbound


def test_what_was_acknowledged_is_known() -> None:
    outbound = sent(20)
    assert outbound.note_ack(20, 0, 1.0) is False
    assert outbound.unacked == 20
    assert outbound.note_ack(20, 20, 2.0) is True
    assert outbound.delivered


@pytest.mark.parametrize(("said", "acked"), [(0, 0), (2, 0), (2, 2), (202, 0)])
def test_a_counter_that_lost_a_digit_proves_nothing(said: int, acked: int) -> None:
    """A 2 lost of 20 would else mean that nothing is under way any more."""
    outbound = sent(20)
    assert outbound.note_ack(said, acked, 1.0) is False
    assert outbound.unacked == 20
    assert not outbound.ack_current
    assert outbound.note_ack(20, 15, 2.0) is True
    assert outbound.unacked == 5


def test_a_counter_that_begins_elsewhere_is_believed_the_second_time() -> None:
    outbound = sent(20)
    assert outbound.note_ack(120, 120, 1.0) is False
    assert outbound.note_ack(120, 120, 2.0) is True
    assert outbound.delivered


@pytest.mark.parametrize("window", [5840, 7000])
def test_a_question_that_was_refused_is_not_asked_again_at_once(window: int) -> None:
    outbound = sent(5840)
    outbound.queue += bytes(5000)
    outbound.window = window
    assert outbound.probe_wanted(1.0)
    outbound.note_ack_refused(1.0)
    assert not outbound.probe_wanted(1.0)
    assert outbound.due_at(1.0) > 1.0


def test_a_late_result_is_known_for_its_size_for_a_while() -> None:
    outbound = Outbound()
    outbound.queue += bytes(20)
    outbound.begin(20, 0.0)
    outbound.note_late(17.0)
    assert outbound.may_be_late(20, 20.0)
    assert not outbound.may_be_late(19, 20.0)
    assert not outbound.may_be_late(20, 40.0)
    outbound.note_was_late(21.0)
    assert not outbound.may_be_late(20, 22.0)

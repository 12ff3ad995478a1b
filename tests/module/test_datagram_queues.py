"""What waits on a datagram link to be sent, and for how long. No clock, no line."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from modemproxy.module.boundaries import Boundaries
from modemproxy.module.datagram_out import AGE_LIMIT_S, QUEUE_LIMIT, Outbox


def outbox(*, kept: bool = True) -> Outbox:
    return Outbox(Boundaries(accepted=kept))


def sent(box: Outbox, now: float) -> bytes:
    """Send one, with all that comes behind it."""
    data = box.begin(now)
    assert box.flight is not None
    box.flight.accepted = True
    box.settle(now)
    return data


def test_the_oldest_gives_way_when_sixteen_wait() -> None:
    box = outbox()
    dropped = [box.put(b"%d" % n, 0.0) for n in range(QUEUE_LIMIT + 2)]
    assert dropped == [False] * QUEUE_LIMIT + [True, True]
    assert box.dropped_full == 2
    assert [box.begin(0.0) for _ in range(QUEUE_LIMIT)] == [
        b"%d" % n for n in range(2, QUEUE_LIMIT + 2)
    ]


def test_what_waited_half_a_second_is_not_sent_any_more() -> None:
    box = outbox()
    box.put(b"old", 0.0)
    box.put(b"new", 0.3)
    assert box.due_at(0.4) == AGE_LIMIT_S
    assert box.put(b"newest", AGE_LIMIT_S)
    assert (box.dropped_old, box.begin(AGE_LIMIT_S)) == (1, b"new")


def test_a_datagram_put_back_is_the_next_one_and_as_old_as_it_was() -> None:
    box = outbox()
    box.put(b"a", 0.0)
    box.put(b"b", 0.1)
    box.begin(0.2)
    assert box.ready(0.2) == 0  # one at a time
    box.note_busy(0.2)
    assert box.ready(0.2) == 0
    assert box.ready(box.hold_until) == 1
    assert box.begin(0.3) == b"a"
    box.put_back()
    box.expire(AGE_LIMIT_S)
    assert (box.dropped_old, box.begin(AGE_LIMIT_S)) == (1, b"b")


def test_busy_holds_grow_to_two_seconds_and_go_back_after_a_success() -> None:
    box = outbox()
    holds = []
    for _ in range(12):
        box.put(b"a", 0.0)
        box.begin(0.0)
        box.note_busy(0.0)
        holds.append(box.hold_until)
        box.drop_all()
    assert 0.008 <= holds[0] <= 0.012
    assert 1.6 <= holds[-1] <= 2.4
    box.put(b"a", 0.0)
    sent(box, 3.0)
    box.put(b"a", 3.0)
    box.begin(3.0)
    box.note_busy(3.0)
    assert box.hold_until <= 3.012


def test_a_result_that_does_not_come_is_not_waited_for_long() -> None:
    box = outbox()
    box.put(b"a", 0.0)
    box.begin(0.0)
    assert box.due_at(0.0) == inf  # the exchange is still under way: it has its own bound
    assert box.flight is not None
    box.flight.accepted = True
    assert not box.result_overdue(1.9)
    assert box.due_at(0.0) == 2.0
    assert box.result_overdue(2.0)


def test_where_answers_may_merge_the_next_question_waits_for_the_answer() -> None:
    box = outbox(kept=False)
    box.put(b"a", 0.0)
    box.put(b"aaaa", 0.0)
    sent(box, 0.0)
    assert box.ready(0.1) == 0
    assert box.due_at(0.1) == 0.25
    box.note_answer()
    assert box.ready(0.1) == 4


def test_a_far_side_that_only_listens_is_not_waited_for() -> None:
    box = outbox(kept=False)
    waits = []
    now = 0.0
    for _ in range(4):
        box.put(b"a", now)
        waits.append(box.due_at(now) if not box.ready(now) else now)
        now = waits[-1]
        sent(box, now)
    assert waits == [0.0, 0.25, 0.5, 0.5]


def test_age_begins_anew_where_nothing_could_be_sent_before() -> None:
    box = outbox()
    box.put(b"a", 0.0)
    box.renew(7.0)
    box.expire(7.4)
    assert box.begin(7.4) == b"a"


@given(st.lists(st.integers(0, 5), max_size=60))
def test_nothing_is_sent_twice_or_out_of_order(steps: list[int]) -> None:
    box, now, number, seen = outbox(), 0.0, 0, []
    for step in steps:
        now += 0.05 * step
        match step:
            case 0 | 1:
                number += 1
                box.put(b"%d" % number, now)
            case 2 if box.ready(now):
                box.begin(now)
            case 3 if box.flight is not None:
                box.put_back()
            case 4 if box.flight is not None:
                seen.append(int(box.flight.data))
                box.settle(now)
            case 5 if box.flight is not None:
                seen.append(int(box.flight.data))
                box.give_up()
    assert seen == sorted(set(seen))
    gone = len(seen) + box.dropped_full + box.dropped_old
    assert gone + box.waiting + (box.flight is not None) == number

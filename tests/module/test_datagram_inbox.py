"""When a datagram link is read, and what is believed of it. No clock, no line."""

from math import inf

import pytest

from modemproxy.module.boundaries import Boundaries
from modemproxy.module.datagram_in import INBOX_LIMIT, Inbox
from modemproxy.module.inbound import HintHealth
from modemproxy.module.local_ports import LocalPorts


def inbox(*, kept: bool = True) -> Inbox:
    return Inbox(HintHealth(), Boundaries(accepted=kept))


def wants(box: Inbox) -> bool:
    return box.wanted


def kept(bounds: Boundaries) -> bool:
    return bounds.kept


def is_proven(bounds: Boundaries) -> bool:
    return bounds.proven


def test_a_hint_is_read_until_nothing_is_left_and_once_more() -> None:
    box = inbox()
    box.note_hint(behind=True)
    assert wants(box)
    box.begin_read()
    box.note_data(b"a", 5, 1.0)
    assert wants(box)
    box.begin_read()
    box.note_data(b"b", 0, 1.1)
    assert not wants(box)
    assert 1.1 < box.due_at() <= 1.2
    assert [box.take(), box.take(), box.take()] == [b"a", b"b", None]


def test_a_hint_behind_the_header_is_about_more_than_that_read() -> None:
    box = inbox()
    box.note_hint(behind=True)
    box.begin_read()
    box.note_hint(behind=False)
    box.note_data(b"a", 0, 0.0)
    assert not wants(box)
    box.begin_read()
    box.note_hint(behind=True)
    box.note_data(b"a", 0, 0.0)
    assert wants(box)


def test_a_hint_that_led_to_nothing_is_looked_into_once_more() -> None:
    box = inbox()
    box.note_hint(behind=True)
    box.begin_read()
    box.note_empty(1.0)
    assert box.due_at() == 1.05
    box.begin_read()
    box.note_empty(1.05)
    assert box.due_at() > 1.3


def test_polls_stay_under_a_second_while_active_and_grow_to_thirty() -> None:
    box = inbox()
    box.note_sent(0.0)
    gaps, now = [], 0.0
    while now < 400:
        due = box.due_at()
        gaps.append((due - now, now))
        now = due
        box.begin_read()
        box.note_empty(now)
    assert all(gap <= 0.91 for gap, at in gaps if at < 5)
    assert max(gap for gap, _ in gaps) == pytest.approx(30)
    assert gaps[-1][0] == pytest.approx(30)
    box.note_sent(now)
    assert box.due_at() <= now + 0.9


def test_found_by_polls_means_that_hints_get_lost() -> None:
    box = inbox()
    for now in (10.0, 20.0):
        box.note_empty(now)
        box.polling = True
        box.begin_read()
        box.note_data(b"a", 0, now)
        box.polling = False
    assert not box.hints.reliable
    box.note_empty(40.0)
    assert box.due_at() <= 40.9


def test_firmware_whose_rest_says_nothing_is_read_on_at_once() -> None:
    box = inbox()
    box.note_hint(behind=True)
    box.begin_read()
    box.note_data(b"a", 0, 0.0)
    for now in (0.1, 0.2):
        assert not wants(box)
        box.polling = True
        box.begin_read()
        box.note_data(b"a", 0, now)
        box.polling = False
    assert wants(box)
    assert box.hints.reliable
    box.begin_read()
    box.note_empty(0.3)
    assert not wants(box)


def test_what_the_owner_does_not_take_stays_in_the_module() -> None:
    box = inbox()
    for _ in range(INBOX_LIMIT):
        box.note_hint(behind=True)
        box.begin_read()
        box.note_data(b"a", 1, 0.0)
    assert not wants(box)
    assert box.due_at() == inf
    box.take()
    assert wants(box)


# -- boundaries ---------------------------------------------------------------------------


def test_refused_package_mode_is_not_suspected_but_known() -> None:
    told: list[None] = []
    bounds = Boundaries(False, lambda: told.append(None))
    assert not kept(bounds)
    assert not bounds.note_read(1500, 1)
    assert not told


def test_a_full_read_with_more_behind_it_contradicts_package_mode_and_is_said_once() -> None:
    told: list[None] = []
    bounds = Boundaries(True, lambda: told.append(None))
    assert bounds.note_read(1500, 0)
    assert kept(bounds)
    assert not bounds.note_read(1500, 20)
    assert not bounds.note_read(1500, 20)
    assert not kept(bounds)
    assert len(told) == 1


def test_reads_that_stop_short_at_different_lengths_prove_package_mode() -> None:
    bounds = Boundaries(True)
    bounds.note_read(1460, 100)  # could be all that this firmware reads at once
    bounds.note_read(1460, 100)
    assert not is_proven(bounds)
    bounds.note_read(20, 1500)
    assert is_proven(bounds)
    assert bounds.note_read(1500, 1500)
    assert kept(bounds)


def test_the_pieces_of_a_cut_read_are_all_thrown_away() -> None:
    box = inbox(kept=False)
    for size, rest in ((1500, 1700), (1500, 200), (200, 0), (30, 0)):
        box.begin_read()
        box.note_data(bytes(size), rest, 0.0)
    assert box.take() == bytes(30)
    assert (box.received, box.lost) == (1, 3)


def test_an_empty_answer_ends_what_was_cut_off() -> None:
    box = inbox(kept=False)
    box.note_data(bytes(1500), 100, 0.0)
    box.note_empty(0.1)
    box.note_data(b"whole", 0, 0.2)
    assert box.take() == b"whole"


# -- local ports --------------------------------------------------------------------------


def test_a_local_port_comes_again_only_after_all_others() -> None:
    ports = LocalPorts(65000)
    taken = [ports.take() for _ in range(16384)]
    assert taken[0] == 65000
    assert len(set(taken)) == 16384
    assert (min(taken), max(taken)) == (49152, 65535)
    assert ports.take() == taken[0]


@pytest.mark.parametrize("_", range(3))
def test_where_the_turn_begins_is_left_to_chance(_: int) -> None:
    assert len({LocalPorts().take() for _ in range(20)}) > 1

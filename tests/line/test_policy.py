"""Who has the line next: turns, the fast lane, control, upkeep, the size of a chunk."""

import itertools

import pytest

from modemproxy.at.transfer import CHUNK
from modemproxy.line.policy import SMALL, Grant, Lane, Offer, Policy, Work
from tests.line.wire import (
    BOTH,
    BULK_READ,
    BULK_WRITE,
    CONTROL,
    READ,
    UPKEEP,
    WRITE,
    Line,
    Pings,
    run_with_pings,
)


def test_one_link_has_the_line() -> None:
    line = Line()
    line.add(3, BULK_READ)
    for _ in range(5):
        line.step()
    assert line.order() == [3] * 5


def test_nothing_to_do_is_none() -> None:
    policy = Policy(115200)
    assert policy.pick(0.0, {}, control=False) is None
    policy.add(0, 1)
    assert policy.pick(0.0, {0: Offer()}, control=False) is None


def test_two_links_alternate() -> None:
    line = Line()
    line.add(0, BULK_READ)
    line.add(1, BULK_READ)
    for _ in range(10):
        line.step()
    assert line.order() == [0, 1] * 5 or line.order() == [1, 0] * 5


def test_uneven_work_alternates_while_both_have_some() -> None:
    line, left = Line(), 3
    line.add(0, BULK_READ)
    line.add(1, lambda now: BULK_READ if left else Offer())
    for _ in range(10):
        grant = line.step()
        left -= grant is not None and grant.key == 1
    assert sorted(line.order()[:6]) == [0, 0, 0, 1, 1, 1]
    assert line.order()[6:] == [0] * 4


def test_a_late_arrival_takes_turns_and_no_more() -> None:
    line = Line()
    line.add(0, BULK_READ)
    line.run(10)
    arrival = line.now
    line.add(1, BULK_READ)
    line.run(10)
    late = [grant.key for at, _, grant in line.log if at > arrival]
    assert late[0] in (0, 1)
    assert all(late[i] != late[i + 1] for i in range(len(late) - 1))


# the fast lane


@pytest.mark.parametrize(("baudrate", "bound_s"), [(115200, 0.17), (921600, 0.05)])
@pytest.mark.parametrize("work", [READ, WRITE])
def test_a_keystroke_waits_for_the_exchange_under_way_only(
    baudrate: int, bound_s: float, work: Work
) -> None:
    line = Line(baudrate)
    for key in range(9):
        line.add(key, BOTH)
    pings = Pings(work=work)
    run_with_pings(line, 9, pings, 30)
    assert len(pings.waits) > 100
    assert max(pings.waits) < bound_s


def test_the_fast_lane_has_at_most_half_of_the_line() -> None:
    line = Line()
    for key in range(9):
        line.add(key, Offer(write=SMALL))
    line.add(9, BULK_READ)
    line.run(60)
    fast = sum(cost for _, cost, grant in line.log if grant.lane is Lane.FAST)
    assert fast <= 0.5 * 60 + 0.5
    assert line.airtime(9) >= 60 / 10 * 0.9


def test_one_link_has_at_most_a_fifth_of_it_by_the_fast_lane() -> None:
    line = Line()
    line.add(0, Offer(write=SMALL))
    for key in range(1, 9):
        line.add(key, BULK_READ)
    line.run(60)
    fast = sum(c for _, c, grant in line.log if grant.lane is Lane.FAST and grant.key == 0)
    assert fast <= 0.2 * 60 + 0.5


def test_a_bulk_link_drops_out_of_the_fast_lane() -> None:
    line = Line()
    for key in range(3):
        line.add(key, Offer(read=CHUNK, small_read=True))
    line.run(10)
    line.run(50)
    sizes = [grant.size for at, _, grant in line.log if at > 1010]
    fast = [g for at, _, g in line.log if at > 1010 and g.lane is Lane.FAST]
    assert sizes
    assert len(fast) < len(sizes)


# control and upkeep


def test_control_goes_first_on_an_idle_line_however_often() -> None:
    line = Line(control=True)
    line.add(0, Offer())
    for _ in range(5):
        grant = line.step()
        assert grant is not None
        assert grant.work is CONTROL


def test_control_is_every_fourth_exchange_while_data_waits() -> None:
    line = Line(control=True)
    for key in range(3):
        line.add(key, BOTH)
    line.run(30)
    places = [i for i, (_, _, grant) in enumerate(line.log) if grant.work is CONTROL]
    assert places[0] == 0
    assert {b - a for a, b in itertools.pairwise(places)} == {4}


def test_upkeep_uses_idle_time_freely() -> None:
    line = Line()
    line.add(0, Offer(upkeep=True))
    line.run(5)
    assert len(line.log) > 100


def test_upkeep_takes_1_percent_of_a_busy_line_and_every_link_has_some() -> None:
    line = Line()
    for key in range(10):
        line.add(key, Offer(read=100_000, upkeep=True))
    line.run(120)
    upkeep = [(cost, grant) for _, cost, grant in line.log if grant.work is UPKEEP]
    assert 0.008 * 120 <= sum(cost for cost, _ in upkeep) <= 0.01 * 120 + 0.2
    counts = [sum(grant.key == key for _, grant in upkeep) for key in range(10)]
    assert max(counts) - min(counts) <= 1


# the chunk rule


@pytest.mark.parametrize(
    ("baudrate", "bound_s"),
    [(115200, 0.075), (230400, 0.045), (460800, 0.030), (921600, 0.026), (3000000, 0.026)],
)
@pytest.mark.parametrize("latency_s", [0.001, 0.003, 0.005])
def test_beside_interactive_work_a_send_stays_under_its_bound(
    baudrate: int, bound_s: float, latency_s: float
) -> None:
    line = Line(baudrate, latency_s)
    line.add(0, BULK_WRITE)
    line.add(1, Offer(write=20))
    assert line.policy.chunk(line.now, 0) == CHUNK
    grant = line.policy.pick(line.now, {1: Offer(write=20)}, control=False)
    assert grant is not None
    assert grant.lane is Lane.FAST
    line.policy.charge(grant, line.now, 0.01, 20)
    size = line.policy.chunk(line.now, 0)
    exchange = Grant(WRITE, Lane.NORMAL, 0, size)
    assert line.cost(exchange) <= bound_s or size == SMALL
    if size < CHUNK:
        assert size == SMALL or line.cost(Grant(WRITE, Lane.NORMAL, 0, size + 2)) > bound_s
    assert line.policy.chunk(line.now, 1) == CHUNK  # its own work shortens nobody's
    assert line.policy.chunk(line.now + 0.99, 0) == size
    assert line.policy.chunk(line.now + 1.01, 0) == CHUNK


def test_a_slow_line_never_goes_below_small_chunks() -> None:
    line = Line(9600, 0.2)
    line.add(0, BULK_WRITE)
    line.add(1, Offer(write=20))
    line.policy.account(1).interactive_at = line.now
    assert line.policy.chunk(line.now, 0) == SMALL


def test_bulk_links_are_not_interactive_to_each_other() -> None:
    line = Line()
    for key in range(3):
        line.add(key, Offer(read=100_000, small_read=True, write=100_000))
    line.run(10)
    settled = line.now
    line.run(20)
    sizes = {
        grant.size for at, _, grant in line.log if at > settled and grant.lane is Lane.NORMAL
    }
    assert sizes == {CHUNK}


def test_a_link_that_is_alone_reads_full_chunks() -> None:
    line = Line()
    line.add(0, Offer(read=100_000, small_read=True))
    line.run(5)
    assert {grant.size for _, _, grant in line.log} == {CHUNK}


def test_an_exchange_that_ended_its_link_is_booked_without_it() -> None:
    policy = Policy(115200)
    policy.add(0, 1)
    policy.remove(0)
    policy.remove(0)
    policy.charge(Grant(READ, Lane.NORMAL, 0, 5), 1.0, 0.1, 5)

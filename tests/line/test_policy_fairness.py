"""Shares of the line: weights, no credit for idling, time and not bytes, any mix."""

import itertools
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.transfer import CHUNK
from modemproxy.line.policy import SMALL, Grant, Lane, Offer, Policy
from tests.line.wire import (
    BOTH,
    BULK_READ,
    BULK_WRITE,
    CONTROL,
    READ,
    UPKEEP,
    WRITE,
    Line,
)


@pytest.mark.parametrize("weights", [(4, 2, 1), (1, 1), (4, 1), (2, 2, 2, 2, 1)])
@pytest.mark.parametrize("offer", [BULK_READ, BULK_WRITE, BOTH])
def test_weights_are_honoured_within_5_percent(weights: tuple[int, ...], offer: Offer) -> None:
    line = Line()
    for key, weight in enumerate(weights):
        line.add(key, offer, weight)
    line.run(120)
    total = sum(line.airtime(key) for key in range(len(weights)))
    for key, weight in enumerate(weights):
        share = weight / sum(weights)
        assert line.airtime(key) / total == pytest.approx(share, rel=0.05)


def test_idling_saves_no_credit() -> None:
    line = Line()
    start = line.now
    line.add(0, BULK_READ)
    line.add(1, lambda now: BULK_READ if not 1 < now - start < 31 else Offer())
    line.run(31)
    back = line.now
    line.run(4)
    assert line.airtime(1, back) == pytest.approx(line.airtime(0, back), abs=0.3)


def test_being_held_while_waiting_saves_no_credit() -> None:
    line = Line()
    line.add(0, BULK_READ)
    line.step()
    line.add(1, lambda now: held)
    held = BULK_WRITE
    offers = {0: BULK_READ, 1: held}
    line.policy.pick(line.now, {**offers, 0: Offer(read=20, small_read=True)}, control=False)
    held = Offer()  # all writing is held, before its turn has come
    line.run(30)
    held = BULK_WRITE
    back = line.now
    line.run(4)
    assert line.airtime(0, back) == pytest.approx(line.airtime(1, back), abs=0.3)


def test_a_poll_that_finds_data_brings_no_saved_credit() -> None:
    line = Line()
    line.add(0, BULK_READ)
    line.add(1, lambda now: found)
    line.add(2, BULK_READ)
    found = Offer()
    line.run(30)
    found = Offer(upkeep=True)
    while (grant := line.step()) is None or grant.work is not UPKEEP:
        pass
    found = BULK_READ
    back = line.now
    line.run(6)
    assert line.airtime(1, back) == pytest.approx(line.airtime(0, back), abs=0.4)


def test_a_sender_of_20_bytes_does_not_take_a_bulk_links_share_of_time() -> None:
    line = Line()
    line.add(0, BULK_READ)
    line.add(1, Offer(write=20))
    line.run(60)
    assert line.airtime(1) == pytest.approx(line.airtime(0), rel=0.1)
    assert line.moved(1) < line.moved(0) / 5


def test_links_are_equal_not_directions() -> None:
    line = Line()
    line.add(0, BOTH)
    line.add(1, BULK_READ)
    line.run(60)
    assert line.airtime(0) == pytest.approx(line.airtime(1), rel=0.05)


def test_inside_a_link_directions_alternate() -> None:
    line = Line()
    line.add(0, BOTH)
    line.run(20)
    works = [grant.work for _, _, grant in line.log]
    assert all(a is not b for a, b in itertools.pairwise(works))


def test_small_work_of_both_directions_alternates() -> None:
    line = Line()
    line.add(0, Offer(read=CHUNK, small_read=True, write=20))
    line.add(1, BULK_READ)
    line.run(20)
    works = [grant.work for _, _, grant in line.log if grant.key == 0]
    assert abs(works.count(READ) - works.count(WRITE)) <= len(works) * 0.1


mixes = st.lists(
    st.tuples(
        st.sampled_from([BULK_READ, BULK_WRITE, BOTH, Offer(write=20), Offer(write=SMALL),
                         Offer(read=CHUNK, small_read=True), Offer(read=SMALL, upkeep=True)]),
        st.sampled_from([1, 2, 4]),
    ),
    min_size=1,
    max_size=10,
)  # fmt: skip


@given(mix=mixes, control=st.booleans(), baudrate=st.sampled_from([115200, 921600]))
def test_nobody_starves_and_nobody_waits_without_bound(
    mix: list[tuple[Offer, int]], control: bool, baudrate: int
) -> None:
    line = Line(baudrate, control=control)
    for key, (offer, weight) in enumerate(mix):
        line.add(key, offer, weight)
    longest = line.cost(Grant(WRITE, Lane.NORMAL, 0, CHUNK))
    line.run(20)
    weights = sum(weight for _, weight in mix)
    for key, (_, weight) in enumerate(mix):
        times = [1000.0, *(at for at, _, grant in line.log if grant.key == key), line.now]
        gap = max(b - a for a, b in itertools.pairwise(times))
        # each of the others one exchange per weight ratio, twice for lane and control, and
        # what the fast lane's burst let a link use ahead
        assert gap <= 2.8 * (longest * (weights / weight + len(mix)) + 0.25)


@given(mix=mixes, data=st.data())
def test_the_line_never_idles_while_there_is_work(
    mix: list[tuple[Offer, int]], data: Any
) -> None:
    policy = Policy(115200)
    now = 0.0
    for key, (_, weight) in enumerate(mix):
        policy.add(key, weight)
    for _ in range(40):
        some = data.draw(st.sets(st.integers(0, len(mix) - 1)))
        offers = {key: mix[key][0] if key in some else Offer() for key in range(len(mix))}
        control = data.draw(st.booleans())
        grant = policy.pick(now, offers, control=control)
        assert (grant is not None) == (bool(some) or control)
        if grant is not None:
            if grant.work is not CONTROL:
                assert grant.key in some
                offer = offers[grant.key]
                room = {READ: offer.read, WRITE: offer.write, UPKEEP: inf}[grant.work]
                assert 0 < max(grant.size, grant.work is UPKEEP) <= room
                assert grant.size <= CHUNK
            now += 0.05
            policy.charge(grant, now, 0.05, grant.size)
        now += data.draw(st.sampled_from([0.0, 0.01, 1.0]))

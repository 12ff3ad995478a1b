"""Who has the line next: simulated lines, no trio."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.transfer import CHUNK
from modemproxy.line.policy import SMALL, Grant, Lane, Offer, Policy, Work

READ, WRITE, UPKEEP, CONTROL = Work.READ, Work.WRITE, Work.UPKEEP, Work.CONTROL


@dataclass
class Line:
    """A line on which every exchange costs what it costs on the wire."""

    baudrate: int = 115200
    latency_s: float = 0.005
    now: float = 1000.0
    control: bool = False
    links: dict[int, Callable[[float], Offer]] = field(default_factory=dict)
    log: list[tuple[float, float, Grant]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = Policy(self.baudrate)
        self.policy.latency_s = self.latency_s

    def add(self, key: int, offer: Callable[[float], Offer] | Offer, weight: float = 2) -> None:
        self.policy.add(key, weight)
        self.links[key] = offer if callable(offer) else lambda now: offer

    def cost(self, grant: Grant) -> float:
        turns = 2 if grant.work is WRITE else 1
        return (grant.size + 52) * 10 / self.baudrate + turns * self.latency_s

    def step(self) -> Grant | None:
        offers = {key: offer(self.now) for key, offer in self.links.items()}
        grant = self.policy.pick(self.now, offers, control=self.control)
        if grant is None:
            due = min((offer.due_at for offer in offers.values()), default=inf)
            self.now = max(self.now + 0.001, min(due, self.now + 0.1))
            return None
        cost = self.cost(grant)
        self.now += cost
        self.policy.charge(grant, self.now, cost, grant.size)
        self.log.append((self.now, cost, grant))
        return grant

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.step()

    def airtime(self, key: int, since: float = 0.0) -> float:
        return sum(cost for at, cost, grant in self.log if grant.key == key and at > since)

    def moved(self, key: int, since: float = 0.0) -> int:
        return sum(grant.size for at, _, grant in self.log if grant.key == key and at > since)

    def order(self) -> list[int]:
        return [grant.key for _, _, grant in self.log]


BULK_READ = Offer(read=100_000)
BULK_WRITE = Offer(write=100_000)
BOTH = Offer(read=100_000, write=100_000)


@dataclass
class Pings:
    """A link that sends 20 bytes every ``every_s``."""

    every_s: float = 0.1
    due_at: float = 1000.0
    work: Work = WRITE
    waits: list[float] = field(default_factory=list)
    taken: bool = True

    def __call__(self, now: float) -> Offer:
        if now < self.due_at:
            return Offer(due_at=self.due_at)
        if self.work is WRITE:
            return Offer(write=20)
        return Offer(read=20, small_read=True)

    def served(self, now: float) -> None:
        self.waits.append(now - self.due_at)
        self.due_at = now + self.every_s


def run_with_pings(line: Line, key: int, pings: Pings, seconds: float) -> None:
    line.add(key, pings)
    end = line.now + seconds
    while line.now < end:
        grant = line.step()
        if grant is not None and grant.key == key:
            pings.served(line.now)


# ModemManager's list


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


# fairness


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


# any mix


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

"""The recovery ladder by itself: which rung, after what pause."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.errors import (
    BringUpFailed,
    LineClosed,
    LineSilent,
    ModuleRebooted,
    NetworkError,
    WriteBlocked,
)
from modemproxy.module.ladder import Ladder, Rung, Step, Trouble, trouble_of

NETWORK = NetworkError("gone")
FAILURES = (
    NETWORK,
    LineClosed("unplugged"),
    LineSilent("AT"),
    WriteBlocked("full"),
    ModuleRebooted("RDY"),
    BringUpFailed("answer", "none"),
    BringUpFailed("SIM", "not inserted"),
    BringUpFailed("SIM", "PUK", hopeless=True),
    BringUpFailed("registration", "denied"),
    BringUpFailed("network", "refused"),
)


def climb(
    ladder: Ladder, failure: BaseException, count: int, *, every_s: float = 10.0
) -> list[Step]:
    return [ladder.next_step(failure, now=n * every_s, up_for_s=0.0) for n in range(count)]


def rungs(steps: list[Step]) -> str:
    return " ".join(step.rung.label for step in steps)


def a_ladder(*, power: bool = False) -> Ladder:
    return Ladder(has_power=power, rng=random.Random(1))


def test_a_network_that_does_not_come_back_is_reset_step_by_step() -> None:
    assert rungs(climb(a_ladder(), NETWORK, 9)) == "R4 R4 R4 R5 R5 R6 R6 R4 R4"


def test_power_comes_last_and_only_when_there_is_a_command() -> None:
    assert rungs(climb(a_ladder(power=True), NETWORK, 9)) == "R4 R4 R4 R5 R5 R6 R6 R7 R4"
    assert rungs(climb(a_ladder(power=True), LineSilent("AT"), 5)) == "R3 R3 R3 R7 R3"
    assert rungs(climb(a_ladder(), LineSilent("AT"), 5)) == "R3 R3 R3 R3 R3"


def test_a_sim_that_is_missing_is_not_helped_by_netopen() -> None:
    steps = climb(a_ladder(), BringUpFailed("SIM", "not inserted"), 4)
    assert rungs(steps) == "R0 R5 R6 R0"


def test_nothing_is_done_to_a_module_when_only_the_user_can_help() -> None:
    steps = climb(a_ladder(power=True), BringUpFailed("SIM", "PUK", hopeless=True), 20)
    assert {step.rung for step in steps} == {Rung.AGAIN}
    assert steps[-1].pause_s >= 240


def test_the_first_try_is_at_once_and_rounds_are_5_s_to_5_min_apart() -> None:
    steps = climb(a_ladder(), NETWORK, 7 * 12)
    assert steps[0].pause_s <= 0.24
    assert all(step.pause_s <= 1.2 for step in steps[:7])
    rounds = [step.pause_s for step in steps[7::7]]
    for pause, want in zip(rounds, (5, 10, 20, 40, 80, 160, 300, 300, 300), strict=False):
        assert 0.8 * want <= pause <= 1.2 * want
    assert len({round(pause / 300, 3) for pause in rounds[6:]}) > 1  # jittered


def test_a_minute_in_service_brings_all_back_to_the_bottom() -> None:
    ladder = a_ladder()
    climb(ladder, NETWORK, 5)
    assert ladder.next_step(NETWORK, now=60, up_for_s=59).rung is Rung.RESET
    step = ladder.next_step(NETWORK, now=200, up_for_s=60)
    assert (step.rung, step.pause_s < 1) == (Rung.NETWORK, True)


def test_a_missing_device_is_looked_for_every_two_seconds_and_that_is_no_rung() -> None:
    steps = climb(a_ladder(power=True), LineClosed("no such device"), 60)
    assert steps[0].pause_s < 1
    assert all(1.5 <= step.pause_s <= 2.5 for step in steps[1:] if step.looking)
    assert max(step.pause_s for step in steps) <= 2.5
    assert rungs([step for step in steps if not step.looking]) == "R3 R3 R3 R7 R3 R3"


def test_a_fourth_restart_in_five_minutes_is_a_power_problem() -> None:
    ladder = a_ladder()
    steps = climb(ladder, ModuleRebooted("RDY"), 60, every_s=8.0)
    assert [step.restarts for step in steps[:6]] == [0, 0, 0, 4, 5, 6]
    assert all(14 <= step.pause_s <= 22 for step in steps[3:20])
    assert all(48 <= step.pause_s <= 72 for step in steps[25:40])
    assert all(240 <= step.pause_s <= 360 for step in steps[45:])
    quiet = ladder.next_step(ModuleRebooted("RDY"), now=5000, up_for_s=3000)
    assert not quiet.restarts


def test_restarts_that_are_far_apart_are_no_loop() -> None:
    steps = climb(a_ladder(), ModuleRebooted("RDY"), 20, every_s=120.0)
    assert not any(step.restarts for step in steps)


@pytest.mark.parametrize(
    ("failure", "trouble"),
    [
        (WriteBlocked("x"), Trouble.SILENT),
        (LineClosed("x"), Trouble.DEVICE),
        (BringUpFailed("echo", "x"), Trouble.SILENT),
        (BringUpFailed("sockets", "x", hopeless=True), Trouble.USER),
        (BringUpFailed("network", "x"), Trouble.NETWORK),
    ],
)
def test_failures_are_sorted_by_what_can_help(failure: BaseException, trouble: Trouble) -> None:
    assert trouble_of(failure) is trouble


@given(
    power=st.booleans(),
    events=st.lists(
        st.tuples(st.sampled_from(FAILURES), st.floats(0.1, 400), st.floats(0, 120)),
        max_size=60,
    ),
)
def test_no_rung_that_acts_is_taken_more_than_three_times_in_a_row(
    power: bool, events: list[tuple[BaseException, float, float]]
) -> None:
    ladder = Ladder(has_power=power, rng=random.Random(0))
    now = 0.0
    taken: dict[Trouble, list[Rung]] = {}
    for failure, later_s, up_for_s in events:
        now += later_s
        step = ladder.next_step(failure, now=now, up_for_s=up_for_s)
        assert 0 < step.pause_s <= 360
        assert power or step.rung is not Rung.POWER
        if up_for_s >= 60:
            taken.clear()
        if not step.looking and not step.restarts:
            taken.setdefault(trouble_of(failure), []).append(step.rung)
    for trouble, way in taken.items():
        if trouble in (Trouble.NETWORK, Trouble.SUBSCRIBER):
            runs = [0]
            for before, after in pairwise(way):
                runs.append(runs[-1] + 1 if before is after else 0)
            assert max(runs) < 3

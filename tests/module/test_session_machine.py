"""The session and what keeps it up, under any order of events: nothing untrue, nobody stuck.

Hypothesis chooses a story (rules note its steps), which is then played in virtual time
between the real lifecycle and the emulated module.
"""

import functools
import logging
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from .recovery_bench import RecoveryBench
from .session_story import Story
from .session_talk import FarEnd, Talk

INDEX = st.integers(0, 9)
SIZES = st.sampled_from([1, 3, 100, 1460, 4000])


class SessionMachine(RuleBasedStateMachine):
    """Notes a story; plays it at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Callable[[Story], Any]] = []
        self.options: dict[str, Any] = {}
        self.pace_s = 0.0

    @initialize(pace_s=st.sampled_from([0.0, 0.01, 0.3, 2.0]), count=st.integers(1, 10))
    def some_clients_are_there(self, pace_s: float, count: int) -> None:
        self.pace_s = pace_s
        self.clients_come(count)
        self.time_passes(0.5)

    @initialize(
        cipack=st.booleans(),
        open_result=st.sampled_from(["after_ok", "before_ok"]),
        close_delay_s=st.sampled_from([0.0, 2.0]),
        send_result_delay_s=st.sampled_from([0.0, 0.3]),
    )
    def the_module_is_of_a_kind(self, **options: Any) -> None:
        self.options = options

    # -- clients and far sides --

    @rule(count=st.sampled_from([1, 1, 2, 12]))
    def clients_come(self, count: int) -> None:
        self.steps.extend([Story.start_talk] * count)

    @rule(index=INDEX, size=SIZES)
    def a_client_sends(self, index: int, size: int) -> None:
        self.steps.append(lambda s: s.with_some(index, lambda talk: talk.say(size)))

    @rule(index=INDEX, size=SIZES)
    def a_far_side_sends(self, index: int, size: int) -> None:
        self.steps.append(lambda s: s.with_far(index, lambda far: far.say(size)))

    @rule(index=INDEX, up=SIZES, down=SIZES)
    def both_sides_send(self, index: int, up: int, down: int) -> None:
        self.a_client_sends(index, up)
        self.a_far_side_sends(index, down)

    @rule(up=SIZES, down=SIZES)
    def all_send(self, up: int, down: int) -> None:
        for index in range(10):
            self.both_sides_send(index, up, down)

    @rule(index=INDEX)
    def a_far_side_closes(self, index: int) -> None:
        self.steps.append(lambda s: s.with_far(index, lambda far: far.say(0)))

    @rule(index=INDEX)
    def a_far_side_aborts(self, index: int) -> None:
        self.steps.append(lambda s: s.with_far(index, FarEnd.abort))

    @rule(index=INDEX)
    def a_client_waits_for_the_delivery_of_all(self, index: int) -> None:
        self.steps.append(lambda s: s.with_some(index, lambda talk: talk.say(0)))

    @rule(index=INDEX, rude=st.booleans())
    def a_client_closes(self, index: int, rude: bool) -> None:
        self.steps.append(lambda s: s.with_some(index, Talk.abort if rude else Talk.close))

    # -- faults --

    def fault(self, name: str, **given: Any) -> None:
        self.steps.append(lambda s: s.fault(name, **given))

    @rule(urc=st.booleans(), netopen_says=st.sampled_from([0, 1]))
    def the_network_is_lost(self, urc: bool, netopen_says: int) -> None:
        self.fault("lose_network", urc=urc, netopen_says=netopen_says)

    @rule(banner=st.sampled_from(["none", "RDY", "*ATREADY: 1"]))
    def the_module_restarts(self, banner: str) -> None:
        self.fault("reboot", banner=banner)

    @rule()
    def echo_is_switched_on(self) -> None:
        self.fault("echo_on")

    @rule(
        urc=st.sampled_from(["data", "closed", "send_result", "close_result", "open_result"]),
        times=st.sampled_from([1, 3]),
    )
    def reports_are_lost(self, urc: str, times: int) -> None:
        self.fault("drop_urc", urc=urc, times=times)

    @rule(for_s=st.sampled_from([1, 4, 15]), keep=st.booleans())
    def the_module_is_deaf(self, for_s: float, keep: bool) -> None:
        self.fault("deaf", for_s=for_s, keep=keep)

    @rule(for_s=st.sampled_from([0.1, 5, 20]), elsewhere=st.booleans())
    def the_cable_is_pulled(self, for_s: float, elsewhere: bool) -> None:
        self.fault("vanish", for_s=for_s, elsewhere=elsewhere)

    @rule(seconds=st.sampled_from([0.004, 0.02, 0.5, 3.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.steps.append(functools.partial(Story.pause, seconds=seconds))

    # -- the play --

    def teardown(self) -> None:
        log = logging.getLogger("modemproxy")
        level, before = log.level, random.getstate()
        log.setLevel(logging.CRITICAL)
        random.seed(0)
        trio._core._run._r.seed(0)  # who runs first
        try:
            trio.run(self._play, clock=trio.testing.MockClock(autojump_threshold=0))
        finally:
            random.setstate(before)
            log.setLevel(level)

    async def _play(self) -> None:
        with tempfile.TemporaryDirectory() as folder, trio.fail_after(5000):
            async with trio.open_nursery() as nursery:
                bench = RecoveryBench(nursery, Path(folder), {}, connect_s=10, **self.options)
                bench.lifecycle._recovery.ladder.rng.seed(0)
                async with trio.open_nursery() as played:
                    await self._tell(Story(played, bench))
                nursery.cancel_scope.cancel()

    async def _tell(self, story: Story) -> None:
        story.bench.nursery.start_soon(story.supervise)
        await story.bench.session(10)
        for step in self.steps:
            outcome = step(story)
            if outcome is not None:
                await outcome
            await story.check()
            await trio.sleep(self.pace_s)
        await story.finish()
        story.bench.lifecycle.stop()
        await story.bench.until(lambda: story.returned, 10)


TestSessionMachine = pytest.mark.timeout(120)(SessionMachine.TestCase)
TestSessionMachine.settings = settings(max_examples=60, stateful_step_count=25)

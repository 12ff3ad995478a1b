"""The pool under any order of events: nobody shares a number, nothing stays open.

Hypothesis chooses a story (rules note its steps), which is then played in virtual time
between the real scheduler, pool and links and a module of a few lines.
"""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from .pool_story import Story

INDEX = st.integers(0, 9)


def some(numbers: list[int], index: int) -> int | None:
    return numbers[index % len(numbers)] if numbers else None


class PoolMachine(RuleBasedStateMachine):
    """Notes a story; plays it at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Callable[[Story], Any]] = []
        self.servers = False
        self.ways: dict[str, bool] = {}

    @initialize(
        servers=st.booleans(),
        keeps_stale=st.booleans(),
        cipack=st.booleans(),
        lists=st.booleans(),
        takes_pending=st.booleans(),
        refuses_early_close=st.booleans(),
    )
    def the_module_is_of_a_kind(self, servers: bool, **ways: bool) -> None:
        self.servers, self.ways = servers, ways

    @rule()
    def a_client_comes(self) -> None:
        self.steps.append(Story.start_client)

    @rule()
    def twelve_clients_come(self) -> None:
        self.steps.extend([Story.start_client] * 12)

    @rule(index=st.integers(0, 20), far=st.booleans())
    def a_client_leaves(self, index: int, far: bool) -> None:
        def step(story: Story) -> None:
            talks = story.far if far else story.talks
            if talks:
                talks[index % len(talks)].scope.cancel()

        self.steps.append(step)

    @rule(index=INDEX, err=st.sampled_from([0, 0, 0, 4, 10, 11]))
    def the_module_answers_an_open(self, index: int, err: int) -> None:
        def step(story: Story) -> None:
            number = some(list(story.module.pending), index)
            if number is not None:
                story.module.answer_open(number, err)

        self.steps.append(step)

    @rule()
    def the_module_answers_all_opens(self) -> None:
        def step(story: Story) -> None:
            for number in list(story.module.pending):
                story.module.answer_open(number, 0)

        self.steps.append(step)

    @rule(slow=st.booleans(), lost=st.booleans())
    def closes_come_to_an_end(self, slow: bool, lost: bool) -> None:
        def step(story: Story) -> None:
            story.module.slow_closes, story.module.loses_close_results = slow, lost
            story.module.finish_closes()

        self.steps.append(step)

    @rule(index=INDEX)
    def a_far_side_closes(self, index: int) -> None:
        def step(story: Story) -> None:
            number = some(list(story.module.sockets), index)
            if number is not None:
                story.module.far_close(number)

        self.steps.append(step)

    @rule(index=INDEX, count=st.integers(1, 3))
    def a_far_side_speaks(self, index: int, count: int) -> None:
        def step(story: Story) -> None:
            number = some(list(story.module.sockets), index)
            if number is not None:
                story.module.sockets[number].speak(count)

        self.steps.append(step)

    @rule(number=INDEX, says=st.integers(0, 2))
    def a_far_client_takes_a_number(self, number: int, says: int) -> None:
        def step(story: Story) -> None:
            if story.module.can_accept(number):
                story.module.accept(number, story.new_port(), says=says)

        self.steps.append(step)

    @rule(number=INDEX)
    def a_far_client_comes_in_unheard(self, number: int) -> None:
        self.steps.append(lambda story: story.come_in_unheard(number))

    @rule()
    def the_health_watch_looks(self) -> None:
        self.steps.append(Story.sweep)

    @rule()
    def late_reports_come(self) -> None:
        self.steps.append(Story.tell_late)

    @rule(seconds=st.sampled_from([0.003, 0.005, 0.01, 0.02, 0.06, 1.0, 6.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        async def step(story: Story) -> None:
            await story.pause(seconds)

        self.steps.append(step)

    def teardown(self) -> None:
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(self._play, clock=clock)

    async def _play(self) -> None:
        with trio.fail_after(100_000):
            async with trio.open_nursery() as nursery:
                story = Story(nursery, servers=self.servers)
                for name, value in self.ways.items():
                    setattr(story.module, name, value)
                for step in self.steps:
                    outcome = step(story)
                    if inspect.isawaitable(outcome):
                        await outcome
                    await trio.testing.wait_all_tasks_blocked()
                    story.check()
                await story.finish()
                nursery.cancel_scope.cancel()


TestPoolMachine = pytest.mark.timeout(120)(PoolMachine.TestCase)
TestPoolMachine.settings = settings(max_examples=150, stateful_step_count=40)

"""The pool under any order of events: nobody shares a number, nothing stays open.

Hypothesis chooses a story (rules note its steps), which is then played in virtual time
between the real pool and a module of a few lines that knows only sockets.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pytest
import trio
import trio.testing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from modemproxy.at.commands import Command
from modemproxy.at.results import Dialect, Failure, Refused
from modemproxy.at.tcpip import CloseLink, OpenLink, QueryLinks
from modemproxy.at.transfer import QueryUnread, ReadData, ReadReply
from modemproxy.errors import LinkRefused, NoFreeLink
from modemproxy.line.scheduler import Scheduler
from modemproxy.module.life import LineContext
from modemproxy.module.pool import LinkPool

ReplyT = TypeVar("ReplyT")

OPEN_LIMIT_S = 30.0
_NOT_SUPPORTED = Failure(Dialect.TAGGED, 4, "operation not supported")
_NO_DATA = Failure(Dialect.IP_ERROR, 22, "No data")


class FakeModule:
    """Ten sockets, and the scheduler through which they are reached."""

    def __init__(self) -> None:
        self.state = ["closed"] * 10
        self.unread = [0] * 10
        self.opened_at = [0.0] * 10
        self.refuses_early_close = False
        self.loses_close_results = False
        self.pool: LinkPool

    # -- as the scheduler --

    def kick(self) -> None: ...

    def add(self, key: int, source: object, weight: float) -> None: ...

    def remove(self, key: int) -> None: ...

    @property
    def channel(self) -> "FakeModule":
        return self

    def opening(self, link: int) -> bool:
        """OK comes at once, results later."""
        return False

    async def execute(self, asked: Command[ReplyT], *, limit_s: float | None = None) -> ReplyT:
        await trio.sleep(0.01)
        command: object = asked
        match command:
            case OpenLink():
                return cast(ReplyT, self._open(command))
            case CloseLink():
                return cast(ReplyT, self._close(command))
            case QueryLinks():
                states = tuple(state in ("open", "closing") for state in self.state)
                return cast(ReplyT, states)
            case QueryUnread():
                return cast(ReplyT, self.unread[command.link])
            case ReadData():
                return cast(ReplyT, self._read(command))
        raise AssertionError(command)

    def _read(self, command: ReadData) -> ReadReply:
        if not self.unread[command.link]:
            raise Refused(command.shown, _NO_DATA)
        self.unread[command.link] = 0
        return ReadReply(b"x", 0)

    def _open(self, command: OpenLink) -> None:
        if self.state[command.link] != "closed":
            raise Refused(command.shown, _NOT_SUPPORTED)
        assert not self.unread[command.link], "stale bytes meet a new connection"
        self.state[command.link] = "opening"
        self.opened_at[command.link] = trio.current_time()

    def _close(self, command: CloseLink) -> None:
        number = command.link
        state = self.state[number]
        if state == "closed" or (state == "opening" and self.refuses_early_close):
            self.pool.quarantine.note_closed(number)  # +CIPCLOSE: n,4 stands before ERROR
            raise Refused(command.shown, _NOT_SUPPORTED)
        self.state[number] = "closing" if state == "open" else "closed"
        if state == "opening":
            self.pool.quarantine.note_closed(number)

    # -- what happens in it --

    def numbers(self, state: str) -> list[int]:
        return [number for number in range(10) if self.state[number] == state]

    def answer_open(self, number: int, err: int) -> None:
        self.state[number] = "closed" if err else "open"
        self.unread[number] = 0 if err else 3
        self.pool.note_opened(number, err)

    def finish_closes(self) -> None:
        for number in self.numbers("closing"):
            self.state[number] = "closed"
            self.unread[number] = 0
            if not self.loses_close_results:
                self.pool.quarantine.note_closed(number)

    def far_close(self, number: int) -> None:
        self.state[number] = "closed"
        self.pool.note_far_close(number, 1)

    def time_out_opens(self) -> None:
        for number in self.numbers("opening"):
            if trio.current_time() >= self.opened_at[number] + OPEN_LIMIT_S:
                self.answer_open(number, 10)


class Story:
    """One run of the pool."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.module = FakeModule()
        context = LineContext(cast(Scheduler, self.module))
        self.pool = self.module.pool = LinkPool(context, open_limit_s=OPEN_LIMIT_S)
        self.clients: list[trio.CancelScope] = []
        self.owners: dict[int, int] = {}
        nursery.start_soon(self.pool.quarantine.clean_forever)

    async def client(self, scope: trio.CancelScope) -> None:
        with scope:
            try:
                async with self.pool.open("host", 80, weight=1, queue_s=5) as link:
                    assert link.number not in self.owners, "two owners of one number"
                    assert self.module.state[link.number] in ("open", "closed")
                    self.owners[link.number] = 1
                    try:
                        await trio.sleep_forever()
                    finally:
                        del self.owners[link.number]
            except (NoFreeLink, LinkRefused):
                pass
        self.clients.remove(scope)

    def start_client(self) -> None:
        scope = trio.CancelScope()
        self.clients.append(scope)
        self.nursery.start_soon(self.client, scope)

    def some(self, numbers: list[int], index: int) -> int | None:
        return numbers[index % len(numbers)] if numbers else None

    async def pause(self, seconds: float) -> None:
        """Let time pass; the module keeps its own time-outs."""
        end = trio.current_time() + seconds
        while trio.current_time() < end:
            await trio.sleep(min(1.0, end - trio.current_time()))
            self.module.time_out_opens()
            self.check()

    def check(self) -> None:
        """A number that is free is free in the module, with nothing unread."""
        for number in self.pool._free:
            assert number not in self.owners
            assert self.module.state[number] == "closed"

    async def finish(self) -> None:
        """Everybody leaves: in the end all is closed and free."""
        for scope in list(self.clients):
            scope.cancel()
        self.module.loses_close_results = False
        for _ in range(20):
            await self.pause(10)
            self.module.finish_closes()
        assert self.pool.settled
        assert self.clients == []
        assert self.module.numbers("opening") == self.module.numbers("closing") == []


class PoolMachine(RuleBasedStateMachine):
    """Notes a story; plays it at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Callable[[Story], Any]] = []

    @rule()
    def a_client_comes(self) -> None:
        self.steps.append(Story.start_client)

    @rule()
    def twelve_clients_come(self) -> None:
        self.steps.extend([Story.start_client] * 12)

    @rule(index=st.integers(0, 20))
    def a_client_leaves(self, index: int) -> None:
        def step(story: Story) -> None:
            if story.clients:
                story.clients[index % len(story.clients)].cancel()

        self.steps.append(step)

    @rule(index=st.integers(0, 9), err=st.sampled_from([0, 0, 0, 4, 10, 11]))
    def the_module_answers_an_open(self, index: int, err: int) -> None:
        def step(story: Story) -> None:
            number = story.some(story.module.numbers("opening"), index)
            if number is not None:
                story.module.answer_open(number, err)

        self.steps.append(step)

    @rule()
    def the_module_answers_all_opens(self) -> None:
        def step(story: Story) -> None:
            for number in story.module.numbers("opening"):
                story.module.answer_open(number, 0)

        self.steps.append(step)

    @rule(lost=st.booleans())
    def closes_come_to_an_end(self, lost: bool) -> None:
        def step(story: Story) -> None:
            story.module.loses_close_results = lost
            story.module.finish_closes()

        self.steps.append(step)

    @rule(refuses=st.booleans())
    def an_early_close_may_be_refused(self, refuses: bool) -> None:
        def step(story: Story) -> None:
            story.module.refuses_early_close = refuses

        self.steps.append(step)

    @rule(index=st.integers(0, 9))
    def a_far_side_closes(self, index: int) -> None:
        def step(story: Story) -> None:
            number = story.some(story.module.numbers("open"), index)
            if number is not None:
                story.module.far_close(number)

        self.steps.append(step)

    @rule(number=st.integers(0, 9))
    def a_far_client_takes_a_number(self, number: int) -> None:
        def step(story: Story) -> None:
            if story.module.state[number] == "closed" and not story.module.unread[number]:
                story.module.state[number] = "open"
                story.pool.note_far_client(number)

        self.steps.append(step)

    @rule(seconds=st.sampled_from([0.005, 0.02, 1.0, 6.0, 40.0]))
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
                story = Story(nursery)
                for step in self.steps:
                    outcome = step(story)
                    if outcome is not None:
                        await outcome
                    await trio.testing.wait_all_tasks_blocked()
                    story.check()
                await story.finish()
                nursery.cancel_scope.cancel()


TestPoolMachine = pytest.mark.timeout(60)(PoolMachine.TestCase)
TestPoolMachine.settings = settings(max_examples=150, stateful_step_count=30)

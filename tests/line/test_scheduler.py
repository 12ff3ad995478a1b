"""The scheduler: one exchange at a time, in order, and nobody left waiting at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import inf

import pytest
import trio
import trio.testing

from modemproxy.at.results import Refused
from modemproxy.at.subscription import EnterPin
from modemproxy.at.transfer import AckReply, QueryAck, QueryUnread
from modemproxy.errors import LineClosed, LineError, LocalProtocolError
from modemproxy.line.channel import AtChannel
from modemproxy.line.policy import Grant, Lane, Offer, Policy, Work
from modemproxy.line.port import StreamPort
from modemproxy.line.scheduler import Scheduler, WriteHold
from tests.transcript import Player, parse

pytestmark = pytest.mark.usefixtures("autojump_clock")


@dataclass
class FakeLink:
    """A link with so many exchanges of 10 ms to do."""

    work: int = 0
    due_at: float = inf
    error: Exception | None = None
    done: list[tuple[float, Work]] = field(default_factory=list)

    def offer(self, now: float) -> Offer:
        if now >= self.due_at:
            self.due_at, self.work = inf, self.work + 1
        return Offer(read=1460 if self.work else 0, due_at=self.due_at)

    async def exchange(self, grant: Grant) -> int:
        if self.error is not None:
            raise self.error
        self.work -= 1
        await trio.sleep(0.010)
        self.done.append((trio.current_time(), grant.work))
        return grant.size


@asynccontextmanager
async def rig(text: str = "") -> AsyncIterator[tuple[Scheduler, Player]]:
    """A running scheduler whose module plays ``text``."""
    dte, dce = trio.testing.memory_stream_pair()
    channel = AtChannel(StreamPort(dte))
    player = Player(dce, parse(text))
    scheduler = Scheduler(channel, Policy(115200))

    async def read() -> None:
        with suppress(LineClosed):
            await channel.read_forever()

    async def run() -> None:
        with suppress(LineError):
            await scheduler.run()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(run)
        nursery.start_soon(player.run)
        yield scheduler, player
        await player.finished.wait()
        nursery.cancel_scope.cancel()


THREE = """\
> AT+CIPACK=1
< +CIPACK: 1,1,0
< OK
> AT+CIPACK=2
< +CIPACK: 2,2,0
< OK
> AT+CIPACK=3
< +CIPACK: 3,3,0
< OK
"""


async def test_commands_are_done_in_the_order_of_asking() -> None:
    replies: list[AckReply] = []

    async def ask(link: int) -> None:
        replies.append(await scheduler.execute(QueryAck(link)))

    async with rig(THREE) as (scheduler, _), trio.open_nursery() as nursery:
        for link in (1, 2, 3):
            nursery.start_soon(ask, link)
            await trio.lowlevel.checkpoint()
            await trio.testing.wait_all_tasks_blocked()
    assert replies == [AckReply(1, 1), AckReply(2, 2), AckReply(3, 3)]


async def test_a_cancelled_waiter_is_taken_out_of_the_queue() -> None:
    text = "> AT+CIPACK=1\n@ 1\n< +CIPACK: 1,1,0\n< OK\n> AT+CIPACK=3\n< +CIPACK: 3,3,0\n< OK"

    async def cancelled() -> None:
        with trio.move_on_after(0.5):
            await scheduler.execute(QueryAck(2))
        assert trio.current_time() == 0.5

    async with rig(text) as (scheduler, _), trio.open_nursery() as nursery:
        nursery.start_soon(scheduler.execute, QueryAck(1))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(cancelled)
        await trio.testing.wait_all_tasks_blocked()
        assert await scheduler.execute(QueryAck(3)) == AckReply(3, 3)


async def test_a_caller_cancelled_in_mid_exchange_leaves_it_to_finish() -> None:
    text = "> AT+CIPACK=1\n@ 1\n< +CIPACK: 1,1,0\n< OK\n> AT+CIPACK=3\n< +CIPACK: 3,3,0\n< OK"
    async with rig(text) as (scheduler, _):
        with trio.move_on_after(0.5):
            await scheduler.execute(QueryAck(1))
        assert trio.current_time() == 0.5
        assert await scheduler.execute(QueryAck(3)) == AckReply(3, 3)


async def test_a_refusal_reaches_its_asker_and_nobody_else() -> None:
    text = "> AT+CIPACK=1\n< ERROR\n> AT+CIPACK=3\n< +CIPACK: 3,3,0\n< OK"
    async with rig(text) as (scheduler, _):
        with pytest.raises(Refused):
            await scheduler.execute(QueryAck(1))
        assert await scheduler.execute(QueryAck(3)) == AckReply(3, 3)


async def test_text_unfit_for_the_line_is_refused_to_its_asker() -> None:
    async with rig("> AT+CIPACK=3\n< +CIPACK: 3,3,0\n< OK") as (scheduler, _):
        with pytest.raises(LocalProtocolError):
            await scheduler.execute(EnterPin('0"\r'))
        assert await scheduler.execute(QueryAck(3)) == AckReply(3, 3)


async def wait_for_end(scheduler: Scheduler, ended: list[str], link: int) -> None:
    try:
        await scheduler.execute(QueryUnread(link))
    except LineClosed as error:
        ended.append(str(error))


@pytest.mark.parametrize("said", ["", "< +CIPRXGET: 4,0,9"])
async def test_everyone_is_woken_when_the_line_hangs_up(said: str) -> None:
    ended: list[str] = []
    async with rig(f"> AT+CIPRXGET=4,0\n@ 1\n{said}\n! hangup") as (scheduler, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_end, scheduler, ended, 0)
            await trio.testing.wait_all_tasks_blocked()
            for link in range(1, 5):
                nursery.start_soon(wait_for_end, scheduler, ended, link)
        assert ended == ["the line was closed"] * 5
        assert trio.current_time() == 1.0
        with pytest.raises(LineClosed):
            await scheduler.execute(QueryAck(1))


async def test_everyone_is_woken_when_the_scheduler_is_cancelled() -> None:
    dte, _ = trio.testing.memory_stream_pair()
    scheduler = Scheduler(AtChannel(StreamPort(dte)), Policy(115200))
    with trio.CancelScope() as scope:
        scope.cancel()
        await scheduler.run()
    with pytest.raises(LineClosed):
        await scheduler.execute(QueryAck(1))


async def test_an_error_of_ours_in_an_exchange_ends_it_and_wakes_everyone() -> None:
    dte, _ = trio.testing.memory_stream_pair()
    scheduler = Scheduler(AtChannel(StreamPort(dte)), Policy(115200))
    link = FakeLink(error=ZeroDivisionError("ours"))
    scheduler.add(0, link, 2)
    ended: list[str] = []
    failed: list[Exception] = []

    async def run() -> None:
        try:
            await scheduler.run()
        except ZeroDivisionError as error:
            failed.append(error)

    async with trio.open_nursery() as nursery:
        for number in range(2):
            nursery.start_soon(wait_for_end, scheduler, ended, number)
        await trio.testing.wait_all_tasks_blocked()
        scheduler.policy.charge(Grant(Work.CONTROL, Lane.CONTROL), 0.0, 0.0)
        link.work = 1  # data waits, and a command was just done: the link is next
        nursery.start_soon(run)
    assert [str(error) for error in failed] == ["ours"]
    assert ended == ["the line was closed"] * 2


async def test_links_share_the_line_and_commands_come_between() -> None:
    text = "> AT+CIPACK=*\n< +CIPACK: 1,1,0\n< OK\n" * 3
    async with rig(text) as (scheduler, _):
        a, b = FakeLink(work=20), FakeLink(work=20)
        scheduler.add(0, a, 1)
        scheduler.add(1, b, 1)
        async with trio.open_nursery() as nursery:
            for link in (1, 2, 3):
                nursery.start_soon(scheduler.execute, QueryAck(link))
        assert trio.current_time() < 0.2
        await trio.sleep(1)
    assert len(a.done) == len(b.done) == 20
    ended = [at for at, _ in sorted([*a.done, *b.done])]
    assert ended[-1] == pytest.approx(0.4)


async def test_a_link_that_is_due_later_is_asked_then_and_not_before() -> None:
    async with rig() as (scheduler, _):
        link = FakeLink(due_at=5.0)
        scheduler.add(0, link, 1)
        await trio.sleep(10)
    assert [at for at, _ in link.done] == [pytest.approx(5.010)]


async def test_a_kick_during_an_exchange_is_not_lost() -> None:
    async with rig() as (scheduler, _):
        link, other = FakeLink(work=1), FakeLink()
        scheduler.add(0, link, 1)
        scheduler.add(1, other, 1)
        await trio.sleep(0.005)
        other.work = 1
        scheduler.kick()
        await trio.sleep(1)
    assert [at for at, _ in other.done] == [pytest.approx(0.020)]


async def test_a_removed_link_gets_nothing_more() -> None:
    async with rig() as (scheduler, _):
        link = FakeLink(work=100)
        scheduler.add(0, link, 1)
        await trio.sleep(0.035)
        scheduler.remove(0)
        scheduler.remove(0)
        await trio.sleep(1)
    assert len(link.done) == 4


# the write hold


def test_two_busy_links_hold_nobody_else() -> None:
    hold = WriteHold()
    hold.note_busy(0, 1.0)
    hold.note_busy(1, 1.1)
    hold.note_busy(1, 1.15)
    assert hold.until == -inf


def test_three_busy_links_within_200_ms_hold_all_for_half_a_second() -> None:
    hold = WriteHold()
    for key, now in enumerate((1.0, 1.1, 1.2)):
        hold.note_busy(key, now)
    assert hold.until == pytest.approx(1.7)


def test_three_busy_links_further_apart_hold_nobody() -> None:
    hold = WriteHold()
    for key, now in enumerate((1.0, 1.15, 1.3)):
        hold.note_busy(key, now)
    assert hold.until == -inf


def test_busy_again_after_the_hold_doubles_it_up_to_two_seconds() -> None:
    hold = WriteHold()
    for key in range(3):
        hold.note_busy(key, 0.0)
    lengths = []
    for _ in range(4):
        now = hold.until
        hold.note_busy(0, now)
        lengths.append(hold.until - now)
    assert lengths == [1.0, 2.0, 2.0, 2.0]


def test_progress_ends_the_hold_and_its_history() -> None:
    hold = WriteHold()
    for key in range(3):
        hold.note_busy(key, 0.0)
    hold.note_progress()
    assert hold.until == -inf
    hold.note_busy(0, 0.05)
    assert hold.until == -inf
    hold.note_busy(1, 0.05)
    hold.note_busy(2, 0.05)
    assert hold.until == pytest.approx(0.55)

"""A far client that comes in under a number that is not done with: order by order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from modemproxy.journal import FarClientRefused

from .fake_module import Socket, words
from .pool_story import Story, Talk

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("autojump_clock")]


@asynccontextmanager
async def story(**ways: bool) -> AsyncIterator[Story]:
    """A pool on the few-line module; whatever happens, all is settled in the end."""
    async with trio.open_nursery() as nursery:
        played = Story(nursery)
        for name, value in ways.items():
            setattr(played.module, name, value)
        yield played
        await played.finish()
        nursery.cancel_scope.cancel()


def refusals(s: Story) -> list[str]:
    return [e.why for e in s.context.journal.events() if isinstance(e, FarClientRefused)]


def heard(s: Story, socket: Socket) -> bytes:
    """What the one who serves a far client has of it."""
    return b"".join(bytes(talk.heard) for talk in s.far if talk.port == socket.port)


async def connected(s: Story) -> Talk:
    """A client of ours, connected on 9."""
    talk = s.start_client()
    await s.pause(0.05)
    s.module.answer_open(9, 0)
    await s.pause(1)
    return talk


# the number is being opened


@pytest.mark.parametrize("at_s", [0.0, 0.002, 0.005, 0.007, 0.01, 0.02])
async def test_the_far_client_keeps_the_number_and_the_open_moves_on(at_s: float) -> None:
    """Before the command, in its midst, behind its OK."""
    async with story(takes_pending=True) as s:
        ours = s.start_client()
        await wait_all_tasks_blocked()
        await trio.sleep(at_s)
        socket = s.module.accept(9, 20000)
        await s.pause(1)
        assert heard(s, socket) == words(20000, 2)
        assert 8 in s.module.pending
        s.module.answer_open(8, 0)
        await s.pause(1)
        assert ours.link is not None
        assert ours.link.number == 8
        assert bytes(ours.heard) == words(ours.port, 1)


@pytest.mark.parametrize("err", [4, 10, 11, 1])
async def test_the_late_failure_of_the_open_is_nothing_to_the_far_client(err: int) -> None:
    async with story(takes_pending=True) as s:
        s.start_client()
        await s.pause(0.05)
        socket = s.module.accept(9, 20000)
        await s.pause(0.1)
        s.pool.note_opened(9, err)
        del s.module.pending[9]
        socket.speak(3)
        await s.pause(2)
        assert heard(s, socket) == words(20000, 5)
        assert s.far[0].end == ""


async def test_a_late_success_of_the_open_leaves_nobody_in_doubt() -> None:
    """Two sockets under one number: neither may have the other's bytes."""
    async with story(takes_pending=True) as s:
        s.start_client()
        await s.pause(0.05)
        s.module.accept(9, 20000)
        await s.pause(0.1)
        s.pool.note_opened(9, 0)
        await s.pause(0.1)
        assert s.far[0].end == "reset"


async def test_a_number_whose_open_may_still_come_up_is_not_used_before_it_has() -> None:
    async with story(takes_pending=True, refuses_early_close=True) as s:
        s.start_client()
        await s.pause(0.05)
        s.module.accept(9, 20000)
        await s.pause(0.1)
        s.module.far_close(9)
        await s.pause(5)
        assert 9 not in s.pool.numbers.free
        s.module.answer_open(9, 0)
        await s.pause(5)
        assert 9 in s.pool.numbers.free
        assert 9 not in s.module.sockets


# the number was a link's


@pytest.mark.parametrize("cipack", [True, False])
async def test_unread_bytes_of_the_last_connection_are_never_the_far_clients(
    cipack: bool,
) -> None:
    """Told apart by what the stack counts; where it does not count, the door stays shut."""
    async with story(keeps_stale=True, cipack=cipack) as s:
        ours = await connected(s)
        s.module.sockets[9].speak(500)
        s.module.far_close(9)
        socket = s.module.accept(9, 20000)
        await s.pause(3)
        assert ours.end == "reset"
        if cipack:
            assert heard(s, socket) == words(20000, 2)
            assert refusals(s) == []
        else:
            assert heard(s, socket) == b""
            [why] = refusals(s)
            assert "can not be told from its own" in why


async def test_a_link_that_had_ended_cleanly_still_does() -> None:
    async with story() as s:
        ours = await connected(s)
        s.module.far_close(9)
        await s.pause(1)
        socket = s.module.accept(9, 20000)
        await s.pause(1)
        assert ours.end == "clean"
        assert heard(s, socket) == words(20000, 2)
        ours.scope.cancel()  # its number is not its own any more
        await s.pause(1)
        socket.speak(5)
        await s.pause(2)
        assert heard(s, socket) == words(20000, 7)


async def test_an_end_nobody_heard_of_is_not_a_clean_one() -> None:
    async with story() as s:
        ours = await connected(s)
        s.module._gone(9)
        socket = s.module.accept(9, 20000)
        await s.pause(2)
        assert ours.end == "reset"
        assert heard(s, socket) == words(20000, 2)


# the result of the last send is late


@pytest.mark.parametrize("by", ["the far side", "its owner"])
async def test_a_number_is_not_used_again_before_the_result_of_a_send_has_come(by: str) -> None:
    async with story() as s:
        s.module.holds_results = True
        ours = await connected(s)
        if by == "the far side":
            s.module.far_close(9)
        ours.scope.cancel()
        await s.pause(8)
        assert 9 not in s.pool.numbers.free
        s.module.tell_results()
        await s.pause(0.1)
        assert 9 in s.pool.numbers.free


async def test_a_result_that_never_comes_is_not_waited_for_for_ever() -> None:
    async with story() as s:
        s.module.holds_results = True
        ours = await connected(s)
        ours.scope.cancel()
        await s.pause(13)
        assert 9 in s.pool.numbers.free


async def test_a_far_client_waits_for_the_result_that_is_not_its_own() -> None:
    async with story() as s:
        s.module.holds_results = True
        ours = await connected(s)
        s.module.far_close(9)
        ours.scope.cancel()
        await s.pause(1)
        socket = s.module.accept(9, 20000)
        await s.pause(5)
        assert heard(s, socket) == b""
        s.module.tell_results()
        await s.pause(1)
        assert heard(s, socket) == words(20000, 2)


# the number is in quarantine


@pytest.mark.parametrize("keeps_stale", [True, False])
@pytest.mark.parametrize("at_s", [0.004, 0.006, 0.011, 0.016, 0.021, 0.026])
async def test_one_that_comes_while_its_number_is_cleaned_is_whole_or_closed(
    keeps_stale: bool, at_s: float
) -> None:
    """A close of ours under way hits it; else it is let in, or refused: never a part of it."""
    async with story(keeps_stale=keeps_stale) as s:
        ours = await connected(s)
        s.module.sockets[9].speak(300)
        ours.scope.cancel()
        await trio.sleep(at_s)
        if 9 in s.module.sockets:
            s.module.far_close(9)
        socket = s.module.accept(9, 20000)
        await s.pause(5)
        if socket.state == "closed":
            assert heard(s, socket) == b""
            assert refusals(s) or at_s < s.module.step_s
        else:
            assert heard(s, socket) == words(20000, 2)


async def test_a_close_that_hits_the_far_client_is_no_loss_of_ours() -> None:
    """The close was asked for, the old one went by itself: the new one is hit, and gone."""
    async with story(slow_closes=True) as s:
        ours = await connected(s)
        ours.scope.cancel()
        await s.pause(0.1)
        s.module.far_close(9)
        s.module.accept(9, 20000)
        s.module.closing.add(9)
        await s.pause(0.1)
        s.module.finish_closes()
        await s.pause(10)
        assert s.far == []
        assert 9 in s.pool.numbers.free


async def test_one_whose_owner_the_module_does_not_tell_is_refused() -> None:
    async with story(lists=False) as s:
        ours = await connected(s)
        s.module.sockets[9].speak(300)
        ours.scope.cancel()
        await trio.sleep(0.006)
        s.module.accept(9, 20000)
        await s.pause(5)
        [why] = refusals(s)
        assert "does not say whose" in why
        assert 9 not in s.module.sockets


# nobody heard of it


async def test_what_an_unheard_one_left_is_not_the_next_ones() -> None:
    async with story(keeps_stale=True) as s:
        s.module.accept(9, 20000, told=False)
        await s.pause(1)
        s.module.far_close(9)
        await s.pause(1)
        ours = await connected(s)
        assert bytes(ours.heard) == words(ours.port, 1)


async def test_one_that_left_while_its_number_was_being_opened() -> None:
    async with story(keeps_stale=True) as s:
        s.module.accept(9, 20000, told=False)
        ours = s.start_client()
        await wait_all_tasks_blocked()
        s.module.far_close(9)
        await s.pause(1)
        number = next(iter(s.module.pending))
        s.module.answer_open(number, 0)
        await s.pause(1)
        assert bytes(ours.heard) == words(ours.port, 1)


async def test_an_unheard_one_is_found_with_all_its_bytes() -> None:
    async with story() as s:
        socket = s.module.accept(3, 20000, told=False)
        await s.sweep()
        await s.pause(1)
        assert heard(s, socket) == words(20000, 2)
        s.tell_late()
        await s.pause(1)
        assert len(s.far) == 1

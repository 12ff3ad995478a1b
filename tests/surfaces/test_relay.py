"""The relay's rules about ends, one by one, between two fakes (failures.md A5)."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from modemproxy.errors import LinkReset
from modemproxy.surfaces.relay import ClientVanished

from .fakes import scene

pytestmark = pytest.mark.timeout(20)


async def test_bytes_go_both_ways_and_are_counted(autojump_clock: MockClock) -> None:
    async with scene() as play:
        await play.client.program.send_all(b"question")
        play.far.say(b"ans")
        play.far.say(b"wer")
        assert await play.heard(6) == b"answer"
        await trio.testing.wait_all_tasks_blocked()
        assert bytes(play.far.sent) == b"question"
        assert (play.traffic.up, play.traffic.down) == (8, 6)
        assert not play.ended


async def test_a_far_close_is_passed_on_behind_the_last_byte_and_the_clients_fin_awaited(
    autojump_clock: MockClock,
) -> None:
    async with scene() as play:
        play.far.say(b"last words")
        play.far.close()
        assert await play.heard(10) == b"last words"
        assert await play.client.program.receive_some() == b""
        await trio.sleep(3)
        assert not play.ended
        await play.client.program.send_eof()
        assert await play.wait_clean() == 3
        assert play.traffic.end == "far side closed"


async def test_a_client_that_never_answers_a_fin_is_let_go_after_five_seconds(
    autojump_clock: MockClock,
) -> None:
    async with scene() as play:
        play.far.close()
        assert await play.wait_clean() == 5
        assert play.client.fin_sent


async def test_a_byte_behind_the_far_close_is_a_reset(autojump_clock: MockClock) -> None:
    async with scene() as play:
        play.far.close()
        await trio.sleep(1)
        await play.client.program.send_all(b"too late")
        assert await play.wait_reset(LinkReset, "sent more") < 2


async def test_what_the_far_side_said_before_it_closed_comes_before_the_reset(
    autojump_clock: MockClock,
) -> None:
    async with scene() as play:
        play.client.blocked = trio.Event()
        play.far.say(b"valid ")
        play.far.say(b"prefix")
        play.far.close()
        await play.client.program.send_all(b"can not be delivered")
        await trio.sleep(1)
        assert not play.ended
        play.client.blocked.set()
        await play.wait_reset(LinkReset, "sent more")
        assert await play.heard(12) == b"valid prefix"
        assert not play.client.fin_sent


async def test_a_client_that_has_finished_still_gets_its_answer(
    autojump_clock: MockClock,
) -> None:
    async with scene(half_close_s=30) as play:
        await play.client.program.send_all(b"request")
        await play.client.program.send_eof()
        await trio.sleep(25)
        play.far.say(b"slow ")
        await trio.sleep(25)
        play.far.say(b"answer")
        play.far.close()
        assert await play.heard(11) == b"slow answer"
        assert await play.wait_clean() == 50
        assert bytes(play.far.sent) == b"request"


async def test_an_answer_that_pauses_too_long_ends_the_connection_in_order(
    autojump_clock: MockClock,
) -> None:
    async with scene(half_close_s=30) as play:
        await play.client.program.send_all(b"request")
        await play.client.program.send_eof()
        await trio.sleep(20)
        play.far.say(b"part")
        assert await play.wait_clean() == pytest.approx(50, abs=1)


async def test_nothing_is_timed_before_the_request_is_delivered(
    autojump_clock: MockClock,
) -> None:
    async with scene(half_close_s=5) as play:
        play.far.delivered = trio.Event()
        await play.client.program.send_all(b"request")
        await play.client.program.send_eof()
        await trio.sleep(100)
        assert not play.ended
        play.far.delivered.set()
        assert await play.wait_clean() == pytest.approx(105, abs=1)


async def test_a_client_that_is_gone_altogether_gets_no_linger(
    autojump_clock: MockClock,
) -> None:
    async with scene(half_close_s=30) as play:
        await play.client.program.send_all(b"message")
        await play.client.program.send_eof()
        await trio.sleep(3.5)
        play.client.gone = True
        assert await play.wait_clean() <= 5
        assert bytes(play.far.sent) == b"message"


async def test_a_listener_may_take_a_fin_for_the_end(autojump_clock: MockClock) -> None:
    async with scene(close_on_fin=True) as play:
        play.far.delivered = trio.Event()
        await play.client.program.send_all(b"print job")
        await play.client.program.send_eof()
        await trio.sleep(10)
        assert not play.ended
        play.far.delivered.set()
        assert await play.wait_clean() == 10


async def test_a_broken_link_is_a_reset(autojump_clock: MockClock) -> None:
    async with scene() as play:
        play.far.say(b"valid")
        play.far.fail("the network went away")
        await play.wait_reset(trio.BrokenResourceError, "went away")
        assert await play.heard(5) == b"valid"
        assert not play.client.fin_sent


@pytest.mark.parametrize("finished", [True, False])
async def test_a_link_that_breaks_before_the_last_byte_is_delivered_is_a_reset(
    autojump_clock: MockClock, finished: bool
) -> None:
    async with scene() as play:
        play.far.delivered = trio.Event()
        await play.client.program.send_all(b"request")
        if finished:
            await play.client.program.send_eof()
        await trio.sleep(2)
        play.far.fail("unknown outcome")
        await play.wait_reset(trio.BrokenResourceError, "unknown outcome")


async def test_a_client_that_resets_ends_it_at_once(autojump_clock: MockClock) -> None:
    async with scene() as play:
        await trio.sleep(1)
        play.client.reset()
        assert await play.wait_reset(ClientVanished, "reset") == 1


async def test_a_client_that_resets_while_it_is_written_to_ends_it(
    autojump_clock: MockClock,
) -> None:
    async with scene() as play:
        await play.client.program.send_eof()
        await trio.sleep(1)
        play.client.reset()
        play.far.say(b"answer")
        assert await play.wait_reset(ClientVanished, "reset") == 1


async def test_a_client_that_has_reset_when_the_far_side_closes_is_no_clean_end(
    autojump_clock: MockClock,
) -> None:
    async with scene() as play:
        await play.client.program.send_eof()
        await trio.testing.wait_all_tasks_blocked()
        play.client.reset()
        play.far.say(b"x")
        play.far.close()
        await play.wait_reset(ClientVanished, "reset")


async def test_a_client_that_does_not_read_is_not_read_for(autojump_clock: MockClock) -> None:
    async with scene() as play:
        play.client.blocked = trio.Event()
        for _ in range(10):
            play.far.say(b"x" * 1460)
        await trio.sleep(100)
        assert play.far.reads == 1
        play.client.blocked.set()
        assert len(await play.heard(14600)) == 14600


async def test_an_idle_connection_ends_in_order_and_any_byte_keeps_it(
    autojump_clock: MockClock,
) -> None:
    async with scene(idle_timeout_s=20) as play:
        await trio.sleep(15)
        await play.client.program.send_all(b"up")
        await trio.sleep(15)
        play.far.say(b"down")
        await trio.sleep(15)
        assert not play.ended
        assert await play.wait_clean() == pytest.approx(50, abs=0.1)
        assert "idle" in play.traffic.end


async def test_an_idle_connection_with_undelivered_bytes_is_not_ended(
    autojump_clock: MockClock,
) -> None:
    async with scene(idle_timeout_s=20) as play:
        play.far.delivered = trio.Event()
        await play.client.program.send_all(b"up")
        await trio.sleep(100)
        assert not play.ended
        play.far.delivered.set()
        assert await play.wait_clean() == 100


async def test_the_first_end_is_the_one_that_counts(autojump_clock: MockClock) -> None:
    async with scene() as play:
        await play.client.program.send_eof()
        play.far.say(b"bye")
        play.far.close()
        assert await play.heard(3) == b"bye"
        assert await play.client.program.receive_some() == b""
        await play.wait_clean()


async def test_a_half_closed_client_that_reads_slowly_gets_all_of_its_answer(
    autojump_clock: MockClock,
) -> None:
    """The linger is for an answer that pauses, not for a reader that does."""
    async with scene(half_close_s=5) as play:
        play.client.blocked = trio.Event()
        await play.client.program.send_eof()
        play.far.say(b"first ")
        play.far.say(b"second")
        await trio.sleep(60)
        assert not play.ended
        play.client.blocked.set()
        assert await play.heard(12) == b"first second"
        await play.wait_clean()


async def test_ending_an_idle_connection_with_unread_bytes_is_a_reset(
    autojump_clock: MockClock,
) -> None:
    async with scene(idle_timeout_s=5) as play:
        play.client.blocked = trio.Event()
        play.far.say(b"never taken")
        await play.wait_reset(LinkReset, "not taken all")


async def test_taking_a_fin_for_the_end_with_unread_bytes_is_a_reset(
    autojump_clock: MockClock,
) -> None:
    async with scene(close_on_fin=True) as play:
        play.client.blocked = trio.Event()
        play.far.say(b"half of a file")
        await trio.testing.wait_all_tasks_blocked()
        await play.client.program.send_eof()
        await play.wait_reset(LinkReset, "not taken all")

"""One exchange: its bounds, its end, an answer that stops short."""

import pytest
import trio

from modemproxy.at.dte import Completed
from modemproxy.at.transfer import ReadData
from modemproxy.errors import LineClosed
from modemproxy.line.exchange import PAYLOAD_STALL_S

from .asking import DONE, OK, PROMPT, SEND, asker

pytestmark = [pytest.mark.usefixtures("autojump_clock"), pytest.mark.timeout(20)]

READ_HEADER = b"\r\n+CIPRXGET: 2,3,10,0\r\n"


async def test_an_answer_ends_the_wait() -> None:
    async with asker() as a:
        a.begin()
        a.later(2, lambda: a.hear(OK))
        assert await a.wait() == DONE
        assert a.took_s == pytest.approx(2)
        assert a.port.written == b"AT\r"


async def test_an_answer_that_was_there_before_the_wait_counts() -> None:
    async with asker() as a:
        a.begin()
        a.hear(OK)
        assert await a.wait() == DONE
        assert a.took_s == 0


async def test_the_answer_of_the_command_before_does_not_count() -> None:
    async with asker() as a:
        a.begin()
        a.hear(OK)
        await a.wait()
        a.begin(limit_s=3)
        assert await a.wait() is None
        assert a.took_s == pytest.approx(3)


@pytest.mark.parametrize("limit_s", [0.3, 9.0, 120.0])
async def test_no_answer_ends_the_wait_at_its_limit(limit_s: float) -> None:
    async with asker() as a:
        a.begin(limit_s=limit_s)
        assert await a.wait() is None
        assert a.took_s == pytest.approx(limit_s)


async def test_other_words_of_the_module_do_not_prolong_the_wait() -> None:
    async with asker() as a:
        a.begin(limit_s=5)
        for second in range(1, 5):
            a.later(second, lambda: a.hear(b"\r\n+CEREG: 1\r\n"))
        assert await a.wait() is None
        assert a.took_s == pytest.approx(5)


async def test_a_send_has_five_seconds_for_its_prompt_and_then_its_own_limit() -> None:
    async with asker() as a:
        a.begin(SEND, 18)
        assert await a.wait() is None
        assert a.took_s == pytest.approx(5)
    async with asker() as a:
        a.begin(SEND, 18)
        a.later(4, lambda: a.hear(PROMPT))
        assert await a.wait() is None
        assert a.took_s == pytest.approx(4 + 18)
        assert a.port.written == b"AT+CIPSEND=3,5\rhello"


async def test_a_module_that_was_late_has_more_time_for_its_prompt_for_a_minute() -> None:
    async with asker() as a:
        a.begin(limit_s=18)
        a.later(6, lambda: a.hear(OK))
        await a.wait()
        a.began = trio.current_time()
        a.begin(SEND, 18)
        assert await a.wait() is None
        assert a.took_s == pytest.approx(5 + 6)
        a.exchange.dte.abandon()
        await trio.sleep(60)
        a.begin()
        a.hear(OK)
        await a.wait()
        a.began = trio.current_time()
        a.begin(SEND, 18)
        assert await a.wait() is None
        assert a.took_s == pytest.approx(5)


async def test_a_wait_can_be_hastened_and_not_prolonged() -> None:
    async with asker() as a:
        a.begin(limit_s=9)
        a.exchange.hasten(a.began + 50)
        a.later(1, lambda: a.exchange.hasten(a.began + 2.5))
        assert await a.wait() is None
        assert a.took_s == pytest.approx(2.5)


async def test_haste_is_over_with_the_exchange() -> None:
    async with asker() as a:
        a.begin()
        a.exchange.hasten(a.began + 1)
        a.hear(OK)
        await a.wait()
        a.begin(limit_s=6)
        assert await a.wait() is None
        assert a.took_s == pytest.approx(6)


async def test_a_cancelled_caller_waits_for_the_end_all_the_same() -> None:
    async with asker() as a:
        a.begin()
        a.later(3, lambda: a.hear(OK))
        with trio.CancelScope() as scope:
            scope.cancel()
            assert await a.wait() == DONE
        assert a.took_s == pytest.approx(3)


# -- answers with a payload --


async def test_an_answer_that_stops_short_is_given_up_two_seconds_later() -> None:
    async with asker() as a:
        a.begin(ReadData(3, 10))
        a.later(1, lambda: a.hear(READ_HEADER + b"12345"))
        assert await a.wait() is None
        assert a.took_s == pytest.approx(1 + PAYLOAD_STALL_S)


async def test_an_answer_may_take_its_time_as_long_as_it_goes_on() -> None:
    async with asker() as a:
        a.begin(ReadData(3, 10), 30)
        a.hear(READ_HEADER)
        for index in range(10):
            a.later(1.5 * (index + 1), lambda: a.hear(b"x"))
        a.later(16, lambda: a.hear(OK))
        assert isinstance(await a.wait(), Completed)
        assert a.took_s == pytest.approx(16)


async def test_an_answer_that_goes_on_for_ever_ends_at_the_limit() -> None:
    async with asker() as a:
        a.begin(ReadData(3, 10), 4)
        a.hear(READ_HEADER)
        for index in range(6):
            a.later(index + 0.5, lambda: a.hear(b"x"))
        assert await a.wait() is None
        assert a.took_s == pytest.approx(4)


async def test_a_payload_that_stops_is_loss_though_bytes_of_ours_are_held() -> None:
    """The module has answered, so it was asked: no time is given, and none stands still."""
    async with asker() as a:
        a.port.unsent_bytes = 5
        a.begin(ReadData(3, 10))
        a.later(1, lambda: a.hear(READ_HEADER + b"12345"))
        assert await a.wait() is None
        assert a.took_s == pytest.approx(1 + PAYLOAD_STALL_S)


# -- the end of the line --


@pytest.mark.parametrize("room", [0, 10_000])
async def test_an_abort_ends_the_wait_at_once(room: int) -> None:
    async with asker() as a:
        a.port.room, a.port.stuck = room, trio.Event()
        a.begin()
        a.later(1, lambda: a.exchange.abort(LineClosed("the proxy is stopping")))
        with pytest.raises(LineClosed, match="stopping"):
            await a.wait()
        assert a.took_s == pytest.approx(1)


async def test_nothing_begins_on_a_line_that_has_ended() -> None:
    async with asker() as a:
        a.exchange.abort(LineClosed("unplugged"))
        with pytest.raises(LineClosed, match="unplugged"):
            a.begin()
        assert not a.port.written
        assert a.dte.in_flight is None


async def test_an_outcome_that_came_before_the_end_is_not_lost() -> None:
    async with asker() as a:
        a.begin()
        a.hear(OK)
        a.exchange.abort(LineClosed("unplugged"))
        assert await a.wait() == DONE


async def test_a_device_that_fails_at_the_first_byte_is_said_by_the_task() -> None:
    async with asker() as a:
        a.port.gone = True
        a.begin()
        with pytest.raises(LineClosed, match="the device failed: gone"):
            await a.wait()
        assert a.took_s == 0

"""Bytes of ours that do not leave: time that is given, and the end of patience."""

import pytest
import trio

from modemproxy.at.dte import Completed
from modemproxy.errors import WriteBlocked
from modemproxy.line.exchange import WRITE_LIMIT_S

from .asking import DONE, OK, PROMPT, SEND, asker

pytestmark = [pytest.mark.usefixtures("autojump_clock"), pytest.mark.timeout(20)]


async def test_bytes_that_stay_for_twelve_seconds_are_a_blocked_line() -> None:
    async with asker() as a:
        a.port.unsent_bytes = 3
        a.begin(limit_s=1)
        with pytest.raises(WriteBlocked, match="took no byte for 12 s"):
            await a.wait()
        assert WRITE_LIMIT_S <= a.took_s <= WRITE_LIMIT_S + 0.3


async def test_bytes_that_leave_late_begin_the_time_anew() -> None:
    async with asker() as a:
        a.port.unsent_bytes = 3
        a.begin(limit_s=2)
        a.later(7, a.left)
        assert await a.wait() is None
        assert 7 + 2 <= a.took_s <= 7 + 2 + 0.3


async def test_bytes_that_leave_late_may_be_answered() -> None:
    async with asker() as a:
        a.port.unsent_bytes = 3
        a.begin(limit_s=2)
        a.later(11, a.left)
        a.later(12.5, lambda: a.hear(OK))
        assert await a.wait() == DONE
        assert a.took_s == pytest.approx(12.5)


async def test_payload_that_leaves_late_begins_the_time_of_the_send_anew() -> None:
    async with asker() as a:
        a.begin(SEND, 8)

        def prompt() -> None:
            a.port.unsent_bytes = 5
            a.hear(PROMPT)

        a.later(1, prompt)
        a.later(10, a.left)
        assert await a.wait() is None
        assert 10 + 8 <= a.took_s <= 10 + 8 + 0.3


async def test_every_exchange_has_its_own_twelve_seconds() -> None:
    async with asker() as a:
        for _ in range(3):
            began = trio.current_time()
            a.port.unsent_bytes = 3
            a.begin(limit_s=1)
            a.later(10, a.left)
            a.later(10.5, lambda: a.hear(OK))
            assert await a.wait() == DONE
            assert trio.current_time() - began == pytest.approx(10.5)


async def test_what_the_kernel_does_not_take_at_once_is_written_by_the_task() -> None:
    async with asker() as a:
        a.port.room = 1
        a.begin()
        assert a.port.written == b"A"
        a.later(1, lambda: a.hear(OK))
        assert await a.wait() == DONE
        assert a.port.written == b"AT\r"
        assert a.exchange.bytes_out == 3


async def test_payload_that_the_kernel_does_not_take_is_written_by_the_task() -> None:
    async with asker() as a:
        a.begin(SEND, 8)

        def prompt() -> None:
            a.port.room = 2
            a.hear(PROMPT)

        a.later(3, prompt)
        a.later(4, lambda: a.hear(OK))
        assert isinstance(await a.wait(), Completed)
        assert a.port.written == b"AT+CIPSEND=3,5\rhello"


async def test_a_full_buffer_gives_the_time_back_when_it_is_empty() -> None:
    async with asker() as a:
        a.port.room, a.port.stuck = 0, trio.Event()
        a.begin(limit_s=2)
        a.later(9, a.port.stuck.set)
        assert await a.wait() is None
        assert a.took_s == pytest.approx(9 + 2)


async def test_a_buffer_that_stays_full_is_a_blocked_line() -> None:
    async with asker() as a:
        a.port.room, a.port.stuck = 0, trio.Event()
        a.begin(limit_s=2)
        with pytest.raises(WriteBlocked):
            await a.wait()
        assert a.took_s == pytest.approx(WRITE_LIMIT_S)

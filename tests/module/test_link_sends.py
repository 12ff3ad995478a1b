"""What becomes of a send: never a byte twice, never on a guess, never stuck for nothing."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.output import Piece
from modemproxy.module.link import Link

from .rig import HOSTILE, Far, Rig, exchange, rig

pytestmark = pytest.mark.timeout(20)

CHUNK = 1460
BULK = (HOSTILE * 60)[:20000]
OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
BUSY = b"\r\n+CIPERROR: 8\r\n"

Tap = Callable[[Piece, bytes], bytes]


def replacing(what: bytes, by: bytes, times: int = 1) -> Tap:
    """Make a tap that replaces pieces which contain ``what``, that many times."""
    left = times

    def tap(piece: Piece, data: bytes) -> bytes:
        nonlocal left
        if what in data and left:
            left -= 1
            return by
        return data

    return tap


async def send_out(link: Link, data: bytes) -> None:
    """Send, and wait until it is with the far side."""
    await link.send_all(data)
    await link.wait_delivered()


async def assert_reset(link: Link, data: bytes, match: str | None = None) -> None:
    """Send; the link must break for it."""
    with pytest.raises(trio.BrokenResourceError, match=match):
        await send_out(link, data)


class Refuser:
    """Refuses CIPSEND commands of one link on their way into the module.

    The command is changed into one that gets an ERROR and has no effect.
    """

    def __init__(self, r: Rig, number: int, times: float) -> None:
        self.left = times
        self.seen = 0
        self._command = b"AT+CIPSEND=%d," % number
        r.module.dce.input.tap = self

    def __call__(self, data: bytes) -> bytes:
        if data.startswith(self._command) and self.left:
            self.left -= 1
            self.seen += 1
            return b"AT+CIPSEND=99,1\r"
        return data


async def test_sends_arrive_once_and_in_order(autojump_clock: MockClock) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            for size in (1, 2, 3, 1459, 1460, 1461, 2921, 5000):
                await link.send_all(BULK[:size])
            await link.wait_delivered()
        await r.settle()
        want = b"".join(BULK[:size] for size in (1, 2, 3, 1459, 1460, 1461, 2921, 5000))
        assert bytes(sink.received[0]) == want
        assert sink.ended == [True]


@pytest.mark.parametrize("count", [0, 1, 700, 1459])
async def test_the_tail_of_a_short_confirm_is_sent_once_where_cipack_proves_it(
    autojump_clock: MockClock, count: int
) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            await send_out(link, b"before")
            r.module.confirm_next(count)
            await send_out(link, BULK[:5000])
            assert link.reset is None
        await r.settle()
        assert bytes(sink.received[0]) == b"before" + BULK[:5000]


@pytest.mark.parametrize("count", [0, 700])
async def test_a_short_confirm_that_cipack_disproves_is_a_reset(
    autojump_clock: MockClock, count: int
) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            said = b"+CIPSEND: 9,1460,%d" % count
            r.module.dce.out.tap = replacing(b"+CIPSEND: 9,1460,1460", b"\r\n" + said + b"\r\n")
            await assert_reset(link, BULK[:5000], "CIPACK")
        await r.settle()
        assert bytes(sink.received[0]) == BULK[:1460]


async def test_a_short_confirm_without_cipack_is_a_reset(autojump_clock: MockClock) -> None:
    async with rig(cipack=False) as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            r.module.confirm_next(700)
            await assert_reset(link, BULK[:5000])
        await r.settle()
        assert bytes(sink.received[0]) == BULK[:700]


async def test_confirmed_minus_one_is_a_reset(autojump_clock: MockClock) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link, r.link() as other:
            r.module.confirm_next(-1)
            with trio.fail_after(1):
                await assert_reset(link, BULK[:5000], "-1")
            assert await exchange(other, HOSTILE) == HOSTILE
        await r.settle()
        assert bytes(sink.received[0]) == b""


async def test_an_error_instead_of_the_prompt_is_forgiven_once(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            refuser = Refuser(r, 9, 1)
            with trio.fail_after(3):
                await send_out(link, BULK[:5000])
            assert refuser.seen == 1
        await r.settle()
        assert bytes(sink.received[0]) == BULK[:5000]


async def test_three_errors_instead_of_the_prompt_are_a_reset(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link, r.link() as other:
            refuser = Refuser(r, 9, 3)
            with trio.fail_after(3):
                await assert_reset(link, BULK[:5000], "cannot send")
            assert refuser.seen == 3
            assert await exchange(other, HOSTILE) == HOSTILE
        await r.settle()
        assert bytes(sink.received[0]) == b""


@pytest.mark.parametrize("sent", [True, False])
async def test_an_error_behind_the_payload_is_a_reset_whatever_was_sent(
    autojump_clock: MockClock, sent: bool
) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link:

            def tap(piece: Piece, data: bytes) -> bytes:
                if b"+CIPSEND: 9," in data:
                    return b""
                return ERROR if data == OK else data

            if not sent:
                r.module.confirm_next(0)
            payload = b"p" * 100

            def arm(data: bytes) -> bytes:
                if data == payload:
                    r.module.dce.out.tap = tap
                return data

            r.module.dce.input.tap = arm
            with trio.fail_after(1):
                await assert_reset(link, payload, "unknown")
            r.module.dce.input.tap = r.module.dce.out.tap = None
        await r.settle()
        assert bytes(sink.received[0]) == (payload if sent else b"")


@pytest.mark.parametrize("words", [False, True])
async def test_a_result_ten_seconds_late_is_waited_for(
    autojump_clock: MockClock, words: bool
) -> None:
    async with rig(send_result_delay_s=10, cipack=words) as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            with trio.fail_after(45):
                await send_out(link, BULK[:4000])
        await r.settle()
        assert bytes(sink.received[0]) == BULK[:4000]


async def test_answers_are_read_while_a_result_is_late(autojump_clock: MockClock) -> None:
    async with rig(send_result_delay_s=10) as r, r.link() as link:
        await link.send_all(b"question")
        with trio.fail_after(1):
            assert await link.receive_some() == b"question"


async def test_lost_data_reports_are_polled_for_while_a_result_is_late(
    autojump_clock: MockClock,
) -> None:
    async with rig(send_result_delay_s=10, data_urcs="none") as r, r.link() as link:
        await link.send_all(b"question")
        with trio.fail_after(1):
            assert await link.receive_some() == b"question"


async def test_a_lost_result_is_settled_by_cipack(autojump_clock: MockClock) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            await send_out(link, b"before")
            r.module.dce.out.tap = replacing(b"+CIPSEND: 9,", b"")
            with trio.fail_after(20):
                await send_out(link, BULK[:4000])
            assert link.reset is None
        await r.settle()
        assert bytes(sink.received[0]) == b"before" + BULK[:4000]


@pytest.mark.parametrize("cipack", [True, False])
async def test_a_lost_result_without_proof_is_a_reset_and_never_sent_again(
    autojump_clock: MockClock, cipack: bool
) -> None:
    async with rig(cipack=cipack) as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            if cipack:  # the module took only a part, and its word on that is lost
                r.module.confirm_next(700)
            r.module.dce.out.tap = replacing(b"+CIPSEND: 9,", b"")
            with trio.fail_after(25):
                await assert_reset(link, BULK[:4000], "unknown")
        await r.settle()
        assert bytes(sink.received[0]) == BULK[: 700 if cipack else 1460]


async def test_the_first_of_two_verdicts_wins(autojump_clock: MockClock) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            both = b"\r\n+CIPSEND: 9,1460,-1\r\n\r\n+CIPSEND: 9,1460,1460\r\n"
            r.module.dce.out.tap = replacing(b"+CIPSEND: 9,1460,1460", both)
            await assert_reset(link, BULK[:4000], "-1")
        await r.settle()
        assert bytes(sink.received[0]) == BULK[:1460]


async def test_thirty_percent_busy_costs_time_only(autojump_clock: MockClock) -> None:
    async with rig(seed=7) as r:
        count = 0

        def tap(data: bytes) -> bytes:
            nonlocal count
            if data.startswith(b"AT+CIPSEND="):
                count += 1
                if count % 10 in (2, 5, 6):
                    r.module.dce.out.tap = replacing(b"+CIPERROR: 3", BUSY)
                    return b"AT+CIPSEND=99,1\r"
            return data

        r.module.dce.input.tap = tap
        async with r.link() as link:
            assert await exchange(link, BULK) == BULK
        await r.settle()
        assert count > 15


async def test_a_link_that_is_busy_for_20_s_holds_up_itself_only(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        sink = r.sink()
        busy = True

        def tap(data: bytes) -> bytes:
            if busy and data.startswith(b"AT+CIPSEND=9,"):
                r.module.dce.out.tap = replacing(b"+CIPERROR: 3", BUSY)
                return b"AT+CIPSEND=99,1\r"
            return data

        r.module.dce.input.tap = tap
        async with r.link(port=9) as held, r.link() as other, trio.open_nursery() as nursery:
            nursery.start_soon(held.send_all, BULK[:6000])
            for _ in range(20):
                started = trio.current_time()
                assert await exchange(other, HOSTILE) == HOSTILE
                assert trio.current_time() - started < 0.5
                await trio.sleep_until(started + 1)
            assert held.reset is None
            busy = False
            with trio.fail_after(5):
                await held.wait_delivered()
        await r.settle()
        assert bytes(sink.received[0]) == BULK[:6000]


async def test_a_link_that_is_busy_for_ever_is_reset_after_its_stall_limit(
    autojump_clock: MockClock,
) -> None:
    async with rig(stall_s=25) as r:
        r.sink()

        def tap(data: bytes) -> bytes:
            if data.startswith(b"AT+CIPSEND=9,"):
                r.module.dce.out.tap = replacing(b"+CIPERROR: 3", BUSY)
                return b"AT+CIPSEND=99,1\r"
            return data

        r.module.dce.input.tap = tap
        async with r.link(port=9) as link:
            with trio.fail_after(35):
                await assert_reset(link, BULK[:6000], "no progress for 25 s")
            assert trio.current_time() > 25


async def test_a_far_side_that_stops_reading_is_healthy_until_the_stall_limit(
    autojump_clock: MockClock,
) -> None:
    async with rig(window_bytes=2000, send_buffer_bytes=4000, stall_s=300) as r:
        go = trio.Event()
        got = bytearray()

        async def handler(stream: object) -> None:
            await go.wait()
            async for data in stream:  # type: ignore[attr-defined]
                got.extend(data)

        r.listen(handler, 80)
        async with r.link(port=80) as slow, r.link() as other, trio.open_nursery() as nursery:
            nursery.start_soon(slow.send_all, BULK)
            await trio.sleep(200)
            assert await exchange(other, HOSTILE) == HOSTILE
            assert slow.reset is None
            go.set()
            with trio.fail_after(30):
                while slow.outbound.queue:
                    await trio.sleep(0.1)
                await slow.wait_delivered()
        await r.settle()
        assert bytes(got) == BULK


async def test_all_links_busy_for_20_s_lose_nothing_and_go_on_reading(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        busy = True

        def tap(data: bytes) -> bytes:
            if busy and data.startswith(b"AT+CIPSEND="):
                r.module.dce.out.tap = replacing(b"+CIPERROR: 3", BUSY)
                return b"AT+CIPSEND=99,1\r"
            return data

        talker = Far()

        async def speak(stream: object) -> None:
            await talker.read_to_end(stream)  # type: ignore[arg-type]

        r.listen(speak, 81)
        results: list[bool] = []

        async def one() -> None:
            async with r.link() as link:
                results.append(await exchange(link, HOSTILE * 4) == HOSTILE * 4)

        async with r.link(port=81) as reader, trio.open_nursery() as nursery:
            r.module.dce.input.tap = tap
            for _ in range(5):
                nursery.start_soon(one)
            await trio.sleep(19)
            await talker.streams[0].send_all(b"news")
            with trio.fail_after(1):
                assert await reader.receive_some() == b"news"
            busy = False
        assert results == [True] * 5


async def test_a_prompt_four_seconds_late_is_waited_for(autojump_clock: MockClock) -> None:
    async with rig(prompt_latency_s=4) as r, r.link() as link:
        assert await exchange(link, b"hello") == b"hello"


async def test_a_send_command_that_was_lost_is_repeated(autojump_clock: MockClock) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            lost = 0

            def tap(data: bytes) -> bytes:
                nonlocal lost
                if data.startswith(b"AT+CIPSEND=9,") and not lost:
                    lost += 1
                    return b""
                return data

            r.module.dce.input.tap = tap
            with trio.fail_after(7):
                await send_out(link, b"payload of some length")
            assert lost == 1
        await r.settle()
        assert bytes(sink.received[0]) == b"payload of some length"


async def test_a_prompt_that_never_comes_is_reset_on_the_third_time(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link, r.link() as other:
            r.module.dce.input.tap = lambda data: b"" if b"+CIPSEND=9," in data else data
            with trio.fail_after(20):
                await assert_reset(link, b"payload of some length", "cannot send")
            assert await exchange(other, HOSTILE) == HOSTILE
        await r.settle()
        assert bytes(sink.received[0]) == b""


@pytest.mark.parametrize("size", [1, 3, 4, 500])
async def test_a_prompt_that_got_lost_never_makes_a_probe_reach_the_far_side(
    autojump_clock: MockClock, size: int
) -> None:
    async with rig(complaints=True) as r:
        sink = r.sink()
        async with r.link(port=9) as link, r.link() as other:

            def tap(piece: Piece, data: bytes) -> bytes:
                return b"" if piece is Piece.PROMPT else data

            r.module.dce.out.tap = tap
            with trio.fail_after(60):
                await assert_reset(link, b"p" * size)
            r.module.dce.out.tap = None
            assert await exchange(other, HOSTILE) == HOSTILE
        await r.settle()
        assert bytes(sink.received[0]) == b""


@pytest.mark.parametrize("lost", [1, 50, 499])
async def test_payload_bytes_lost_towards_the_module_reset_the_link_and_reach_nobody(
    autojump_clock: MockClock, lost: int
) -> None:
    async with rig(complaints=True) as r:
        sink = r.sink()
        async with r.link(port=9) as link, r.link() as other:
            r.module.dce.input.tap = lambda data: data[lost:] if data == b"p" * 500 else data
            with trio.fail_after(60):
                await assert_reset(link, b"p" * 500, "unknown")
            assert await exchange(other, HOSTILE) == HOSTILE
        await r.settle()
        assert bytes(sink.received[0]) == b""


async def test_a_full_send_buffer_is_never_filled_twice(autojump_clock: MockClock) -> None:
    async with rig(send_buffer_bytes=3000, wan_latency_s=0.3, wan_rate_bytes_s=20000) as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            await send_out(link, BULK)
        await r.settle()
        assert bytes(sink.received[0]) == BULK


async def test_a_network_that_is_closed_under_a_send_ends_the_session(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        r.sink()
        async with r.link(port=9) as link:
            r.module.lose_network(urc=False)
            with trio.fail_after(2):
                await assert_reset(link, b"hello", "closed")
            await r.ended.wait()
            assert "network" in str(r.failure)

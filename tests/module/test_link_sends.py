"""What becomes of a send: never a byte twice, never on a guess, never stuck for nothing."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.output import Piece

from .rig import HOSTILE, exchange, rig
from .sends import BULK, ERROR, OK, LateResult, Refuser, assert_reset, replacing, send_out

pytestmark = pytest.mark.timeout(20)


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


async def test_a_late_result_is_not_that_of_a_send_whose_prompt_is_lost(
    autojump_clock: MockClock,
) -> None:
    """CIPACK had settled the first; nothing of the second has gone out."""
    async with rig(complaints=True) as r:  # AT in data entry, which is R1
        sink = r.sink()
        async with r.link(port=9) as link:
            late = LateResult(r, b"\r\n>", instead=True)
            with trio.fail_after(60):
                await assert_reset(link, BULK[:2920])
        await r.settle()
        assert late.came
        assert bytes(sink.received[0]) == BULK[:1460]


@pytest.mark.parametrize("size", [1460, 100])
@pytest.mark.parametrize("beside", [b"\r\n>", b"\r\n+CIPSEND: 9,"])
async def test_a_late_result_beside_another_send_costs_neither_bytes_nor_the_link(
    autojump_clock: MockClock, size: int, beside: bytes
) -> None:
    async with rig(send_result_delay_s=0.1) as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            late = LateResult(r, beside)
            with trio.fail_after(60):
                await send_out(link, BULK[: 1460 + size])
                await send_out(link, b"and more")
            assert late.came
            assert link.reset is None
        await r.settle()
        assert bytes(sink.received[0]) == BULK[: 1460 + size] + b"and more"


async def test_the_first_of_two_verdicts_wins(autojump_clock: MockClock) -> None:
    async with rig() as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            both = b"\r\n+CIPSEND: 9,1460,-1\r\n\r\n+CIPSEND: 9,1460,1460\r\n"
            r.module.dce.out.tap = replacing(b"+CIPSEND: 9,1460,1460", both)
            await assert_reset(link, BULK[:4000], "-1")
        await r.settle()
        assert bytes(sink.received[0]) == BULK[:1460]

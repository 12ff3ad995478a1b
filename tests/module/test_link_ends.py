"""How a link ends: FIN is earned, anything else is a reset, and no byte is forgotten."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream
from modemproxy.errors import LinkReset

from .ends import BULK, speaker
from .rig import HOSTILE, exchange, read_all, rig

pytestmark = pytest.mark.timeout(20)


async def test_a_far_side_that_closes_behind_20_kb_is_read_to_its_last_byte_100_times(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        speaker(r, BULK)
        for _ in range(100):
            async with r.link(port=80) as link:
                assert await read_all(link) == BULK
                assert await link.receive_some() == b""
                assert link.reset is None
        await r.settle()


@pytest.mark.parametrize("urc", [True, False])
async def test_the_second_stage_behind_a_close_is_not_lost(
    autojump_clock: MockClock, urc: bool
) -> None:
    async with rig(second_stage_bytes=62000, second_stage_urc=urc) as r:
        speaker(r, BULK)
        async with r.link(port=80) as link:
            assert await read_all(link) == BULK


async def test_an_answer_with_connection_close_ends_cleanly(
    autojump_clock: MockClock,
) -> None:
    async with rig(wan_latency_s=0.1) as r:
        heard = speaker(r, b"HTTP/1.1 200 OK\r\n\r\n" + BULK, wait_for=18)
        async with r.link(port=80) as link:
            await link.send_all(b"GET / HTTP/1.1\r\n\r\n")
            assert (await read_all(link)).endswith(BULK)
        assert heard == [b"GET / HTTP/1.1\r\n\r\n"]


async def test_a_close_without_a_word_ends_cleanly(autojump_clock: MockClock) -> None:
    async with rig() as r:
        speaker(r, b"")
        async with r.link(port=80) as link:
            assert await read_all(link) == b""
            with pytest.raises(trio.BrokenResourceError):
                await link.send_all(b"too late")


async def test_a_module_that_discards_unread_bytes_means_a_reset(
    autojump_clock: MockClock,
) -> None:
    async with rig(keep_data_after_close=False, command_latency_s=0.05) as r:
        speaker(r, BULK)
        async with r.link(port=80) as link:
            with trio.fail_after(2), pytest.raises(trio.BrokenResourceError) as caught:
                await read_all(link)
            assert isinstance(caught.value.__cause__, LinkReset)
            assert "announced" in caught.value.__cause__.reason


async def test_bytes_that_arrived_before_a_reset_can_still_be_read(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        speaker(r, b"first words")
        async with r.link(port=80) as link:
            await trio.sleep(1)
            link.fail("by hand")
            assert await link.receive_some() == b"first words"
            with pytest.raises(trio.BrokenResourceError, match="by hand"):
                await link.receive_some()


async def test_a_far_reset_that_takes_its_data_along_is_a_reset(
    autojump_clock: MockClock,
) -> None:
    async with rig(reset_discards_data=True, command_latency_s=0.05) as r:

        async def handler(stream: FarStream) -> None:
            await stream.send_all(BULK)
            stream.reset()

        r.listen(handler, 80)
        async with r.link(port=80) as link:
            with pytest.raises(trio.BrokenResourceError):
                await read_all(link)


async def test_a_lost_close_report_is_found_by_the_sweep(autojump_clock: MockClock) -> None:
    async with rig(close_urc_loss=1.0) as r:
        speaker(r, BULK)
        async with r.link(port=80) as link:
            with trio.fail_after(15):
                assert await read_all(link) == BULK


async def test_a_lost_close_report_in_the_middle_of_idling_is_found_in_time(
    autojump_clock: MockClock,
) -> None:
    async with rig(close_urc_loss=1.0) as r:
        closing = trio.Event()

        async def handler(stream: FarStream) -> None:
            await closing.wait()

        r.listen(handler, 80)
        async with r.link(port=80) as link:
            await trio.sleep(333)
            closing.set()
            with trio.fail_after(15):
                assert await link.receive_some() == b""


@pytest.mark.parametrize("reason", [0, 2])
async def test_a_close_for_another_reason_than_the_far_sides_is_a_reset(
    autojump_clock: MockClock, reason: int
) -> None:
    async with rig() as r, r.link() as link:
        assert await exchange(link, b"hello") == b"hello"
        r.module.inject(b"\r\n+IPCLOSE: 9,%d\r\n" % reason)
        r.module.dce.stack.close(9)
        with trio.fail_after(1), pytest.raises(trio.BrokenResourceError, match="closed"):
            await link.receive_some()


async def test_a_far_close_with_our_bytes_queued_is_a_reset_behind_the_last_valid_byte(
    autojump_clock: MockClock,
) -> None:
    async with rig(wan_latency_s=0.3, send_buffer_bytes=2000) as r:

        async def handler(stream: FarStream) -> None:
            await stream.send_all(b"goodbye")

        r.listen(handler, 80)
        async with r.link(port=80) as link, trio.open_nursery() as nursery:

            async def send() -> None:
                with pytest.raises(trio.BrokenResourceError):
                    await link.send_all(b"x" * 10000)

            nursery.start_soon(send)
            assert await link.receive_some() == b"goodbye"
            with pytest.raises(trio.BrokenResourceError, match="queued"):
                await link.receive_some()


async def test_a_far_close_with_our_bytes_unacknowledged_is_a_reset(
    autojump_clock: MockClock,
) -> None:
    async with rig(window_bytes=1000) as r:
        closing = trio.Event()

        async def handler(stream: FarStream) -> None:
            await closing.wait()

        r.listen(handler, 80)
        async with r.link(port=80) as link:
            await link.send_all(b"x" * 1400)  # 1000 of them are acknowledged
            await trio.sleep(5)
            closing.set()
            with pytest.raises(trio.BrokenResourceError, match="everything"):
                await link.receive_some()


async def test_without_cipack_an_end_behind_an_unanswered_send_is_a_reset(
    autojump_clock: MockClock,
) -> None:
    async with rig(cipack=False) as r:
        speaker(r, b"", wait_for=5)
        async with r.link(port=80) as link:
            await link.send_all(b"hello")
            with pytest.raises(trio.BrokenResourceError, match="may not have taken"):
                await link.receive_some()


async def test_without_cipack_an_answer_behind_the_last_send_is_a_clean_end(
    autojump_clock: MockClock,
) -> None:
    async with rig(cipack=False, wan_latency_s=0.05) as r:
        speaker(r, b"answer", wait_for=5)
        async with r.link(port=80) as link:
            await link.send_all(b"hello")
            assert await read_all(link) == b"answer"


async def test_a_far_close_inside_our_own_send_is_a_reset(autojump_clock: MockClock) -> None:
    async with rig(prompt_latency_s=0.5) as r:
        sink = r.sink(80)
        async with r.link(port=80) as link:
            await link.send_all(b"x" * 100)
            await trio.sleep(0.3)  # between the command and its prompt
            await sink.streams[0].send_eof()
            with trio.fail_after(2), pytest.raises(trio.BrokenResourceError):
                await read_all(link)
        assert bytes(sink.received[0]) in (b"", b"x" * 100)


async def test_a_far_close_inside_anothers_send_changes_nothing_for_that(
    autojump_clock: MockClock,
) -> None:
    async with rig(prompt_latency_s=0.5) as r:
        sink = r.sink(80)
        async with r.link() as link, r.link(port=80) as other:
            async with trio.open_nursery() as nursery:

                async def close_other() -> None:
                    await trio.sleep(0.3)
                    await sink.streams[0].send_eof()
                    assert await other.receive_some() == b""

                nursery.start_soon(close_other)
                assert await exchange(link, HOSTILE) == HOSTILE
            assert link.reset is None


async def test_a_link_can_be_closed_twice_and_says_so(autojump_clock: MockClock) -> None:
    async with rig() as r:
        async with r.link() as link:
            await link.aclose()
            await link.aclose()
            with pytest.raises(trio.ClosedResourceError):
                await link.receive_some()
            with pytest.raises(trio.ClosedResourceError):
                await link.send_all(b"x")
        await r.settle()
        assert r.module.commands["+CIPCLOSE"] >= 1


async def test_closing_wakes_whoever_waits(autojump_clock: MockClock) -> None:
    async with rig() as r, r.link() as link, trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await link.receive_some()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await link.aclose()


async def test_unread_bytes_in_front_of_the_end_are_kept(autojump_clock: MockClock) -> None:
    async with rig() as r:
        speaker(r, BULK)
        async with r.link(port=80) as link:
            await trio.sleep(100)  # the inbox is full, the rest waits in the module
            assert link.inbound.held <= 3000
            assert await read_all(link) == BULK


async def test_a_full_inbox_is_not_read_into_and_stops_nobody_else(
    autojump_clock: MockClock,
) -> None:
    async with rig(receive_buffer_bytes=5000) as r:
        speaker(r, BULK)
        async with r.link(port=80) as slow, r.link() as quick:
            await trio.sleep(5)
            said: list[bytes] = []
            r.module.trace = lambda way, data: said.append(data)
            await trio.sleep(60)
            assert not any(b"AT+CIPRXGET=2,%d," % slow.number in data for data in said)
            for _ in range(5):
                assert await exchange(quick, HOSTILE) == HOSTILE
            assert slow.inbound.held <= 3000
            assert await read_all(slow) == BULK

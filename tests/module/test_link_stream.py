"""A link keeps the promises of a trio stream."""

from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock, check_two_way_stream

from modemproxy.emulator.far_stream import FarStream
from modemproxy.module.link import Link

from .rig import HOSTILE, Rig, exchange, rig

pytestmark = pytest.mark.timeout(20)


class Bridge:
    """A far host that joins each two connections to its two ports."""

    def __init__(self, r: Rig) -> None:
        r.listen(self._first, 1)
        r.listen(self._second, 2)
        self._meet, self._met = trio.open_memory_channel[tuple[FarStream, trio.Event]](10)

    async def _first(self, stream: FarStream) -> None:
        done = trio.Event()
        await self._meet.send((stream, done))
        await done.wait()

    async def _second(self, stream: FarStream) -> None:
        other, done = await self._met.receive()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pipe, stream, other)
                nursery.start_soon(self._pipe, other, stream)
        finally:
            done.set()

    async def _pipe(self, source: FarStream, target: FarStream) -> None:
        try:
            async for data in source:
                await target.send_all(data)
            await trio.sleep(2)  # so that the other link knows what became of its bytes
            await target.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            source.reset()


async def test_a_link_is_a_trio_stream(autojump_clock: MockClock) -> None:
    async with rig(limit_s=590) as r:
        Bridge(r)
        async with AsyncExitStack() as stack:

            async def pair() -> tuple[Link, Link]:
                one = await stack.enter_async_context(r.link(port=1))
                two = await stack.enter_async_context(r.link(port=2))
                return one, two

            await check_two_way_stream(pair, None)


async def test_a_second_sender_or_receiver_is_told_at_once(autojump_clock: MockClock) -> None:
    async with rig(window_bytes=1000, send_buffer_bytes=2000) as r:

        async def silent(stream: FarStream) -> None:
            await trio.sleep_forever()

        r.listen(silent, 80)
        async with r.link(port=80) as link, trio.open_nursery() as nursery:
            nursery.start_soon(link.receive_some)
            nursery.start_soon(link.send_all, b"x" * 20000)
            await trio.sleep(1)
            with pytest.raises(trio.BusyResourceError):
                await link.receive_some()
            with pytest.raises(trio.BusyResourceError):
                await link.send_all(b"y")
            with pytest.raises(trio.BusyResourceError):
                await link.wait_send_all_might_not_block()
            nursery.cancel_scope.cancel()


async def test_a_cancelled_wait_leaves_the_link_usable(autojump_clock: MockClock) -> None:
    async with rig() as r, r.link() as link:
        for _ in range(5):
            with trio.move_on_after(0.5):
                await link.receive_some()
            assert await exchange(link, HOSTILE) == HOSTILE


async def test_reads_may_be_small(autojump_clock: MockClock) -> None:
    async with rig() as r, r.link() as link:
        await link.send_all(HOSTILE)
        got = b""
        while len(got) < len(HOSTILE):
            piece = await link.receive_some(7)
            assert 1 <= len(piece) <= 7
            got += piece
        assert got == HOSTILE
        with pytest.raises(ValueError, match="at least 1"):
            await link.receive_some(0)


async def test_sending_waits_while_two_chunks_are_queued(autojump_clock: MockClock) -> None:
    async with rig(window_bytes=1000, send_buffer_bytes=2000) as r:

        async def silent(stream: FarStream) -> None:
            await trio.sleep_forever()

        r.listen(silent, 80)
        async with r.link(port=80) as link:
            with trio.move_on_after(20) as scope:
                await link.send_all(b"x" * 20000)
            assert scope.cancelled_caught
            assert len(link.outbound.queue) <= 2920
            with trio.move_on_after(20) as scope:
                await link.wait_send_all_might_not_block()
            assert scope.cancelled_caught


async def test_an_idle_link_costs_next_to_nothing(autojump_clock: MockClock) -> None:
    async with rig() as r, r.link() as link:
        assert await exchange(link, HOSTILE) == HOSTILE
        await trio.sleep(60)
        before = r.module.commands.total()
        await trio.sleep(400)
        most = 400 / 30 + 400 / 10 + 400 / 30 + 400 / 60 + 5
        assert r.module.commands.total() - before <= most

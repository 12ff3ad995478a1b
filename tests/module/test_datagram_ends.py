"""What ends a datagram link, and what is left of it."""

import pytest
import trio
from trio.testing import MockClock

from .datagram_bench import echo_udp, far_udp, udp
from .rig import rig

pytestmark = pytest.mark.timeout(30)


async def test_a_socket_that_the_module_gives_up_breaks_the_link_behind_what_was_read(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        echo_udp(r)
        async with udp(r) as link:
            await link.send(b"last")
            await trio.sleep(0.3)
            r.module.dce.stack.close(link.number)
            r.module.dce.out.urc(f"+IPCLOSE: {link.number},2")
            await trio.sleep(0.1)
            assert await link.receive() == b"last"
            with pytest.raises(trio.BrokenResourceError, match="closed its socket"):
                await link.receive()
            with pytest.raises(trio.BrokenResourceError):
                await link.send(b"more")
        await r.settle()


async def test_the_end_of_the_session_breaks_the_link(autojump_clock: MockClock) -> None:
    async with rig() as r:
        echo_udp(r)
        async with udp(r) as link:
            r.module.dce.stack.lose(urc=True)
            with trio.fail_after(1), pytest.raises(trio.BrokenResourceError):
                await link.receive()


async def test_a_dead_socket_without_a_word_is_found_by_the_next_send(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        far_udp(r)
        async with udp(r, "203.0.113.1") as link:
            r.module.dce.stack.close(link.number)
            await link.send(b"a")
            with (
                trio.fail_after(1),
                pytest.raises(trio.BrokenResourceError, match="cannot send"),
            ):
                await link.receive()


async def test_closing_is_at_once_and_tells_both_users(autojump_clock: MockClock) -> None:
    async with rig() as r:
        far_udp(r)
        async with udp(r) as link, trio.open_nursery() as nursery:

            async def receive() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await link.receive()

            nursery.start_soon(receive)
            await trio.sleep(0.1)
            with pytest.raises(trio.BusyResourceError):
                await link.receive()
            link.abort()
            link.abort()
            with pytest.raises(trio.ClosedResourceError):
                await link.send(b"a")
        await r.settle()


async def test_idle_is_since_the_last_datagram_and_never_while_one_waits(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        far = echo_udp(r)
        async with udp(r) as link:
            opened = link.idle_since
            assert opened <= trio.current_time()
            await trio.sleep(5)
            assert link.idle_since == opened
            await link.send(b"a")
            assert link.idle_since == float("inf")
            await trio.sleep(1)
            assert link.idle_since == float("inf")  # its answer waits for us
            await link.receive()
            assert opened + 5 < link.idle_since < trio.current_time()
        assert len(far.received) == 1


async def test_the_unread_of_one_link_is_never_the_next_ones(autojump_clock: MockClock) -> None:
    async with rig(stale_data_after_reuse=True) as r:
        far = echo_udp(r)
        for number in range(12):
            async with udp(r) as link:
                await link.send(b"%d" % number)
                assert await link.receive() == b"%d" % number
                far.send_to(b"late", far.received[-1][1])
            await r.settle()
        assert len({port for _, port in far.received}) == 12

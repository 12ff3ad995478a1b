"""Datagrams through a link: whole, once, in either dialect; and what ends a link."""

import random
from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock

from modemproxy.errors import LocalProtocolError
from modemproxy.module.datagram_link import DatagramTooLong
from modemproxy.module.datagram_out import MAX_DATAGRAM

from .datagram_bench import echo_udp, far_udp, receive_all, udp
from .rig import HOSTILE, rig

pytestmark = pytest.mark.timeout(30)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("trailer", ["\r\n", "\r\n\r\n"])
async def test_each_datagram_comes_back_as_it_was(
    autojump_clock: MockClock, before: bool, trailer: str
) -> None:
    async with rig(send_result_before_ok=before, trailer=trailer, chop=7) as r:
        far = echo_udp(r)
        async with udp(r) as link:
            for size in (1, 3, 4, 5, 255, 256, 257, 1400, 1459, 1460, 1461, 1499, 1500):
                data = (HOSTILE * 5)[:size]
                assert not await link.send(data)
                with trio.fail_after(2):
                    assert await link.receive() == data
            assert (link.sent, link.received, link.dropped) == (13, 13, 0)
        await r.settle()
        assert len(far.received) == 13


async def test_every_send_names_the_far_side_and_each_link_has_its_own_port(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        far = echo_udp(r)
        async with udp(r) as one, udp(r) as other:
            await one.send(b"one")
            await other.send(b"other")
            assert await one.receive() == b"one"
            assert await other.receive() == b"other"
        assert len({port for _, port in far.received}) == 2


async def test_a_burst_from_the_far_side_arrives_whole_in_order_once(
    autojump_clock: MockClock,
) -> None:
    source = random.Random(60)
    burst = [source.randbytes(source.randint(1, 1400)) for _ in range(200)]
    async with rig(udp_buffer_bytes=300_000, command_latency_s=0.002) as r:
        far = far_udp(r, lambda data: burst if data == b"go" else [])
        async with udp(r) as link:
            await link.send(b"go")
            assert await receive_all(link) == burst
        await r.settle()
        assert len(far.received) == 1


async def test_what_does_not_fit_into_the_module_is_lost_and_nothing_else(
    autojump_clock: MockClock,
) -> None:
    burst = [b"%d " % n + bytes(996) for n in range(40)]
    async with rig(udp_buffer_bytes=16384) as r:
        far_udp(r, lambda data: burst)
        async with udp(r) as link:
            await link.send(b"go")
            got = await receive_all(link)
            assert got == burst[: len(got)]
            assert len(got) >= 16
        await r.settle()


@pytest.mark.parametrize("size", [0, MAX_DATAGRAM + 1, 65507])
async def test_what_one_send_can_not_carry_is_refused_and_never_split(
    autojump_clock: MockClock, size: int
) -> None:
    async with rig() as r:
        far = echo_udp(r)
        async with udp(r) as link:
            with pytest.raises(DatagramTooLong):
                await link.send(bytes(size))
            await link.send(b"next")
            assert await link.receive() == b"next"
        assert [data for data, _ in far.received] == [b"next"]


async def test_sending_never_waits_and_the_oldest_gives_way(autojump_clock: MockClock) -> None:
    async with rig(command_latency_s=0.01) as r:
        far = far_udp(r)
        async with udp(r) as link:
            began = trio.current_time()
            for number in range(40):
                await link.send(b"%03d" % number)
            assert trio.current_time() == began
            await trio.sleep(2)
            got = [int(data) for data, _ in far.received]
            assert got == [0, *range(24, 40)]  # the first was on its way already
            assert link.outbox.dropped_full == 40 - 17
        await r.settle()


async def test_what_can_not_be_sent_within_half_a_second_is_dropped(
    autojump_clock: MockClock,
) -> None:
    async with rig(slow_commands=((0.2, "+CIPSEND"),)) as r:
        far = far_udp(r)
        async with udp(r) as link:
            for number in range(10):
                await link.send(b"%d" % number)
            await trio.sleep(3)
            assert 2 <= link.sent <= 3
            assert link.outbox.dropped_old == 10 - link.sent
            assert [int(data) for data, _ in far.received] == list(range(link.sent))


async def test_a_lost_report_costs_less_than_a_second(autojump_clock: MockClock) -> None:
    async with rig(data_urcs="none") as r:
        echo_udp(r)
        async with udp(r) as link:
            for number in range(20):
                await link.send(b"%d" % number)
                with trio.fail_after(1.0):
                    assert await link.receive() == b"%d" % number
                await trio.sleep(number / 10)


async def test_news_on_an_idle_link_are_found_without_a_report(
    autojump_clock: MockClock,
) -> None:
    async with rig(data_urcs="none") as r:
        far = echo_udp(r)
        async with udp(r) as link:
            await link.send(b"hello")
            assert await link.receive() == b"hello"
            await trio.sleep(100)
            far.send_to(b"news", far.received[0][1])
            with trio.fail_after(31):
                assert await link.receive() == b"news"


async def test_the_owner_that_does_not_receive_holds_up_nobody(
    autojump_clock: MockClock,
) -> None:
    burst = [b"%d" % n for n in range(60)]
    async with rig() as r:
        far_udp(r, lambda data: burst, 53)
        echo_udp(r, 54)
        async with udp(r) as lazy, udp(r, port=54) as other:
            await lazy.send(b"go")
            await trio.sleep(5)
            await other.send(b"x")
            with trio.fail_after(0.5):
                assert await other.receive() == b"x"
            assert await receive_all(lazy) == burst


@pytest.mark.parametrize("host", ['x",1\rAT+NETCLOSE\r', "a b", "a\\22b", "\u00e4.example"])
async def test_a_far_side_that_is_no_name_never_gets_to_the_line(
    autojump_clock: MockClock, host: str
) -> None:
    async with rig() as r:
        async with udp(r, host) as link:
            with pytest.raises(LocalProtocolError):
                await link.send(b"x")
        await r.settle()
        async with udp(r) as link:
            await link.send(b"the line is as it was")
        assert not r.ended.is_set()


async def test_ten_links_and_who_waits_makes_the_idle_one_give_way(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r, AsyncExitStack() as stack, trio.open_nursery() as nursery:
        far = echo_udp(r)
        links = [await stack.enter_async_context(udp(r)) for _ in range(10)]

        async def own_the_first() -> None:
            with pytest.raises(trio.BrokenResourceError, match="gave way"):
                await links[0].receive()
            links[0].abort()

        nursery.start_soon(own_the_first)
        await trio.sleep(3)
        for link in links[1:]:
            await link.send(b"busy")
            assert await link.receive() == b"busy"
        with trio.fail_after(3):
            async with udp(r) as one_more:
                await one_more.send(b"more")
                assert await one_more.receive() == b"more"
        assert [link.reset is not None for link in links] == [True] + [False] * 9
        assert len(far.received) == 10


@pytest.mark.parametrize("taken", [1, 3])
async def test_a_local_port_that_is_taken_is_not_insisted_on(
    autojump_clock: MockClock, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig() as r:
        echo_udp(r)
        stack = r.module.dce.stack
        open_udp, asked = stack.open_udp, []

        def taken_at_first(number: int, port: int) -> bool:
            asked.append(port)
            return len(asked) > taken and open_udp(number, port)

        monkeypatch.setattr(stack, "open_udp", taken_at_first)
        async with udp(r) as link:
            await link.send(b"x")
            assert await link.receive() == b"x"
        assert len(set(asked)) == len(asked) == taken + 1

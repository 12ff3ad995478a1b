"""Datagram links give way to those who wait: the one used least recently, by rule."""

from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock

from modemproxy.errors import NoFreeLink
from modemproxy.journal import GaveWay
from modemproxy.module.claims import Claim
from modemproxy.module.datagram_link import DatagramLink

from .datagram_bench import echo_udp
from .rig import FAR, HOSTILE, Rig, exchange, rig

pytestmark = pytest.mark.timeout(20)

Started = trio.TaskStatus[DatagramLink]


async def session(r: Rig, owner: str, task_status: Started = trio.TASK_STATUS_IGNORED) -> None:
    """A UDP session, until its link breaks."""
    opening = r.session.open_datagrams(FAR, 53, claim=Claim(owner), queue_s=5)
    async with opening as link:
        task_status.started(link)
        try:
            while True:
                await link.receive()
        except trio.BrokenResourceError:
            return


async def fill(r: Rig, nursery: trio.Nursery, *owners: str) -> list[DatagramLink]:
    """Have UDP sessions, each a little more recently used than the one before."""
    links = []
    for owner in owners:
        links.append(await nursery.start(session, r, owner))
        await links[-1].send(b"x")
        await trio.sleep(0.2)
    return links


async def test_the_least_recently_used_one_gives_way(autojump_clock: MockClock) -> None:
    async with rig() as r, trio.open_nursery() as nursery:
        echo_udp(r)
        links = await fill(r, nursery, *["dns"] * 10)
        await links[0].send(b"again")
        await trio.sleep(2)
        began = trio.current_time()
        async with r.link(queue_s=5) as link:
            assert trio.current_time() - began < 1
            assert link.number == links[1].number
            assert await exchange(link, HOSTILE) == HOSTILE
        assert [each.reset is not None for each in links] == [False, True] + [False] * 8
        [event] = r.events(GaveWay)
        assert event.text == f"the idle datagram link to {FAR}:53/udp gave way to test"
        nursery.cancel_scope.cancel()


async def test_one_gives_way_for_one_who_waits(autojump_clock: MockClock) -> None:
    async with rig() as r, trio.open_nursery() as nursery:
        echo_udp(r)
        await fill(r, nursery, *["dns"] * 10)
        await trio.sleep(2)
        async with r.link(queue_s=5), r.link(queue_s=5), r.link(queue_s=5):
            assert len(r.events(GaveWay)) == 3
            await trio.sleep(5)
            assert len(r.events(GaveWay)) == 3
        nursery.cancel_scope.cancel()


async def test_one_that_is_in_use_does_not(autojump_clock: MockClock) -> None:
    async with rig() as r, trio.open_nursery() as nursery:
        echo_udp(r)
        links = await fill(r, nursery, *["dns"] * 10)

        async def chat(link: DatagramLink) -> None:
            while True:
                await link.send(b"x")
                await trio.sleep(0.7)

        for link in links:
            nursery.start_soon(chat, link)
        await trio.sleep(2)
        with pytest.raises(NoFreeLink):
            async with r.link(queue_s=4):
                pytest.fail("all are in use")
        assert r.events(GaveWay) == []
        nursery.cancel_scope.cancel()


async def test_one_that_becomes_idle_gives_way_to_who_waits_already(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r, trio.open_nursery() as nursery:
        echo_udp(r)
        links = await fill(r, nursery, *["dns"] * 10)
        for link in links:
            await link.send(b"x")
        async with r.link(queue_s=5) as tcp:
            assert await exchange(tcp, HOSTILE) == HOSTILE
        nursery.cancel_scope.cancel()


async def test_no_owner_loses_what_is_kept_for_it(autojump_clock: MockClock) -> None:
    async with rig(reserve={"coap": 1}) as r, trio.open_nursery() as nursery:
        echo_udp(r)
        [coap, *_] = await fill(r, nursery, "coap", *["dns"] * 9)
        await trio.sleep(2)
        async with r.link(queue_s=5) as link:
            assert await exchange(link, HOSTILE) == HOSTILE
        assert coap.reset is None
        nursery.cancel_scope.cancel()


async def test_an_owners_own_claims_may_have_its_own(autojump_clock: MockClock) -> None:
    async with rig(reserve={"coap": 2}) as r, trio.open_nursery() as nursery:
        echo_udp(r)
        async with AsyncExitStack() as stack:
            for _ in range(8):
                await stack.enter_async_context(r.link())
            links = await fill(r, nursery, "coap", "coap")
            await trio.sleep(2)
            with pytest.raises(NoFreeLink):
                async with r.link(queue_s=3):
                    pytest.fail("they are kept")
            new = await nursery.start(session, r, "coap")
            assert new.number == links[0].number
        nursery.cancel_scope.cancel()


async def test_tcp_never_gives_way(autojump_clock: MockClock) -> None:
    async with rig() as r:
        async with trio.open_nursery() as nursery:

            async def idle() -> None:
                async with r.link():
                    await trio.sleep_forever()

            for _ in range(10):
                nursery.start_soon(idle)
            await trio.sleep(10)
            with pytest.raises(NoFreeLink):
                async with r.link(queue_s=3):
                    pytest.fail("there is none")
            nursery.cancel_scope.cancel()
        await r.settle()


async def test_a_probe_ends_nobody(autojump_clock: MockClock) -> None:
    async with rig() as r, trio.open_nursery() as nursery:
        echo_udp(r)
        await fill(r, nursery, *["dns"] * 10)
        await trio.sleep(2)
        with pytest.raises(NoFreeLink):
            async with r.link(claim=Claim("probe", displaces=False), queue_s=1):
                pytest.fail("there is none")
        nursery.cancel_scope.cancel()


async def test_waiting_clients_take_turns(autojump_clock: MockClock) -> None:
    """One busy client of one forward does not have every number that becomes free."""
    async with rig() as r:
        order: list[str] = []

        async def client(owner: str, address: str) -> None:
            async with r.link(claim=Claim(owner, address), queue_s=100):
                order.append(owner + address)
                await trio.sleep(1)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(client, "a", "1")
            await trio.sleep(0.5)
            nursery.start_soon(client, "a", "2")
            nursery.start_soon(client, "b", "1")
        assert {"a2", "b1"} <= set(order[10:14])

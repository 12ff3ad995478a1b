"""What the matrix has found: small reproductions of what was wrong in the proxy."""

from typing import Any, cast

import trio
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream
from modemproxy.module.inbound import HintHealth, Inbound
from modemproxy.surfaces.bridge import bridge
from modemproxy.surfaces.relay import RelayOptions, Traffic, relay
from tests.module.rig import read_all, rig
from tests.soak.host import Kernel, ProxySocket


async def test_a_closed_link_is_not_asked_for_its_counters_again_and_again(
    autojump_clock: MockClock,
) -> None:
    """F11: CIPACK on a closed socket is refused; the time of the drain is for reading."""

    async def closes_at_once(stream: FarStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"x" * 60000)

    async with rig(short_reads=250) as r:
        r.listen(closes_at_once)
        async with r.link() as link:
            await link.send_all(b"?")
            assert len(await read_all(link)) == 60000
        assert r.module.commands["+CIPACK"] <= 3


def test_a_report_behind_the_header_is_kept() -> None:
    """F4: it is about bytes that the read under way does not bring."""
    inbound = Inbound(HintHealth())
    inbound.open(0.0)
    inbound.begin_read()
    inbound.note_hint()  # before the header: of what comes now
    inbound.note_data(b"abc", 0, 1.0)
    assert not inbound.read_offer(1.0)

    inbound.begin_read()
    inbound.note_more(sure=False)  # inside the read: read again, and nothing is promised
    inbound.note_data(b"def", 0, 2.0)
    assert inbound.read_offer(2.0)
    assert not inbound.announced

    inbound.begin_read()
    inbound.note_more(sure=True)  # behind its OK: a promise
    inbound.note_empty(3.0)
    assert inbound.read_offer(3.1)
    assert inbound.announced


class _Far:
    """A link that breaks when it is told to."""

    def __init__(self) -> None:
        self.breaks = trio.Event()
        self.unread = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await self.breaks.wait()
        raise trio.BrokenResourceError("the proxy is stopping")

    async def send_all(self, data: bytes) -> None:
        await trio.sleep_forever()

    async def wait_delivered(self) -> None:
        await trio.sleep_forever()

    async def look(self) -> None:
        await trio.sleep_forever()


def _kernel() -> Kernel:
    return Kernel(upward=9096, sending=65536, receiving=1000)


async def test_a_link_that_breaks_in_the_moment_of_a_stop_ends_nothing_else(
    autojump_clock: MockClock,
) -> None:
    """The break came out of the relay in a group with the Cancelled, past all handlers."""
    far = _Far()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            client = ProxySocket(_kernel(), "client")
            nursery.start_soon(relay, client, far, RelayOptions(), Traffic())
            await trio.testing.wait_all_tasks_blocked()
            far.breaks.set()
            scope.cancel()
    assert scope.cancelled_caught


async def test_a_stop_lets_the_client_have_what_is_valid(autojump_clock: MockClock) -> None:
    """A5.5: a cancelled relay raises a group of Cancelled, which no ``except`` saw."""
    kernel = _kernel()
    client = ProxySocket(kernel, "client")
    await client.send_all(b"v" * 3000)
    assert client.unsent == 2000

    async def slow_client() -> None:
        for _ in range(3):
            await trio.sleep(0.1)
            kernel.down.clear()
            kernel.carry()

    traffic = Traffic()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(slow_client)
        with trio.CancelScope() as scope:
            scope.cancel()
            await bridge(client, cast(Any, _Far()), RelayOptions(), traffic)
    assert client.unsent == 0
    assert traffic.end == "reset: the proxy is stopping"

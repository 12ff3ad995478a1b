"""What counts as progress of a link that sends: a stall is the lack of it."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.reply import Reply, error
from modemproxy.emulator.syntax import Call
from modemproxy.module.link import Link

from .rig import rig

pytestmark = pytest.mark.timeout(20)


@pytest.mark.parametrize("cipack", [True, False])
async def test_a_link_in_use_for_longer_than_the_stall_limit_lives(
    autojump_clock: MockClock, cipack: bool
) -> None:
    async with rig(cipack=cipack, stall_s=60) as r:
        sink = r.sink(80)
        async with r.link(port=80) as link:
            for _ in range(40):
                await link.send_all(b"x" * 100)
                await trio.sleep(10)
            assert link.reset is None
            assert len(sink.received[0]) == 4000


@pytest.mark.parametrize("cipack", [True, False])
async def test_a_link_that_is_busy_for_ever_is_given_up_in_time(
    autojump_clock: MockClock, cipack: bool
) -> None:
    async with rig(cipack=cipack, stall_s=30) as r:
        r.sink(80)
        async with r.link(port=80) as link:
            await link.send_all(b"x" * 2000)
            await trio.sleep(0.1)
            r.module.set_profile(busy_link=link.number)
            started = trio.current_time()
            with pytest.raises(trio.BrokenResourceError, match="no progress"):
                await link.send_all(b"x" * 20000)
            assert 29 < trio.current_time() - started < 33


async def test_one_garbled_question_does_not_end_asking_for_acknowledgements(
    autojump_clock: MockClock,
) -> None:
    """Without them nothing limits what is sent, and one slow far side fills the module."""
    asked: list[str] = []

    def refuse_third(port: AtPort, call: Call, handler: Handler) -> Reply | None:
        if call.name == "+CIPACK":
            asked.append(call.name)
            if len(asked) == 3:
                return error()
        return handler(port, call)

    async with rig() as r:
        r.sink(80)
        r.module.handlers.advice = refuse_third
        async with r.link(port=80) as link:
            for _ in range(6):
                await link.send_all(b"x" * 8000)
                await link.wait_delivered()
            assert link.outbound.ack_usable
            assert not link.outbound.unacked
            assert len(asked) > 5


async def read_to_end(link: Link) -> None:
    while await link.receive_some():
        pass


async def test_behind_a_far_close_nothing_is_a_stall(autojump_clock: MockClock) -> None:
    """What it did not take before, it never will; how that ends is told when all is read."""

    async def says_much_and_hears_nothing(stream: FarStream) -> None:
        await stream.send_all(b"y" * 20_000)
        await trio.sleep(5)

    async with rig(stall_s=10, window_bytes=1) as r:
        r.listen(says_much_and_hears_nothing, 80)
        async with r.link(port=80) as link:
            await link.send_all(b"x" * 100)
            await trio.sleep(60)
            assert link.far_closed
            assert link.reset is None
            with pytest.raises(trio.BrokenResourceError, match="everything"):
                await read_to_end(link)

"""What seeds have found, said shortly: one test each, without any dice."""

import pytest
import trio

from modemproxy.at.dte import Broken, Dte
from modemproxy.at.transfer import ReadData
from modemproxy.emulator.far_stream import FarStream
from tests.module.rig import FAR, echo, rig, until
from tests.module.rig import exchange as talk

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_close_of_ours_does_not_hit_the_next_connection() -> None:
    """The far side closes while our CIPCLOSE takes its time: the number waits for both."""
    async with rig(close_delay_s=2.0, complaints=True) as r:
        sides: list[FarStream] = []

        async def stay(stream: FarStream) -> None:
            sides.append(stream)
            await trio.sleep_forever()

        r.listen(stay, 70)
        async with r.link(FAR, 70) as link:
            number = link.number
            await until(lambda: sides, 5)
        await until(lambda: r.module.commands["+CIPCLOSE"] > 0, 5)
        await trio.sleep(0.05)
        await sides[0].send_eof()
        await trio.sleep(0.2)
        async with r.link() as link:
            assert link.number != number  # before: 9 again, and closed two seconds later
            await trio.sleep(5)
            assert await talk(link, b"hello") == b"hello"


async def test_looking_finds_what_nobody_announced() -> None:
    """An idle link is polled rarely; ``look()`` knows at once."""
    async with rig(data_urcs="none") as r:
        speak = trio.Event()

        async def late(stream: FarStream) -> None:
            await speak.wait()
            await stream.send_all(b"at last")
            await trio.sleep_forever()

        r.listen(late, 70)
        async with r.link(FAR, 70) as link:
            await trio.sleep(100)
            speak.set()
            await trio.sleep(0.01)
            assert not link.unread
            with trio.fail_after(1):
                await link.look()
                assert await link.receive_some() == b"at last"
                await link.look()  # and knows when there is nothing more


async def test_a_number_the_module_is_stuck_with_is_gone_round() -> None:
    """Number 9 can be neither opened nor closed: another one serves."""
    async with rig(complaints=True, close_while_opening="error", connect_s=5) as r:
        stuck = r.module.dce.stack.new_tcp(9)
        with trio.fail_after(5):
            async with r.link() as link:
                assert link.number == 8
                assert await talk(link, b"hello") == b"hello"
        assert not stuck.is_open


async def test_small_sends_in_quick_succession_are_no_stall() -> None:
    """They never fill a window, and each of them puts the next CIPACK off."""
    async with rig(stall_s=20) as r:
        r.listen(echo, 70)
        sink = r.sink(71)
        async with r.link(FAR, 71) as link:
            for _ in range(120):
                await link.send_all(b"x" * 40)
                await trio.sleep(0.5)
            assert link.reset is None
            await link.wait_delivered()
        assert len(sink.received[0]) == 120 * 40


@pytest.mark.parametrize("left", [b"\0", b" ", b"\t"])
def test_a_blank_that_the_header_did_not_count_is_no_noise(left: bytes) -> None:
    """A length that was changed from 4 to 3 leaves a byte behind, whatever byte it is."""
    dte = Dte()
    dte.send(ReadData(5, 1460))
    dte.receive_data(b"\r\n+CIPRXGET: 2,5,3,0\r\nabc" + left + b"\r\nOK\r\n")
    assert isinstance(dte.next_event(), Broken)

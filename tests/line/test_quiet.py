"""After a line that ended in a send: how long whatever is said may become its payload."""

import pytest
import trio
import trio.testing

from modemproxy.at.trailer import Trailer
from modemproxy.at.transfer import ReadData, SendData
from modemproxy.errors import DamagedAnswer, LineClosed
from modemproxy.line.channel import AtChannel
from modemproxy.line.port import StreamPort

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize(("prompt", "quiet_s"), [(b"", 5 + 16), (b"\r\n>", 16)])
async def test_a_prompt_that_was_not_heard_may_have_been_on_its_way(
    prompt: bytes, quiet_s: float
) -> None:
    ours, module = trio.testing.memory_stream_pair()
    channel = AtChannel(StreamPort(ours))
    began = trio.current_time()

    async def read() -> None:
        with pytest.raises(LineClosed):
            await channel.read_forever()

    async def send() -> None:
        with pytest.raises(LineClosed):
            await channel.roundtrip(SendData(9, b"four"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        await module.send_all(prompt)
        await trio.testing.wait_all_tasks_blocked()
        await module.aclose()
    assert channel.quiet_until == pytest.approx(began + quiet_s)


async def test_a_payload_that_was_lost_whole_is_found_out_by_what_is_known_of_the_module() -> (
    None
):
    """The two bytes of a payload are lost, and half of the trailer looks like them."""
    ours, module = trio.testing.memory_stream_pair()
    channel, known = AtChannel(StreamPort(ours)), Trailer()
    known.learned = b"\r\n\r\n"
    channel.learn_from(known)

    async def answer() -> None:
        await module.receive_some()
        await module.send_all(b"\r\n+CIPRXGET: 2,9,2,0\r\n\r\n\r\nOK\r\n")
        while await module.receive_some():
            await module.send_all(b"\r\nOK\r\n")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.read_forever)
        nursery.start_soon(answer)
        with pytest.raises(DamagedAnswer, match="wrong trailer"):
            await channel.roundtrip(ReadData(9, 1460))
        nursery.cancel_scope.cancel()

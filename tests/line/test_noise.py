"""Rubbish while a payload may be pending: noise on the line, or a module at another speed?

At another speed the module has restarted, and nothing of ours can become payload. Behind
mere noise it may still count bytes, and what we said would reach the peer as data.
"""

import pytest
import trio
import trio.testing

from modemproxy.at.transfer import SendData
from modemproxy.errors import LineSilent
from modemproxy.line.channel import AtChannel
from modemproxy.line.port import StreamPort

pytestmark = pytest.mark.usefixtures("autojump_clock")

RUBBISH = b"\xf3\x8f" * 20
WORDS = b"\r\n+CGEV: EPS PDN ACT 1\r\n"


@pytest.mark.parametrize(
    ("heard", "may_be_payload"),
    [
        ((RUBBISH,), False),
        ((WORDS, RUBBISH), False),
        ((RUBBISH, WORDS), True),
        ((RUBBISH, WORDS, RUBBISH), True),
        ((RUBBISH + b"\r\n",), True),
    ],
)
async def test_a_module_that_makes_sense_in_between_is_not_at_another_speed(
    heard: tuple[bytes, ...], may_be_payload: bool
) -> None:
    ours, module = trio.testing.memory_stream_pair()
    channel = AtChannel(StreamPort(ours))

    async def says() -> None:
        await module.send_all(b"\r\n>")
        for data in heard:
            await trio.sleep(1)
            await module.send_all(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.read_forever)
        nursery.start_soon(says)
        with pytest.raises(LineSilent):
            await channel.roundtrip(SendData(3, b"x" * 100))
        assert channel.payload_pending is may_be_payload
        nursery.cancel_scope.cancel()

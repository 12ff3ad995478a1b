"""A channel whose module plays a transcript, and the exchanges that most tests need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing

from modemproxy.at.transfer import QueryUnread, ReadData, SendData
from modemproxy.errors import DamagedAnswer, LineClosed
from modemproxy.line.channel import AtChannel
from modemproxy.line.port import StreamPort
from tests.transcript import Player, Step


async def read_quietly(channel: AtChannel) -> None:
    """Be its reader, until the line ends."""
    with suppress(LineClosed):
        await channel.read_forever()


class QuickPort(StreamPort):
    """A port that takes every byte at once, as a kernel with room does."""

    def __init__(self, stream: trio.abc.Stream, far: trio.testing.MemoryReceiveStream) -> None:
        super().__init__(stream)
        self._far = far

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Write all of it."""
        self._far.put_data(data)
        return len(data)


@asynccontextmanager
async def scene(
    steps: list[Step], chop: int = 0, *, quick: bool = False
) -> AsyncIterator[tuple[AtChannel, Player]]:
    """A channel whose module plays ``steps``; on a quick port nothing is ever unsent."""
    dte, dce = trio.testing.memory_stream_pair()
    port = QuickPort(dte, dce.receive_stream) if quick else StreamPort(dte)
    channel, player = AtChannel(port), Player(dce, steps, chop)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_quietly, channel)
        nursery.start_soon(player.run)
        yield channel, player
        await player.finished.wait()
        await player.expect_silence()
        nursery.cancel_scope.cancel()


async def unread(channel: AtChannel) -> int:
    """Ask how much waits on link 3."""
    return await channel.roundtrip(QueryUnread(3))


async def query(channel: AtChannel) -> None:
    """Ask, and be told 120."""
    assert await unread(channel) == 120


async def send(channel: AtChannel) -> None:
    """Send five bytes on link 3."""
    await channel.roundtrip(SendData(3, b"hello"))


async def read_damaged(channel: AtChannel) -> None:
    """Read, and be told soon that bytes were lost."""
    began = trio.current_time()
    with pytest.raises(DamagedAnswer):
        await channel.roundtrip(ReadData(3, 1460))
    assert trio.current_time() - began <= 3

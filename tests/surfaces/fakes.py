"""A client and a link that a test plays, with a relay between them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from modemproxy.surfaces.relay import RelayOptions, Traffic, relay


class FakeClient:
    """The proxy's end of a client; ``program`` is the client's own."""

    def __init__(self) -> None:
        self._ours, self.program = trio.testing.memory_stream_pair()
        self._reset = trio.Event()
        self.gone = False
        self.fin_sent = False
        self.blocked: trio.Event | None = None

    def reset(self) -> None:
        """The client's RST arrives."""
        self._reset.set()

    async def send_all(self, data: bytes) -> None:
        if self.blocked is not None:
            await self.blocked.wait()
        if self._reset.is_set():
            raise trio.BrokenResourceError("reset")
        await self._ours.send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = b""
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                await self._reset.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            data = bytes(await self._ours.receive_some(max_bytes))
            nursery.cancel_scope.cancel()
        if self._reset.is_set():
            raise trio.BrokenResourceError("reset")
        return data

    async def send_eof(self) -> None:
        if self._reset.is_set():
            raise trio.BrokenResourceError("reset")
        self.fin_sent = True
        await self._ours.send_eof()


class FakeFar:
    """A link; the test plays its far side."""

    def __init__(self) -> None:
        self._in, self._out = trio.open_memory_channel[bytes](1000)
        self.sent = bytearray()
        self.reads = 0
        self.error: trio.BrokenResourceError | None = None
        self.far_closed = False
        self.delivered = trio.Event()
        self.delivered.set()
        self._changed = trio.Event()

    def say(self, data: bytes) -> None:
        """Bytes come from the far side."""
        self._in.send_nowait(data)

    def close(self) -> None:
        """The far side closes; everything was delivered."""
        self.far_closed = True
        self._in.send_nowait(b"")

    def fail(self, why: str) -> None:
        """The link breaks."""
        self.error = trio.BrokenResourceError(why)
        self._in.send_nowait(b"")
        self.delivered.set()

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._check()
        if self.far_closed:
            raise trio.BrokenResourceError("the far side has closed")
        self.sent += data

    async def wait_delivered(self) -> None:
        await self.delivered.wait()
        self._check()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        self.reads += 1
        data = await self._out.receive()
        if not data:
            self._check()
        return data

    @property
    def unread(self) -> bool:
        return self._out.statistics().current_buffer_used > 0

    async def look(self) -> None:
        await trio.lowlevel.checkpoint()

    def _check(self) -> None:
        if self.error is not None:
            raise self.error


class Scene:
    """A relay under way."""

    def __init__(self) -> None:
        self.client = FakeClient()
        self.far = FakeFar()
        self.traffic = Traffic()
        self.error: Exception | None = None
        self.ended_at = 0.0
        self._ended = trio.Event()

    async def run(self, options: RelayOptions) -> None:
        try:
            await relay(self.client, self.far, options, self.traffic)
        except Exception as error:
            self.error = error
        self.ended_at = trio.current_time()
        self._ended.set()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    async def wait_clean(self) -> float:
        """Wait for an orderly end; say when it was."""
        await self._ended.wait()
        assert self.error is None
        return self.ended_at

    async def wait_reset(self, kind: type[Exception], match: str) -> float:
        """Wait for any other end."""
        await self._ended.wait()
        with pytest.raises(kind, match=match):
            raise self.error or AssertionError("a clean end")
        return self.ended_at

    async def heard(self, count: int) -> bytes:
        """Receive as the client's program."""
        got = b""
        while len(got) < count:
            piece = await self.client.program.receive_some()
            assert piece, f"FIN after {got!r}"
            got += piece
        return got


@asynccontextmanager
async def scene(
    *, half_close_s: float = 30, idle_timeout_s: float = 0, close_on_fin: bool = False
) -> AsyncIterator[Scene]:
    options = RelayOptions(
        half_close_s=half_close_s, idle_timeout_s=idle_timeout_s, close_on_fin=close_on_fin
    )
    async with trio.open_nursery() as nursery:
        play = Scene()
        nursery.start_soon(play.run, options)
        yield play
        nursery.cancel_scope.cancel()

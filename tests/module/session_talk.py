"""One connection of a story: a client, its link, its far side, and what each has seen.

Every connection has a far port of its own, and every byte says where it belongs: what comes
out at the other end is checked byte by byte, as it comes.
"""

import math
from contextlib import AsyncExitStack
from typing import Final, Literal

import trio

from modemproxy.emulator.far_stream import FarStream
from modemproxy.errors import LineError, LinkError, NetworkError
from modemproxy.module.link import Link
from modemproxy.module.session import Session

from .recovery_bench import RecoveryBench
from .rig import CLAIM, FAR, HOSTILE

_FIRST_PORT: Final = 1000
_OPEN_LIMIT_S: Final = 60.0
_BLOCKS: Final = 200

End = Literal["", "eof", "reset", "closed", "refused"]


def content(number: int, way: str) -> bytes:
    """What a connection carries one way: hostile, and unlike any other's."""
    return b"".join(
        b"<%d %s %d>" % (number, way.encode(), block) + HOSTILE for block in range(_BLOCKS)
    )


class FarEnd:
    """The far side of one connection: reads all, says what it is told to."""

    def __init__(self, talk: "Talk", stream: FarStream) -> None:
        self.talk = talk
        self.got = 0
        self.sent = 0
        self.ended: Literal["", "fin", "reset"] = ""
        self.closed = self.aborted = False
        self._finishing = False
        self._stream = stream
        self._orders, self._todo = trio.open_memory_channel[int](math.inf)

    def say(self, count: int) -> None:
        """Send so many bytes more; 0 is the FIN behind all of them, said once."""
        if not self._finishing:
            self._finishing = not count
            self._orders.send_nowait(count)

    def abort(self) -> None:
        """Send a RST; the module tells no difference to a FIN."""
        self.aborted = True
        self._stream.reset()
        self.ended = self.ended or "reset"

    @property
    def arrived(self) -> int:
        """Bytes that have come, read or not."""
        return self.got + len(self._stream._inbox)

    async def run(self) -> None:
        """Live until the module has closed."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._speak)
            await self._read()
            nursery.cancel_scope.cancel()

    async def _read(self) -> None:
        up = self.talk.up
        try:
            async for data in self._stream:
                assert data == up[self.got : self.got + len(data)], "wrong bytes at the far end"
                self.got += len(data)
            self.ended = self.ended or "fin"
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended = "reset"

    async def _speak(self) -> None:
        try:
            async for count in self._todo:
                if not count:
                    await self._stream.send_eof()
                    self.closed = True
                    return
                data = self.talk.down[self.sent : self.sent + count]
                await self._stream.send_all(data)
                self.sent += len(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


class Talk:
    """One connection, and its client.

    Attributes:
        end: how it ended for the client; empty while it lives.
        sent: bytes that the link has taken.
        delivered: bytes that the link says have arrived.
        got: bytes that have come to the client.
    """

    def __init__(self, bench: RecoveryBench, number: int) -> None:
        self.number = number
        self.up, self.down = content(number, "up"), content(number, "down")
        self.link: Link | None = None
        self.session: Session | None = None
        self.end: End = ""
        self.sent = self.delivered = self.got = 0
        self.far: list[FarEnd] = []
        self._bench = bench
        self._over = trio.Event()
        self._scope = trio.CancelScope()
        self._orders, self._todo = trio.open_memory_channel[int](math.inf)
        bench.internet.listen_tcp(FAR, _FIRST_PORT + number, self._accept)

    async def _accept(self, stream: FarStream) -> None:
        self.far.append(FarEnd(self, stream))
        await self.far[-1].run()

    # -- what a story tells it to do --

    def say(self, count: int) -> None:
        """Send so many bytes more; 0 waits until all have arrived, as for a half-close."""
        self._orders.send_nowait(count)

    def abort(self) -> None:
        """Close at once."""
        if self.link is not None:
            self.end = self.end or "closed"
            self.link.abort()
            self._over.set()

    def leave(self) -> None:
        """Be gone, at whatever it is."""
        self._scope.cancel()

    def close(self) -> None:
        """Close when the module has taken what was said."""
        self._orders.send_nowait(-1)

    # -- its life --

    async def run(self) -> None:
        """Be the client."""
        with self._scope:
            async with AsyncExitStack() as stack:
                try:
                    with trio.fail_after(_OPEN_LIMIT_S):
                        await self._open(stack)
                except (trio.TooSlowError, LinkError, LineError, NetworkError):
                    self.end = "refused"
                    return
                await self._live()
        self.end = self.end or "closed"

    async def _open(self, stack: AsyncExitStack) -> None:
        self.session = await self._bench.lifecycle.gate.wait_session()
        opening = self.session.open_link(FAR, _FIRST_PORT + self.number, claim=CLAIM, queue_s=5)
        self.link = await stack.enter_async_context(opening)

    async def _live(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._speak)
            nursery.start_soon(self._read)
            await self._over.wait()
            nursery.cancel_scope.cancel()

    async def _read(self) -> None:
        assert self.link is not None
        try:
            while data := await self.link.receive_some():
                assert data == self.down[self.got : self.got + len(data)], "wrong bytes"
                self.got += len(data)
            self.end = self.end or "eof"
        except trio.BrokenResourceError:
            self.end = self.end or "reset"
        except trio.ClosedResourceError:
            self.end = self.end or "closed"
        self._over.set()

    async def _speak(self) -> None:
        assert self.link is not None
        try:
            async for count in self._todo:
                if count > 0:
                    data = self.up[self.sent : self.sent + count]
                    await self.link.send_all(data)
                    self.sent += len(data)
                elif count == 0:
                    await self.link.wait_delivered()
                    self.delivered = self.sent
                    if self._bench.module.profile.cipack:  # else it is the module's word
                        assert self.far[-1].arrived >= self.sent, "not delivered at all"
                else:
                    await self.link.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    # -- what must hold --

    @property
    def woken(self) -> bool:
        """Nobody waits for a link of a session that is over."""
        over = self.session is not None and self.session.pool._ended is not None
        return not over or bool(self.end) or self.link is None

    def check(self) -> None:
        """Nothing that a clean end says is untrue."""
        far = self.far[-1] if self.far else None
        got = far.got if far is not None else 0
        assert got >= self.delivered, "bytes were said to have arrived"
        if self.end == "eof":
            assert far is not None
            assert far.closed or far.aborted, "an end that nobody made"
            assert self.got == far.sent, "a clean end, and bytes are missing"
            assert got >= self.sent, "a clean end, and bytes of the client are missing"

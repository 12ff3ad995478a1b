"""An exchange on a port that takes what it likes; the test is the reader."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from modemproxy.at.commands import Attention
from modemproxy.at.dte import (
    AnyCommand,
    Broken,
    Completed,
    Dte,
    Event,
    Failed,
    PromptReady,
)
from modemproxy.at.transfer import SendData
from modemproxy.line.exchange import Exchange
from modemproxy.line.port import Port

OK: Final = b"\r\nOK\r\n"
PROMPT: Final = b"\r\n>"
DONE: Final = Completed(Attention(), None)
SEND: Final = SendData(3, b"hello")


class StubbornPort(Port):
    """A port that takes what it likes.

    Attributes:
        room: how many bytes ``send_nowait`` takes, each time.
        unsent_bytes: what it says that it still holds.
        stuck: ``send_all`` blocks until this is set.
        gone: writing fails.
        written: everything it took.
    """

    def __init__(self) -> None:
        self.room = 10_000
        self.unsent_bytes = 0
        self.stuck: trio.Event | None = None
        self.gone = False
        self.written = bytearray()

    @property
    def unsent(self) -> int:
        """What was written and has not left."""
        return self.unsent_bytes

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Take what there is room for."""
        if self.gone:
            raise trio.BrokenResourceError("gone")
        self.written += data[: self.room]
        return min(self.room, len(data))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Take all, when it may."""
        await trio.lowlevel.checkpoint()
        if self.gone:
            raise trio.BrokenResourceError("gone")
        if self.stuck is not None:
            await self.stuck.wait()
        self.written += data

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Nothing ever comes this way: the tests are the reader."""
        await trio.sleep_forever()
        raise AssertionError

    async def wait_send_all_might_not_block(self) -> None:
        """As ``send_all``."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Nothing to close."""
        await trio.lowlevel.checkpoint()


class Asker:
    """An exchange on a stubborn port; the test tells it what the module says."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.port = StubbornPort()
        self.dte = Dte()
        self.exchange = Exchange(self.port, self.dte)
        self.began = trio.current_time()
        self._nursery = nursery
        nursery.start_soon(self.exchange.wakeup.keep_time)

    def begin(self, command: AnyCommand | None = None, limit_s: float = 9.0) -> None:
        """Put a command on the line."""
        self.exchange.begin(command or Attention(), limit_s, trio.current_time())

    async def wait(self) -> Event | None:
        return await self.exchange.wait()

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen after so many seconds."""

        async def act() -> None:
            await trio.sleep(seconds)
            what()

        self._nursery.start_soon(act)

    def hear(self, data: bytes) -> None:
        """As the reader does: parse, tell, note the time."""
        self.exchange.heard_at = trio.current_time()
        self.dte.receive_data(data)
        while (event := self.dte.next_event()) is not None:
            if isinstance(event, PromptReady):
                self.exchange.hand_over()
            elif isinstance(event, Completed | Failed | Broken):
                self.exchange.end(event)
        if self.dte.receiving:
            self.exchange.expect_payload()

    def left(self) -> None:
        """All bytes have left the port."""
        self.port.unsent_bytes = 0

    @property
    def took_s(self) -> float:
        return trio.current_time() - self.began


@asynccontextmanager
async def asker() -> AsyncIterator[Asker]:
    async with trio.open_nursery() as nursery:
        yield Asker(nursery)
        nursery.cancel_scope.cancel()

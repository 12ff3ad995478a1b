"""Clients of the proxy, as programs of its users would be."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from modemproxy.bench.figures import Meter
from modemproxy.bench.payload import Checker, stretch
from modemproxy.bench.proxy import Proxy
from modemproxy.bench.world import BenchError

_PIECE: Final = 16384


class Client:
    """One connection through the proxy.

    Args:
        stream: the connection; owned.
        service: the far service at its other end.

    Attributes:
        meter: what it received.
    """

    def __init__(self, stream: trio.SocketStream, service: str) -> None:
        self.stream = stream
        self.service = service
        self.meter = Meter()

    async def run(self) -> None:
        """Send and receive for ever, as far as the service does.

        Raises:
            BenchError: the connection ended.
        """
        async with trio.open_nursery() as nursery:
            if not self.service.startswith("source"):
                nursery.start_soon(self._send)
            await self._receive()

    async def _send(self) -> None:
        position = 0
        with _as_bench_error(self.service):
            while True:
                await self.stream.send_all(stretch(position, _PIECE))
                position += _PIECE

    async def _receive(self) -> None:
        checker = Checker()
        with _as_bench_error(self.service):
            while data := await self.stream.receive_some():
                self.meter.note(time.monotonic(), len(data))
                checker.feed(data)
                self.meter.wrong = checker.wrong
        raise BenchError(f"the connection to {self.service} ended")


class Pinger:
    """Sends a few bytes, waits for them to come back, pauses, again.

    Attributes:
        times: how long each took, seconds, and when it was sent.
        wrong: answers that were not as sent.
    """

    def __init__(self, stream: trio.SocketStream, size: int, pause_s: float) -> None:
        self._stream = stream
        self._size = size
        self._pause_s = pause_s
        self.times: list[tuple[float, float]] = []
        self.wrong = 0

    async def run(self) -> None:
        """Ping for ever."""
        position = 0
        with _as_bench_error("echo"):
            while True:
                await self.ping(stretch(position, self._size))
                position += self._size
                await trio.sleep(self._pause_s)

    async def ping(self, data: bytes) -> None:
        """Ping once.

        Raises:
            BenchError: the connection ended.
        """
        sent_at = time.monotonic()
        await self._stream.send_all(data)
        got = b""
        while len(got) < len(data):
            more = await self._stream.receive_some()
            if not more:
                raise BenchError("the echo connection ended")
            got += more
        self.wrong += got != data
        self.times.append((sent_at, time.monotonic() - sent_at))

    def since(self, at: float) -> list[float]:
        """Return the times of the pings sent from then on."""
        return [took for sent_at, took in self.times if sent_at >= at]


async def send_small(stream: trio.SocketStream, size: int, pause_s: float) -> None:
    """Send a few bytes again and again, each as a write of its own."""
    position = 0
    with _as_bench_error("small sender"):
        while True:
            await stream.send_all(stretch(position, size))
            position += size
            await trio.sleep(pause_s)


@contextlib.contextmanager
def _as_bench_error(what: str) -> Iterator[None]:
    try:
        yield
    except trio.BrokenResourceError as error:
        raise BenchError(f"the connection to {what} broke: {error.__cause__}") from error


@asynccontextmanager
async def clients(proxy: Proxy, services: Sequence[str]) -> AsyncIterator[list[Client]]:
    """Connect one client after the other and let them run while the block does."""
    made: list[Client] = []
    try:
        async with trio.open_nursery() as nursery:
            for service in services:
                client = Client(await proxy.connect(service), service)
                made.append(client)
                nursery.start_soon(client.run)
            yield made
            nursery.cancel_scope.cancel()
    finally:
        for client in made:
            await trio.aclose_forcefully(client.stream)

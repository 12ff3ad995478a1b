"""The far side: for every kind of service, one port for each link, on loopback.

source   sends the known stream without end
sink     takes it, compares it, notes when it came
duplex   both at once
echo     gives back what comes
banner   says 32 bytes at once
"""

import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import trio

from modemproxy.bench.figures import Meter
from modemproxy.bench.payload import Checker, stretch

Kind = Literal["source", "sink", "duplex", "echo", "banner"]

KINDS: Final[tuple[Kind, ...]] = ("source", "sink", "duplex", "echo", "banner")
LINKS: Final = 10
BANNER: Final = 32
HOST: Final = "far.bench"
_PIECE: Final = 32768


@dataclass(slots=True)
class FarSide:
    """All services.

    Attributes:
        ports: of each service, by name such as ``sink3``.
        meters: what arrived, of those that take the stream.
    """

    ports: dict[str, int] = field(default_factory=dict)
    meters: dict[str, Meter] = field(default_factory=dict)

    async def start(self, nursery: trio.Nursery) -> None:
        """Listen everywhere."""
        for kind in KINDS:
            for index in range(LINKS):
                await self._listen(nursery, kind, f"{kind}{index}")

    async def _listen(self, nursery: trio.Nursery, kind: Kind, name: str) -> None:
        meter = self.meters[name] = Meter()
        serve = _SERVICES[kind]

        async def handle(stream: trio.SocketStream) -> None:
            with contextlib.suppress(trio.BrokenResourceError):
                await serve(stream, meter)

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.ports[name] = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, handle, listeners)


async def _source(stream: trio.SocketStream, meter: Meter) -> None:
    # It must notice that its client has left: the emulated module swallows what comes for
    # some seconds after a close, as fast as it can, and the next measurement would suffer.
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_quietly, _pour, stream, meter)
        await _quietly(_swallow, stream, meter)
        nursery.cancel_scope.cancel()


async def _pour(stream: trio.SocketStream, meter: Meter) -> None:
    position = 0
    while True:
        await stream.send_all(stretch(position, _PIECE))
        position += _PIECE


async def _swallow(stream: trio.SocketStream, meter: Meter) -> None:
    async for _ in stream:
        pass


async def _sink(stream: trio.SocketStream, meter: Meter) -> None:
    checker = Checker()
    async for data in stream:
        meter.note(time.monotonic(), len(data))
        checker.feed(data)
        if checker.wrong:
            meter.wrong += 1
            checker.wrong = 0


async def _duplex(stream: trio.SocketStream, meter: Meter) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_quietly, _pour, stream, meter)
        await _quietly(_sink, stream, meter)
        nursery.cancel_scope.cancel()


async def _quietly(
    serve: Callable[[trio.SocketStream, Meter], Awaitable[None]],
    stream: trio.SocketStream,
    meter: Meter,
) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        await serve(stream, meter)


async def _echo(stream: trio.SocketStream, meter: Meter) -> None:
    async for data in stream:
        await stream.send_all(data)


async def _banner(stream: trio.SocketStream, meter: Meter) -> None:
    await stream.send_all(stretch(0, BANNER))
    await _swallow(stream, meter)


_SERVICES: Final[dict[Kind, Callable[[trio.SocketStream, Meter], Awaitable[None]]]] = {
    "source": _source,
    "sink": _sink,
    "duplex": _duplex,
    "echo": _echo,
    "banner": _banner,
}

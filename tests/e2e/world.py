"""A whole world for end-to-end tests: emulated module on a real pty, proxy, far side.

Real clock, real sockets on loopback with free ports, a real tty; everything in one trio
program, except where a test needs a process of its own to kill.
"""

import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from modemproxy import app
from modemproxy.config import Config, Endpoint, Forward, LogConfig, ModemConfig, Timeouts
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.pty import PtyPort, serve_pty
from modemproxy.emulator.sockets import SocketInternet
from modemproxy.module.state import StateStore

Handler = Callable[[trio.SocketStream], Awaitable[None]]

#: What an AT parser that looks for words in payload trips over.
HOSTILE = (
    b"\r\nOK\r\n",
    b"\r\n> ",
    b">",
    b"\r\n+IPCLOSE: 9,1\r\n",
    b"\r\n+CIPRXGET: 2,9,5,0\r\n",
    b"\r\nERROR\r\n",
    b"\x00\x1a\x1b\x11\x13",
    b"+++",
    b"\r\n*ATREADY: 1\r\n",
    b"AT\r",
    bytes(range(256)),
)


def hostile_bytes(size: int, seed: int) -> bytes:
    """At least ``size`` bytes, half of them look-alikes of what a module says."""
    source = random.Random(seed)
    data = bytearray()
    while len(data) < size:
        data += source.choice(HOSTILE)
        data += source.randbytes(source.randrange(400))
    return bytes(data)


def odd_pieces(data: bytes, seed: int) -> list[bytes]:
    """``data`` cut into writes of odd sizes."""
    source = random.Random(seed)
    pieces, at = [], 0
    while at < len(data):
        size = source.choice((1, 2, 3, 7, 100, 1459, 1460, 1461, 1500, 5000))
        pieces.append(data[at : at + size])
        at += size
    return pieces


@dataclass
class World:
    """What a test sees."""

    nursery: trio.Nursery
    module: EmulatedModule
    tty: str
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    stop: trio.Event = field(default_factory=trio.Event)
    left: trio.Event = field(default_factory=trio.Event)
    port: PtyPort = field(init=False)

    async def connect(self, name: str = "far") -> trio.SocketStream:
        """A client of a forward."""
        return await trio.open_tcp_stream("127.0.0.1", self.ports[name])


async def echo(stream: trio.SocketStream) -> None:
    """A far side that sends back what it gets."""
    with contextlib.suppress(trio.BrokenResourceError):
        async for data in stream:
            await stream.send_all(data)


def config_for(tty: str, *, baudrate: int, shutdown_s: float = 5.0, **names: int) -> Config:
    """A configuration with one forward a name, to ``NAME.example`` on the given far port."""
    forwards = tuple(
        Forward(
            name=name,
            listen=Endpoint("127.0.0.1", 0),
            connect=Endpoint(f"{name}.example", port),
        )
        for name, port in names.items()
    )
    return Config(
        modem=ModemConfig(port=tty, baudrate=baudrate),
        timeouts=Timeouts(shutdown_s=shutdown_s, connect_s=20.0),
        forwards=forwards,
        log=LogConfig(),
        path=Path("e2e.yaml"),
    )


async def serve(nursery: trio.Nursery, handler: Handler) -> int:
    """A far side on a free port."""

    async def swallow(stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await handler(stream)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, swallow, listeners)
    port: int = listeners[0].socket.getsockname()[1]
    return port


@asynccontextmanager
async def world(
    folder: Path, handlers: Mapping[str, Handler], *, pace: bool = True, **options: object
) -> AsyncIterator[World]:
    """A module with a far side, and a proxy in front of it; ended in order."""
    profile = Profile(**options)  # type: ignore[arg-type]
    async with module_on_tty(folder, handlers, profile, pace=pace) as (w, config):
        w.ports.update(await w.nursery.start(_run_proxy, w, config))
        try:
            yield w
        finally:
            w.stop.set()
            with trio.CancelScope(shield=True), trio.fail_after(20):
                await w.left.wait()


@asynccontextmanager
async def module_on_tty(
    folder: Path, handlers: Mapping[str, Handler], profile: Profile, *, pace: bool = True
) -> AsyncIterator[tuple[World, Config]]:
    """A module with a far side on a tty, and the configuration that fits it."""
    async with trio.open_nursery() as nursery:
        fars = {name: await serve(nursery, handler) for name, handler in handlers.items()}
        closed = socket.socket()  # bound, and nobody listens: connections are refused
        closed.bind(("127.0.0.1", 0))
        fars["closed"] = closed.getsockname()[1]
        hosts = {f"{name}.example": "127.0.0.1" for name in fars}
        module = EmulatedModule(profile, internet=SocketInternet(nursery, hosts=hosts))
        with closed:
            async with serve_pty(module, link=folder / "modem", pace=pace) as port:
                tty = str(folder / "modem")
                w = World(nursery, module, tty, folder)
                w.port = port
                yield w, config_for(tty, baudrate=profile.baudrate, **fars)
        nursery.cancel_scope.cancel()


async def _run_proxy(
    w: World, config: Config, task_status: trio.TaskStatus[dict[str, int]]
) -> None:
    state = StateStore(w.folder / "state", config.modem.port)
    with trio.CancelScope(shield=True):  # it ends by ``stop``, in order
        await app.run(config, state=state, on_listening=task_status.started, stop=w.stop)
    w.left.set()


async def exchange(w: World, data: bytes, seed: int, name: str = "far") -> bytes:
    """Send ``data`` in odd pieces and half-close; return all that comes until the end."""
    stream = await w.connect(name)
    got = bytearray()

    async def send() -> None:
        for piece in odd_pieces(data, seed):
            await stream.send_all(piece)

    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while len(got) < len(data) and (more := await stream.receive_some()):
            got += more
    return bytes(got)


async def read_to_end(stream: trio.SocketStream) -> tuple[bytes, str]:
    """Everything until the end, and how it ended: ``FIN`` or ``RST``."""
    got = bytearray()
    try:
        while data := await stream.receive_some():
            got += data
    except trio.BrokenResourceError:
        return bytes(got), "RST"
    return bytes(got), "FIN"


def reset(stream: trio.SocketStream) -> None:
    """Arm ``stream`` so that closing it sends RST."""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

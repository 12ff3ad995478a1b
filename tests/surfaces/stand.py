"""The whole program between loopback sockets and an emulated module."""

import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, Literal

import trio
import trio.testing

from modemproxy import app
from modemproxy.config import Config, Forward, ModemConfig, Proxy, Timeouts
from modemproxy.config.checks import Endpoint
from modemproxy.config.destinations import parse_destination
from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.line.port import StreamPort
from modemproxy.module.state import StateStore

FAR: Final = "far.example.com"


class Stand:
    """A running program.

    Attributes:
        stop: ends it.
        stopped: it has ended.
    """

    def __init__(self, nursery: trio.Nursery, options: dict[str, Any]) -> None:
        self._nursery = nursery
        self.internet = MemoryInternet(nursery)
        self.module = EmulatedModule(Profile(**options), internet=self.internet)
        self.ports: dict[str, int] = {}
        self.listening = trio.Event()
        self.stop = trio.Event()
        self.stopped = trio.Event()
        self.received: list[bytearray] = []
        self.far_ends: list[str] = []

    async def open_port(self) -> StreamPort:
        """Plug in."""
        await trio.lowlevel.checkpoint()
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self.module.serve, theirs)
        return StreamPort(ours)

    def note_ports(self, ports: dict[str, int]) -> None:
        """Learn the bound ports."""
        self.ports = ports
        self.listening.set()

    def play(self, port: int, handler: Callable[[FarStream], Awaitable[None]]) -> None:
        """Have the far host do something on a port."""
        self.internet.listen_tcp(FAR, port, handler)

    async def take(self, stream: FarStream) -> bytes:
        """Take everything to the end, noting what comes and how it ends."""
        index = len(self.received)
        self.received.append(bytearray())
        self.far_ends.append("")
        try:
            async for data in stream:
                self.received[index] += data
        except trio.BrokenResourceError:
            self.far_ends[index] = "RST"
            raise
        self.far_ends[index] = "FIN"
        return bytes(self.received[index])

    async def connect(self, name: str = "far", *, receive_buffer: int = 0) -> trio.SocketStream:
        """Be a client."""
        sock = trio.socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await sock.connect(("127.0.0.1", self.ports[name]))
        except OSError:
            sock.close()
            raise
        return trio.SocketStream(sock)

    async def wait_free(self, limit_s: float = 10) -> None:
        """Wait until the module has no link any more."""
        await until(lambda: not self.module.dce.stack.any_open(), limit_s)


async def until(condition: Callable[[], object], limit_s: float) -> None:
    """Wait, in virtual time, for something that has no event."""
    with trio.fail_after(limit_s):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.1)


async def end_of(stream: trio.SocketStream, *, pause_s: float = 0) -> tuple[bytes, str]:
    """Read to the end and close; say what came, and whether it was FIN or RST."""
    got = bytearray()
    try:
        while data := await stream.receive_some(2000 if pause_s else 65536):
            got += data
            await trio.sleep(pause_s)
    except trio.BrokenResourceError as error:
        reset = isinstance(error.__cause__, ConnectionResetError)
        return bytes(got), "RST" if reset else repr(error.__cause__)
    finally:
        await stream.aclose()
    return bytes(got), "FIN"


async def reset(stream: trio.SocketStream) -> None:
    """Close with a RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


def forward(name: str = "far", far_port: int = 80, **keys: Any) -> Forward:
    """A forward on any free port of 127.0.0.1."""
    if "allow" in keys:
        keys["allow"] = tuple(ip_network(text) for text in keys["allow"])
    return Forward(
        name=name, listen=Endpoint("127.0.0.1", 0), connect=Endpoint(FAR, far_port), **keys
    )


def proxy(protocol: Literal["socks5", "http"], **keys: Any) -> dict[str, Any]:
    """Sections with one proxy named "proxy" on any free port of 127.0.0.1."""
    if "allow_destinations" in keys:
        rules = keys["allow_destinations"]
        keys["allow_destinations"] = tuple(parse_destination(text) for text in rules)
    where = Endpoint("127.0.0.1", 0)
    return {"proxies": (Proxy(name="proxy", protocol=protocol, listen=where, **keys),)}


@asynccontextmanager
async def stand(
    directory: Path,
    *forwards: Forward,
    timeouts: Timeouts | None = None,
    wait_up: bool = True,
    sections: Mapping[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Stand]:
    """Run the program; stop it in the end.

    Args:
        directory: for the state.
        forwards: one named "far" to port 80 when nothing at all is given.
        timeouts: of the configuration.
        wait_up: until the module is up.
        sections: other sections of the configuration.
        options: of the emulator's Profile.
    """
    given = {"modem": ModemConfig(port="/dev/emulated"), **(sections or {})}
    config = Config(
        timeouts=timeouts or Timeouts(shutdown_s=4),
        forwards=forwards or (() if sections else (forward(),)),
        path=Path("test.yaml"),
        **given,
    )
    async with trio.open_nursery() as nursery:
        s = Stand(nursery, options)

        async def run() -> None:
            await app.run(
                config,
                open_port=s.open_port,
                state=StateStore(directory, "/dev/emulated"),
                on_listening=s.note_ports,
                stop=s.stop,
            )
            s.stopped.set()

        nursery.start_soon(run)
        await s.listening.wait()
        if wait_up:
            await until(lambda: s.module.dce.stack.net, 60)
        yield s
        s.stop.set()
        with trio.fail_after(config.timeouts.shutdown_s + 0.5):
            await s.stopped.wait()
        nursery.cancel_scope.cancel()
    assert s.module.complaints == []

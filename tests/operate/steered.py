"""A running program with a configuration file that can be written anew, and its admin socket.

In process, on virtual time, with an emulated module and real sockets on loopback.
"""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from modemproxy import app
from modemproxy.config import load
from modemproxy.emulator.far_stream import FarStream
from modemproxy.module.state import StateStore
from tests.surfaces.stand import Stand, until

HEAD = """
modem: {port: /dev/emulated}
timeouts: {shutdown_s: 4}
"""


class Steered(Stand):
    """What a test sees.

    Attributes:
        file: the configuration.
        admin: the admin socket.
        clients: are closed in the end.
    """

    file: Path
    admin: Path
    clients: list[trio.SocketStream]

    def write(self, text: str, head: str = HEAD) -> None:
        """Write another configuration."""
        self.file.write_text(head + text)

    async def ask(self, request: str, **keys: Any) -> dict[str, Any]:
        """Ask on the admin socket; the first answer."""
        async with self.caller() as stream:
            return await tell(stream, request, **keys)

    @asynccontextmanager
    async def caller(self) -> AsyncIterator[trio.SocketStream]:
        """Be connected to the admin socket."""
        async with await trio.open_unix_socket(str(self.admin)) as stream:
            yield stream

    async def reload(self, text: str | None = None, **keys: Any) -> dict[str, Any]:
        """Write another configuration and have it reloaded."""
        if text is not None:
            self.write(text)
        return await self.ask("reload", **keys)

    async def surfaces(self) -> dict[str, dict[str, Any]]:
        """What ``status`` says of every listener, by name."""
        status = (await self.ask("status"))["status"]
        return {surface["name"]: surface for surface in status["surfaces"]}

    async def client(self, name: str = "far") -> trio.SocketStream:
        """Be a client of a listener, where it is now."""
        host, _, port = (await self.surfaces())[name]["listen"].rpartition(":")
        client = await trio.open_tcp_stream(host.strip("[]"), int(port))
        self.clients.append(client)
        return client


async def tell(stream: trio.SocketStream, request: str, **keys: Any) -> dict[str, Any]:
    """Ask, and read one answer."""
    await stream.send_all(json.dumps({"request": request, **keys}).encode() + b"\n")
    return await hear(stream)


async def hear(stream: trio.SocketStream) -> dict[str, Any]:
    """Read one more answer."""
    line = b""
    while not line.endswith(b"\n"):
        data = await stream.receive_some(1)
        assert data, "no answer"
        line += data
    answer = json.loads(line)
    assert isinstance(answer, dict)
    return answer


def forward(
    name: str = "far", listen: str = "127.0.0.1:0", far_port: int = 80, **keys: Any
) -> str:
    """Spell a forward for the file; ``traffic_class`` is its class."""
    keys = {"name": name, "listen": listen, "connect": f"far.example.com:{far_port}", **keys}
    return f"  - {json.dumps(keys)}\n"


def forwards(*lines: str) -> str:
    """Spell the section."""
    return "forwards:\n" + "".join(lines)


async def echo(stream: FarStream) -> None:
    """A far side that sends back what it gets."""
    async for data in stream:
        await stream.send_all(data)


async def send_and_take(client: trio.SocketStream, data: bytes) -> bytes:
    """Send, and take as much."""
    got = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, data)
        while len(got) < len(data):
            got += await client.receive_some(10_000)
    return got


async def talks(client: trio.SocketStream) -> bool:
    """Say whether a connection to ``echo`` works."""
    return await send_and_take(client, b"ping") == b"ping"


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@asynccontextmanager
async def steered(
    folder: Path, text: str, *, head: str = HEAD, wait_up: bool = True, **options: Any
) -> AsyncIterator[Steered]:
    """Run the program with a configuration; stop it in the end, if it has not.

    Args:
        folder: for the file, the state and the admin socket.
        text: of the configuration, without its head.
        head: what stands before it.
        wait_up: until the module is up.
        options: of the emulator's Profile.
    """
    async with trio.open_nursery() as nursery:
        s = Steered(nursery, options)
        s.file, s.admin = folder / "modemproxy.yaml", folder / "admin.sock"
        s.clients = []
        s.write(text, head)

        async def run() -> None:
            await app.run(
                load(s.file),
                open_port=s.open_port,
                state=StateStore(folder / "state", "/dev/emulated"),
                on_listening=s.note_ports,
                stop=s.stop,
                admin_socket=s.admin,
            )
            s.stopped.set()

        nursery.start_soon(run)
        await s.listening.wait()
        if wait_up:
            await until(lambda: s.module.dce.stack.net, 60)
        yield s
        for client in s.clients:
            await client.aclose()
        s.stop.set()
        with trio.fail_after(10):
            await s.stopped.wait()
        nursery.cancel_scope.cancel()
    assert s.module.complaints == []

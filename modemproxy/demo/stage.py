"""The stage of the demo: the world, the emulated module on a pty, the proxy."""

import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import trio

from modemproxy import app
from modemproxy.config import Config, Dns, Endpoint, Forward, ModemConfig, Proxy, Server
from modemproxy.demo import world
from modemproxy.emulator.internet import Address
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.pty import serve_pty
from modemproxy.emulator.sockets import SocketInternet
from modemproxy.module.state import StateStore

BAUDRATE: Final = 921600
FILE_BYTES: Final = 300_000
PART_BYTES: Final = 60_000
#: What the module's resolver says of the far side's names; nobody else has these addresses.
ADDRESSES: Final = {
    "files.example": ("203.0.113.80", "203.0.113.81"),
    "echo.example": ("203.0.113.7",),
}
#: Of the server on the module.
SERVER_PORT: Final = 8080

_LATENCY_S: Final = 0.005
_ANY_PORT: Final = Endpoint("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Stage:
    """A demo that is up.

    Attributes:
        ports: of this host, by name: the forwards ``http``, ``echo`` and ``udp``, the
            proxies ``socks5`` and ``http-proxy``, and ``dns``.
        server: waits until the server on the module listens, and says where on this host it
            can be reached; what connects there is a far client.
        module: the emulated module.
        file: what ``/file.bin`` on the far side is; ``/part.bin`` is its beginning.
        admin_socket: of the proxy.
    """

    ports: Mapping[str, int]
    server: Callable[[], Awaitable[Address]]
    module: EmulatedModule
    file: bytes
    admin_socket: Path


class _Whereabouts:
    """Where a server on the module listens on this host, once it does."""

    def __init__(self) -> None:
        self._known = trio.Event()
        self._address: Address = ("", 0)

    def note(self, _port: int, address: Address) -> None:
        """Hear that it listens."""
        self._address = address
        self._known.set()

    async def wait(self) -> Address:
        """Wait until it does."""
        await self._known.wait()
        return self._address


@asynccontextmanager
async def set_up() -> AsyncIterator[Stage]:
    """Bring up far side, module and proxy; take them down in the opposite order."""
    file = random.Random(1).randbytes(FILE_BYTES)
    with tempfile.TemporaryDirectory(prefix="modemproxy-demo-") as name:
        folder = Path(name)
        async with trio.open_nursery() as nursery:
            home: int = await nursery.start(world.serve_home)
            internet = SocketInternet(
                nursery,
                hosts=await _open_far_side(nursery, file),
                any_port=True,
            )
            server = _Whereabouts()
            internet.on_listen = server.note
            profile = Profile(baudrate=BAUDRATE, command_latency_s=_LATENCY_S)
            module = EmulatedModule(profile, internet=internet)
            async with (
                serve_pty(module, link=folder / "modem") as tty,
                _proxy(nursery, _config(tty.path, home), folder) as ports,
            ):
                yield Stage(ports, server.wait, module, file, folder / "admin.sock")
            nursery.cancel_scope.cancel()


async def _open_far_side(nursery: trio.Nursery, file: bytes) -> dict[str, str]:
    """Start the far services; return where the module's names really are."""
    http = await nursery.start(partial(world.serve_http, file, PART_BYTES))
    echo = await nursery.start(world.serve_echo)
    udp = await nursery.start(world.serve_datagrams)
    hosts = {name: ",".join(addresses) for name, addresses in ADDRESSES.items()}
    services = (
        ("files.example", 80, http),
        ("echo.example", 7, echo),
        ("echo.example", 7007, udp),
    )
    for name, port, really in services:
        for host in (name, *ADDRESSES[name]):
            hosts[f"{host}:{port}"] = f"127.0.0.1:{really}"
    return hosts


@asynccontextmanager
async def _proxy(
    nursery: trio.Nursery, config: Config, folder: Path
) -> AsyncIterator[Mapping[str, int]]:
    """Run the real program against the emulated tty; it is left in order."""
    stop, left = trio.Event(), trio.Event()
    serve = partial(_serve_proxy, config, folder, stop, left)
    ports: dict[str, int] = await nursery.start(serve)
    try:
        yield ports
    finally:
        stop.set()
        with trio.CancelScope(shield=True):
            await left.wait()


async def _serve_proxy(
    config: Config,
    folder: Path,
    stop: trio.Event,
    left: trio.Event,
    task_status: trio.TaskStatus[dict[str, int]],
) -> None:
    state = StateStore(folder / "state", config.modem.port)
    with trio.CancelScope(shield=True):  # it ends by ``stop``, in order
        try:
            await app.run(
                config,
                state=state,
                on_listening=task_status.started,
                stop=stop,
                admin_socket=folder / "admin.sock",
            )
        finally:
            left.set()


def _config(tty: str, home: int) -> Config:
    """One of every way in and out."""
    return Config(
        modem=ModemConfig(port=tty, baudrate=BAUDRATE),
        forwards=(
            Forward(name="http", listen=_ANY_PORT, connect=Endpoint("files.example", 80)),
            Forward(name="echo", listen=_ANY_PORT, connect=Endpoint("echo.example", 7)),
            Forward(
                name="udp",
                protocol="udp",
                listen=_ANY_PORT,
                connect=Endpoint("echo.example", 7007),
                idle_timeout_s=60.0,
            ),
        ),
        servers=(
            Server(
                name="home",
                port=SERVER_PORT,
                connect=Endpoint("127.0.0.1", home),
                allow=(ip_network("127.0.0.0/8"),),
                proxy_protocol="v1",
            ),
        ),
        proxies=(
            Proxy(name="socks5", protocol="socks5", listen=_ANY_PORT),
            Proxy(name="http-proxy", protocol="http", listen=_ANY_PORT),
        ),
        dns=Dns(listen=_ANY_PORT),
        path=Path("demo"),
    )

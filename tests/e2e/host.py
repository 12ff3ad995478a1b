"""The whole program with any sections of the configuration, and programs that use it.

The proxy runs in this process on a real tty; programs (curl, git, ssh ...) are processes
of their own. Far services are whatever listens on 127.0.0.1; the module finds them under
``NAME.example``.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio

from modemproxy import app
from modemproxy.config import Admin, Config, Endpoint, ModemConfig, Proxy, Timeouts
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.pty import serve_pty
from modemproxy.emulator.sockets import SocketInternet
from modemproxy.module.state import StateStore

ANYWHERE = Endpoint("127.0.0.1", 0)


@dataclass
class Host:
    """What a test sees.

    Attributes:
        ports: of the surfaces, by name.
        admin: the admin socket.
    """

    nursery: trio.Nursery
    folder: Path
    module: EmulatedModule
    internet: SocketInternet
    admin: Path
    ports: dict[str, int] = field(default_factory=dict)
    stop: trio.Event = field(default_factory=trio.Event)
    left: trio.Event = field(default_factory=trio.Event)

    def far_port(self, port: int) -> int:
        """Where far clients find a server of the module on this host."""
        return self.internet.server_ports[port]

    async def wait_armed(self, *ports: int) -> None:
        """Wait until the module listens on these ports."""
        with trio.fail_after(20):
            while not set(ports) <= self.internet.server_ports.keys():  # noqa: ASYNC110
                await trio.sleep(0.05)

    async def wait_free(self) -> None:
        """Wait until the module has no link any more."""
        with trio.fail_after(20):
            while self.module.dce.stack.any_open():  # noqa: ASYNC110
                await trio.sleep(0.05)


@asynccontextmanager
async def host(
    folder: Path,
    sections: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    pace: bool = False,
    **options: Any,
) -> AsyncIterator[Host]:
    """Run emulated module and proxy; end them in order.

    Args:
        folder: for the tty, the state and the admin socket.
        sections: of the configuration.
        names: what the module finds where, besides ``far.example`` on 127.0.0.1.
        pace: run the line at its speed.
        options: of the emulator's profile.
    """
    options.setdefault("baudrate", 921600)
    profile = Profile(**options)
    tty = folder / "modem"
    config = Config(
        modem=ModemConfig(port=str(tty), baudrate=profile.baudrate),
        timeouts=Timeouts(shutdown_s=5.0, connect_s=20.0),
        admin=Admin(socket=folder / "admin.sock"),
        path=Path("e2e.yaml"),
        **sections,
    )
    async with trio.open_nursery() as nursery:
        known = {"far.example": "127.0.0.1", **(names or {})}
        internet = SocketInternet(nursery, hosts=known, any_port=True)
        module = EmulatedModule(profile, internet=internet)
        async with serve_pty(module, link=tty, pace=pace):
            h = Host(nursery, folder, module, internet, folder / "admin.sock")
            h.ports.update(await nursery.start(_run_proxy, h, config))
            try:
                yield h
            finally:
                h.stop.set()
                with trio.CancelScope(shield=True), trio.fail_after(20):
                    await h.left.wait()
        nursery.cancel_scope.cancel()
    assert module.complaints == []


async def _run_proxy(
    h: Host, config: Config, task_status: trio.TaskStatus[dict[str, int]]
) -> None:
    state = StateStore(h.folder / "state", config.modem.port)
    with trio.CancelScope(shield=True):  # it ends by ``stop``, in order
        await app.run(config, state=state, on_listening=task_status.started, stop=h.stop)
    h.left.set()


def proxies(**keys: Any) -> dict[str, Any]:
    """Sections with a SOCKS5 and an HTTP proxy, ``socks`` and ``http``."""
    return {
        "proxies": (
            Proxy(name="socks", protocol="socks5", listen=ANYWHERE, **keys),
            Proxy(name="http", protocol="http", listen=ANYWHERE, **keys),
        )
    }


# -- programs -------------------------------------------------------------------------------


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip a test where a program is not installed."""
    missing = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


async def run_program(
    *command: str,
    stdin: bytes = b"",
    limit_s: float = 60.0,
    environ: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, without the proxies of this machine."""
    clean = {name: text for name, text in os.environ.items() if "proxy" not in name.lower()}
    with trio.fail_after(limit_s):
        return await trio.run_process(
            command,
            stdin=stdin,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env={**clean, **(environ or {})},
        )


def modemproxy(*arguments: str) -> tuple[str, ...]:
    """The program's own command line."""
    return (sys.executable, "-m", "modemproxy", *arguments)


# -- far services ---------------------------------------------------------------------------


def free_port() -> int:
    """A port that was free a moment ago, for programs that must be told one."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@asynccontextmanager
async def program_serving(command: Sequence[str], port: int) -> AsyncIterator[None]:
    """Have a server program run, until the body is done; it listens when the body begins."""
    quiet = subprocess.DEVNULL
    process = await trio.lowlevel.open_process(command, stdout=quiet, stderr=quiet)
    try:
        with trio.fail_after(20):
            await _wait_listening(port)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _wait_listening(port: int) -> None:
    while True:
        with contextlib.suppress(OSError):
            await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
            return
        await trio.sleep(0.05)


@asynccontextmanager
async def http_files(folder: Path) -> AsyncIterator[int]:
    """Serve the files of a folder by HTTP; yields the port."""
    port = free_port()
    arguments = ("-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(folder))
    async with program_serving((sys.executable, *arguments), port):
        yield port

"""The proxy as a process, as users run it, and what it costs."""

import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from modemproxy.bench.far import HOST
from modemproxy.bench.world import BenchError, World, child, tail

_CPUCLOCK_SCHED: Final = 2
_READY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What the proxy process has used up to one moment."""

    cpu_s: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that runs.

    Attributes:
        ports: where it listens, by the name of the service it leads to.
    """

    process: trio.Process
    ports: dict[str, int]

    def cost(self) -> Cost:
        """Read the accounts of its process, and of it alone."""
        return Cost(_cpu_s(self.process.pid), _rss_mb(self.process.pid))

    async def connect(self, name: str) -> trio.SocketStream:
        """Connect to the service of that name through the proxy."""
        return await trio.open_tcp_stream("127.0.0.1", self.ports[name])


def _cpu_s(pid: int) -> float:
    # utime + stime as in /proc/PID/stat, but exact: that counts in ticks of 10 ms. The
    # number of a process's CPU clock is what clock_getcpuclockid(3) makes of its pid.
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def _rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@asynccontextmanager
async def proxied(
    world: World, services: Iterable[str], classes: Mapping[str, str] | None = None
) -> AsyncIterator[Proxy]:
    """Run the proxy on the emulated line for as long as the block runs.

    Args:
        world: the line.
        services: the far services to forward to.
        classes: the traffic class of those that are not normal.
    """
    names = sorted({*services, "banner0"})
    targets = {name: (HOST, world.ports[name]) for name in names}
    modem = {"port": world.tty, "baudrate": world.line.baudrate}
    keys = {name: {"class": word} for name, word in (classes or {}).items()}
    async with running(modem, targets, world.folder, keys) as proxy:
        await wait_ready(proxy, "banner0", world.folder, _READY_S)
        await world.wait_no_links()
        yield proxy


@asynccontextmanager
async def running(
    modem: Mapping[str, object],
    targets: Mapping[str, tuple[str, int]],
    folder: Path,
    keys: Mapping[str, Mapping[str, str]],
) -> AsyncIterator[Proxy]:
    """Run ``modemproxy run`` with a configuration of its own.

    Args:
        modem: the modem section of the configuration.
        targets: where each forward leads to, by name.
        folder: for the configuration, the log and the state.
        keys: other keys of forwards, by name.
    """
    ports = dict(zip(targets, _free_ports(len(targets)), strict=True))
    file = folder / "modemproxy.yaml"
    forwards = [
        {**_forward(name, ports[name], target), **keys.get(name, {})}
        for name, target in targets.items()
    ]
    # JSON is YAML, and quoting is its own business
    config = {"modem": modem, "forwards": forwards, "log": {"level": "warning"}}
    file.write_text(json.dumps(config))
    command = [sys.executable, "-m", "modemproxy", "run", "--config", str(file)]
    state = str(folder / "state")
    async with child(command, folder / "log", XDG_STATE_HOME=state) as process:
        yield Proxy(process, ports)


def _forward(name: str, port: int, target: tuple[str, int]) -> dict[str, str]:
    host = f"[{target[0]}]" if ":" in target[0] else target[0]
    listen, connect = f"127.0.0.1:{port}", f"{host}:{target[1]}"
    return {"name": name, "listen": listen, "connect": connect}


def _free_ports(count: int) -> list[int]:
    """Return ports nobody has; all are held until all are known."""
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


async def wait_ready(proxy: Proxy, service: str, folder: Path, patience_s: float) -> None:
    """Wait until bytes come from a service that speaks first.

    Raises:
        BenchError: none came, or the proxy has ended; its last words are in the message.
    """
    with trio.move_on_after(patience_s):
        while proxy.process.poll() is None:
            try:
                async with await proxy.connect(service) as stream:
                    if await stream.receive_some():
                        return
            except (OSError, trio.BrokenResourceError):
                await trio.sleep(0.05)
    raise BenchError(f"the proxy is not ready: {tail(folder / 'log')}")

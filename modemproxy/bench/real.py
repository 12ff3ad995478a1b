"""The same questions to a real module: ``--config FILE --sink … --source … [--echo …]``.

What is left out, and said: the bare loop and the baselines (they would need a module that
is set up by hand), busy answers (nobody can order them), commands per kB (only the module
counts them) and the limit with latency (nobody knows it): the limit shown is that of a
module without any. Bytes are not compared: only their own ends know what they should be.

Upload is timed from the first byte to the orderly end, which means that everything arrived.
"""

import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import trio
import yaml

from modemproxy.bench.clients import Pinger
from modemproxy.bench.figures import Meter, percentile, rate, ratio
from modemproxy.bench.limits import Line
from modemproxy.bench.loops import PING, PING_PAUSE_S
from modemproxy.bench.options import Endpoint, Options
from modemproxy.bench.progress import Progress
from modemproxy.bench.proxy import Proxy, running, wait_ready
from modemproxy.bench.table import Column, Row, Table, words
from modemproxy.bench.world import BenchError
from modemproxy.config import load

_READY_S: Final = 180.0
_PIECE: Final = 4096
#: Else the end of an upload would be the end of half_close_s.
_KEYS: Final = {"sink": {"on_client_fin": "close"}}

COLUMNS: Final = (
    words("what", "what"),
    words("links", "links"),
    Column("rate", "kB/s"),
    Column("limit", "limit kB/s"),
    Column("share", "of limit", 3),
    Column("p50", "p50 ms"),
    Column("p99", "p99 ms"),
    Column("cpu_per_mb", "CPU s/MB", 2),
    Column("cpu", "CPU %"),
    Column("rss", "RSS MB"),
)
_NOTES: Final = (
    "limit: the line with a module that answers at once; a real one cannot reach it",
    "left out: bare loop, baselines, commands per kB, fairness, busy answers, comparing bytes",
    "the mobile network is part of every figure",
)


async def run(options: Options, progress: Progress) -> AsyncIterator[Table]:
    """Measure; one table."""
    assert options.config is not None
    config = load(options.config)
    line = Line(config.modem.baudrate, 0.0)
    seconds = options.window_s(10.0)
    title = f"{config.modem.port}, {line.baudrate} baud, {seconds:g} s each"
    table = Table("real module", title, COLUMNS, bars=("rate", "limit"), notes=list(_NOTES))
    ends = {"sink": options.sink, "source": options.source, "echo": options.echo}
    targets = {name: end for name, end in ends.items() if end is not None}
    async with _proxied(options.config, targets) as proxy:
        await _measure(_Real(proxy, line, seconds), options, table, progress)
    yield table


class _Real:
    """A proxy on a real module, and how long to measure."""

    def __init__(self, proxy: Proxy, line: Line, seconds: float) -> None:
        self.proxy = proxy
        self.line = line
        self.seconds = seconds

    async def downloads(self, links: int, pings: list[float] | None = None) -> Row:
        """Receive on several links; with ``pings`` also ping."""
        meter = Meter()
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            for _ in range(links):
                stream = await stack.enter_async_context(await self.proxy.connect("source"))
                nursery.start_soon(_receive, stream, meter)
            if pings is not None:
                echo = await stack.enter_async_context(await self.proxy.connect("echo"))
                nursery.start_soon(self._ping, echo, pings)
            await _first(meter)
            before, since = self.proxy.cost(), time.monotonic()
            await trio.sleep(self.seconds)
            after, until = self.proxy.cost(), time.monotonic()
            nursery.cancel_scope.cancel()
        arrived = meter.between(since, until)
        cpu_s = after.cpu_s - before.cpu_s
        count = sum(size for _, size in arrived)
        row = self._row("download", links, rate(arrived), self.line.goodput("down"))
        row |= {"cpu_per_mb": ratio(cpu_s, count / 1e6), "rss": after.rss_mb}
        return row | {"cpu": cpu_s / self.seconds * 100}

    async def uploads(self, links: int) -> Row:
        """Send a known amount on each link, and wait for every orderly end."""
        limit = self.line.goodput("up")
        size = int(limit * self.seconds / 2 / links)
        before, since = self.proxy.cost(), time.monotonic()
        async with trio.open_nursery() as nursery:
            for _ in range(links):
                nursery.start_soon(self._upload, size)
        after, took = self.proxy.cost(), time.monotonic() - since
        cpu_s = after.cpu_s - before.cpu_s
        row = self._row("upload", links, size * links / took, limit)
        row |= {"cpu_per_mb": ratio(cpu_s, size * links / 1e6), "rss": after.rss_mb}
        return row | {"cpu": cpu_s / took * 100}

    async def pings(self, beside: int) -> Row:
        """Ping, alone or beside downloads."""
        times: list[float] = []
        row: Row = {"what": "ping alone", "links": 1}
        if beside:
            row = await self.downloads(beside, times) | {"what": "ping beside downloads"}
        else:
            async with await self.proxy.connect("echo") as stream:
                with trio.move_on_after(self.seconds):
                    await self._ping(stream, times)
        return row | {"p50": percentile(times, 50) * 1000, "p99": percentile(times, 99) * 1000}

    async def _ping(self, stream: trio.SocketStream, times: list[float]) -> None:
        pinger = Pinger(stream, PING, PING_PAUSE_S)
        try:
            await pinger.run()
        finally:
            times += pinger.since(0)[1:]  # the first one opened the connection

    async def _upload(self, size: int) -> None:
        async with await self.proxy.connect("sink") as stream:
            for start in range(0, size, _PIECE):
                await stream.send_all(bytes(min(_PIECE, size - start)))
            await stream.send_eof()
            try:
                await stream.receive_some()
            except trio.BrokenResourceError as error:
                raise BenchError(
                    "an upload was reset: does the sink close after EOF?"
                ) from error

    def _row(self, what: str, links: int, moved: float, limit: float) -> Row:
        row: Row = {"baud": self.line.baudrate, "what": what, "links": links}
        return row | {"rate": moved / 1000, "limit": limit / 1000, "share": moved / limit}


@asynccontextmanager
async def _proxied(file: Path, targets: Mapping[str, Endpoint]) -> AsyncIterator[Proxy]:
    """Run the proxy with the user's modem and forwards to the ends of the measurement."""
    with tempfile.TemporaryDirectory(prefix="modemproxy-bench-") as name:
        folder = Path(name)
        async with running(modem_section(file), targets, folder, _KEYS) as proxy:
            await wait_ready(proxy, "source", folder, _READY_S)
            yield proxy


def modem_section(file: Path) -> dict[str, Any]:
    """Return the modem section as it is written; secrets keep their files."""
    # every scalar stays text: PyYAML would read a PIN of 0123 as 83
    modem = dict(yaml.load(file.read_text(), yaml.BaseLoader)["modem"])
    for key in ("password_file", "pin_file"):
        if key in modem:
            modem[key] = str(file.absolute().parent / modem[key])
    return modem


async def _measure(real: _Real, options: Options, table: Table, progress: Progress) -> None:
    counts = options.link_counts(1, 3, 9)
    for links in counts:
        progress.step(f"real module: download on {links}")
        table.rows.append(await real.downloads(links))
        progress.step(f"real module: upload on {links}")
        table.rows.append(await real.uploads(links))
    if options.echo is None:
        table.notes.append("no latency: --echo was not given")
        return
    for beside in (0, min(9, counts[-1])):
        progress.step(f"real module: ping beside {beside} downloads")
        table.rows.append(await real.pings(beside))


async def _receive(stream: trio.SocketStream, meter: Meter) -> None:
    try:
        while data := await stream.receive_some():
            meter.note(time.monotonic(), len(data))
    except trio.BrokenResourceError as error:
        raise BenchError("a download was reset") from error
    raise BenchError("the source ended: it must send without end")


async def _first(meter: Meter) -> None:
    with trio.move_on_after(_READY_S):
        while not meter.total:  # noqa: ASYNC110 - a meter has no event
            await trio.sleep(0.02)
        return
    raise BenchError("nothing arrives from the source")

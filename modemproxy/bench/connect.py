"""Scenario connect: from a client's connect to its first byte from the far side.

The far side says 32 bytes as soon as it is reached: an open, a notice, a read.
"""

import time
from collections.abc import AsyncIterator
from typing import Final

import trio

from modemproxy.bench.clients import clients
from modemproxy.bench.far import BANNER, HOST
from modemproxy.bench.figures import percentile
from modemproxy.bench.limits import Line
from modemproxy.bench.measure import settle
from modemproxy.bench.options import Options
from modemproxy.bench.progress import Progress
from modemproxy.bench.proxy import Proxy, proxied
from modemproxy.bench.runs import services_for
from modemproxy.bench.table import Column, Row, Table, words
from modemproxy.bench.wire import Wire
from modemproxy.bench.world import BenchError, World, emulated

_SERVICE: Final = "banner1"
_GAP_S: Final = 0.2

COLUMNS: Final = (
    words("load", "beside"),
    words("driver", "driver"),
    Column("opens", "opens"),
    Column("p50", "p50 ms"),
    Column("max", "max ms"),
    Column("over", "p50 - bare ms"),
)
_NOTES: Final = ("bare: CIPOPEN, the notice, a read, on a module that does nothing else",)


async def run(options: Options, progress: Progress) -> AsyncIterator[Table]:
    """Measure; one table for each line."""
    links = min(9, *options.link_counts(9))
    seconds = options.window_s(5.0)
    for line in options.lines((921600, 5), (115200, 5)):
        table = Table("connect", f"{line}, {seconds:g} s each", COLUMNS, bars=("p50", "max"))
        table.notes += _NOTES
        async with emulated(line, {}) as world:
            await _measure(world, links, seconds, table.rows, progress)
        yield table


async def _measure(
    world: World, links: int, seconds: float, rows: list[Row], progress: Progress
) -> None:
    line = world.line
    least = line.first_byte_s(HOST, world.ports[_SERVICE], BANNER)
    rows.append(_row(line, "nothing", "arithmetic", [least]) | {"opens": None})
    progress.step(f"connect {line}: bare")
    bare = _bare(world, seconds)
    rows.append(_row(line, "nothing", "bare", bare))
    usual = percentile(bare, 50)
    both = services_for("both", links)
    async with proxied(world, [*both, _SERVICE]) as proxy:
        progress.step(f"connect {line}: proxy")
        alone = await _opens(world, proxy, seconds)
        rows.append(_row(line, "nothing", "proxy", alone, usual))
        progress.step(f"connect {line} beside {links} links both ways: proxy")
        async with clients(proxy, both) as loaded:
            await settle(loaded)
            busy = await _opens(world, proxy, seconds)
        beside = f"{links} links both ways"
        rows.append(_row(line, beside, "proxy", busy, usual))


def _row(
    line: Line, load: str, driver: str, times: list[float], usual: float | None = None
) -> Row:
    row: Row = {**line.as_row(), "load": load, "driver": driver, "opens": len(times)}
    middle = percentile(times, 50)
    row["over"] = None if usual is None else (middle - usual) * 1000
    return row | {"p50": middle * 1000, "max": percentile(times, 100) * 1000}


def _bare(world: World, seconds: float) -> list[float]:
    wire = Wire(world.tty, world.line.baudrate)
    try:
        wire.start()
        times = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            times.append(_bare_open(wire, world.ports[_SERVICE]))
        wire.stop()
    finally:
        wire.close()
    return times


def _bare_open(wire: Wire, port: int) -> float:
    started = time.monotonic()
    wire.open(0, HOST, port)
    wire.wait_hint(0)
    data, _ = wire.read(0, 1460)
    took = time.monotonic() - started
    if len(data) != BANNER:
        raise BenchError(f"the bare loop read {len(data)} bytes of {BANNER}")
    wire.close_link(0)
    return took


async def _opens(world: World, proxy: Proxy, seconds: float) -> list[float]:
    """Connect again and again; each time the link before is free again."""
    times = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        times.append(await _first_bytes(proxy))
        while _SERVICE in (await world.counters()).open.values():  # noqa: ASYNC110
            await trio.sleep(0.02)
        await trio.sleep(_GAP_S)
    return times


async def _first_bytes(proxy: Proxy) -> float:
    started = time.monotonic()
    got = b""
    async with await proxy.connect(_SERVICE) as stream:
        while len(got) < BANNER:
            data = await stream.receive_some()
            if not data:
                raise BenchError("a connection ended before its first bytes")
            got += data
        return time.monotonic() - started

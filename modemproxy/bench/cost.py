"""Scenario cost: CPU and memory of the proxy; what the host adds to each exchange.

Time of the host: the wall time of an exchange less what its bytes take on the wire and
less the module's turn-arounds (two in a send, one in everything else). The bare loop's
figure is what pty, kernel and emulator take by themselves.
"""

from collections.abc import AsyncIterator
from typing import Final

import trio

from modemproxy.bench.clients import clients
from modemproxy.bench.figures import ratio, slope
from modemproxy.bench.goodput import Case
from modemproxy.bench.limits import DIRECTIONS, Direction, Line
from modemproxy.bench.loops import run_loop
from modemproxy.bench.measure import measure_load, settle
from modemproxy.bench.options import Options
from modemproxy.bench.progress import Progress
from modemproxy.bench.proxy import Proxy, proxied
from modemproxy.bench.runs import Run
from modemproxy.bench.table import Column, Row, Table, words
from modemproxy.bench.world import World, emulated

_SAMPLE_S: Final = 0.5

CPU: Final = (
    words("direction", "way"),
    words("driver", "driver"),
    Column("goodput", "kB/s"),
    Column("exchanges", "exch/s", 0),
    Column("wall", "wall us", 0),
    Column("wire", "wire us", 0),
    Column("module", "module us", 0),
    Column("host", "host us", 0),
    Column("cpu_per_exchange", "CPU us", 0),
    Column("cpu", "CPU %"),
    Column("cpu_per_mb", "CPU s/MB", 3),
    Column("wrong", "wrong"),
)
MEMORY: Final = (
    words("load", "load"),
    Column("seconds", "seconds", 0),
    Column("start", "RSS start MB"),
    Column("end", "RSS end MB"),
    Column("slope", "MB/min, second half", 2),
)
_NOTES: Final = (
    "per exchange: wall = wire + module (latency) + host; host of bare is pty and emulator",
    "CPU is that of the proxy process alone, user and system",
)


async def run(options: Options, progress: Progress) -> AsyncIterator[Table]:
    """Measure; two tables for each line."""
    links = options.link_counts(1)[0]
    seconds = options.window_s(4.0)
    for line in options.lines((921600, 5), (3686400, 0)):
        title = f"{line}, {links} link, {seconds:g} s each"
        table = Table("cost", title, CPU, bars=("host", "cpu_per_exchange"))
        table.notes += _NOTES
        memory = Table("cost", f"memory, {line}, 10 links both ways", MEMORY)
        async with emulated(line, {}) as world:
            cases = [Case(direction, links) for direction in DIRECTIONS]
            await _measure(world, cases, seconds, table.rows, progress)
            memory.rows.append(await _memory(world, seconds * 3, progress))
        yield table
        yield memory


async def _measure(
    world: World, cases: list[Case], seconds: float, rows: list[Row], progress: Progress
) -> None:
    for case in cases:
        progress.step(f"cost {world.line} {case.direction}: bare loop")
        ran = await run_loop(world, case.jobs("best"), seconds)
        rows.append(_row(world.line, case.direction, "bare", ran))
    async with proxied(world, [name for case in cases for name in case.services]) as proxy:
        for case in cases:
            progress.step(f"cost {world.line} {case.direction}: proxy")
            ran = await measure_load(world, proxy, case.services, seconds)
            rows.append(_row(world.line, case.direction, "proxy", ran))


def _row(line: Line, direction: Direction, driver: str, ran: Run) -> Row:
    total = ran.counted.total
    turns = total + ran.counted.commands.get("+CIPSEND", 0)
    wall = ratio(ran.seconds, total)
    wire = ratio(line.wire_s(ran.counted.wire_bytes), total)
    module = ratio(turns * line.latency_s, total)
    row: Row = {**line.as_row(), "direction": direction, "driver": driver}
    row |= {"goodput": ran.goodput / 1000, "exchanges": total / ran.seconds}
    row |= {"wall": wall * 1e6, "wire": wire * 1e6, "module": module * 1e6}
    row |= {"host": (wall - wire - module) * 1e6, "wrong": ran.wrong}
    row |= {"cpu_per_exchange": ratio(ran.cpu_s, total) * 1e6, "cpu_per_mb": ran.cpu_per_mb}
    return row | {"cpu": ran.cpu_s / ran.seconds * 100}


async def _memory(world: World, seconds: float, progress: Progress) -> Row:
    """Saturate ten links both ways and watch the process."""
    services = Case("both", 10).services
    progress.step(f"cost {world.line}: memory of a saturated proxy")
    async with proxied(world, services) as proxy, clients(proxy, services) as loaded:
        await settle(loaded)
        samples = await _samples(proxy, seconds)
    half = samples[len(samples) // 2 :]
    row: Row = {**world.line.as_row(), "load": "10 links both ways", "seconds": seconds}
    row |= {"start": samples[0][1], "end": samples[-1][1]}
    return row | {"slope": slope(half) * 60}


async def _samples(proxy: Proxy, seconds: float) -> list[tuple[float, float]]:
    samples = [(0.0, proxy.cost().rss_mb)]
    while samples[-1][0] < seconds:
        await trio.sleep(_SAMPLE_S)
        samples.append((samples[-1][0] + _SAMPLE_S, proxy.cost().rss_mb))
    return samples

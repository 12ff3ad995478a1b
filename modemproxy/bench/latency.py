"""Scenario latency: a small ping alone, beside bulk both ways, and beside downloads.

The next ping goes 100 ms after the answer to the one before, as a person types.
"""

from collections.abc import AsyncIterator
from typing import Final

import trio

from modemproxy.at.transfer import CHUNK
from modemproxy.bench.clients import Pinger, clients
from modemproxy.bench.figures import percentile, ratio
from modemproxy.bench.limits import Direction, Line
from modemproxy.bench.loops import PING, PING_PAUSE_S, Both, Down, Job, Ping, Style, run_loop
from modemproxy.bench.measure import settle, window
from modemproxy.bench.options import Options
from modemproxy.bench.progress import Progress
from modemproxy.bench.proxy import Proxy, proxied
from modemproxy.bench.runs import Run, services_for
from modemproxy.bench.table import Column, Row, Table, words
from modemproxy.bench.world import World, emulated

Load = Direction | None

_LOADS: Final[tuple[Load, ...]] = (None, "both", "down")
_BESIDE: Final[dict[Load, str]] = {
    None: "nothing",
    "both": "bulk both ways",
    "down": "downloads",
}
_ECHO: Final = "echo9"
#: After the pings stop, so long until bulk must be back at full speed.
_CALM_S: Final = 2.0

COLUMNS: Final = (
    words("load", "beside"),
    words("driver", "driver"),
    Column("pings", "pings"),
    Column("p50", "p50 ms"),
    Column("p99", "p99 ms"),
    Column("max", "max ms"),
    Column("bound", "bound ms"),
    Column("bulk", "bulk kB/s"),
    Column("bulk_share", "of limit", 3),
    Column("after_share", "2 s later", 3),
    Column("wrong", "wrong"),
)
_NOTES: Final = (
    "arithmetic: a send and a read; bound: two full exchanges of others, then those",
    "bulk and its share of the half-duplex limit while pinging; then from 2 s after the last",
    "bare: the ping alone; round robin: every link in turn, 1460 bytes, no query;",
    "typical: CIPRXGET=4, then 64 bytes, 500 ms polls; one p99 of n pings is their maximum",
)


async def run(options: Options, progress: Progress) -> AsyncIterator[Table]:
    """Measure; one table for each line."""
    links = min(9, *options.link_counts(9))
    seconds = options.window_s(6.0)
    for line in options.lines((921600, 5), (115200, 5)):
        title = f"{PING}-byte pings, {line}, {links} bulk links, {seconds:g} s each"
        table = Table("latency", title, COLUMNS, bars=("p50", "p99"), notes=list(_NOTES))
        async with emulated(line, {}) as world:
            await _measure(world, links, seconds, table.rows, progress)
        yield table


async def _measure(
    world: World, links: int, seconds: float, rows: list[Row], progress: Progress
) -> None:
    line = world.line
    lone = line.echo_s(PING) * 1000
    rows.append({**_head(line, None, "arithmetic"), "p50": lone, "p99": lone, "max": lone})
    for load in _LOADS:
        for driver, style in _baselines(load):
            progress.step(f"latency {line} beside {load}: {driver}")
            jobs = [*_bulk_jobs(load, links, style), Ping(_ECHO, style)]
            ran = await run_loop(world, jobs, seconds)
            rows.append({**_head(line, load, driver), **_figures(line, load, ran)})
    services = [name for load in _LOADS for name in _services(load, links)]
    async with proxied(world, [*services, _ECHO]) as proxy:
        for load in _LOADS:
            progress.step(f"latency {line} beside {load}: proxy")
            rows.append(await _ours(world, proxy, load, links, seconds))
    order = [_BESIDE[load] for load in _LOADS]
    rows.sort(key=lambda row: order.index(str(row["load"])))  # what belongs together


def _baselines(load: Load) -> list[tuple[str, Style]]:
    return [("bare" if load is None else "round robin", "best"), ("typical", "typical")]


def _services(load: Load, links: int) -> list[str]:
    return [] if load is None else services_for(load, links)


def _bulk_jobs(load: Load, links: int, style: Style) -> list[Job]:
    job = Both if load == "both" else Down
    return [job(service, style) for service in _services(load, links)]


def _head(line: Line, load: Load, driver: str) -> Row:
    bound = line.echo_s(PING) + (0 if load is None else 2 * line.send_s(CHUNK))
    row: Row = {**line.as_row(), "load": _BESIDE[load], "driver": driver}
    return {**row, "bound": bound * 1000}


def _figures(line: Line, load: Load, ran: Run) -> Row:
    row: Row = {"pings": len(ran.times), "wrong": ran.wrong}
    for key, percent in (("p50", 50), ("p99", 99), ("max", 100)):
        row[key] = percentile(ran.times, percent) * 1000
    if load is not None:
        row["bulk"] = ran.goodput / 1000
        row["bulk_share"] = ratio(ran.goodput, line.goodput(load))
    return row


async def _ours(world: World, proxy: Proxy, load: Load, links: int, seconds: float) -> Row:
    row = _head(world.line, load, "proxy")
    async with clients(proxy, _services(load, links)) as loaded:
        await settle(loaded)
        async with await proxy.connect(_ECHO) as stream, trio.open_nursery() as nursery:
            pinger = Pinger(stream, PING, PING_PAUSE_S)
            await pinger.ping(bytes(PING))  # the connection is open from here on
            nursery.start_soon(pinger.run)
            ran = await window(world, proxy, loaded, seconds, pinger)
            nursery.cancel_scope.cancel()
        row |= _figures(world.line, load, ran)
        if load is not None:
            await trio.sleep(_CALM_S)
            calm = await window(world, proxy, loaded, min(seconds, 3.0))
            row["after_share"] = ratio(calm.goodput, world.line.goodput(load))
    await world.wait_no_links()
    return row

"""Scenario fairness: equal links, weighted links, small sends beside a bulk upload."""

import statistics
from collections.abc import AsyncIterator
from typing import Final

import trio

from modemproxy.bench.airtime import airtime
from modemproxy.bench.clients import clients, send_small
from modemproxy.bench.figures import jain, ratio, shares
from modemproxy.bench.goodput import Case
from modemproxy.bench.limits import DIRECTIONS, Direction, Line
from modemproxy.bench.loops import Up, run_loop
from modemproxy.bench.measure import measure_load, settle, window
from modemproxy.bench.options import Options
from modemproxy.bench.progress import Progress
from modemproxy.bench.proxy import Proxy, proxied
from modemproxy.bench.runs import Run
from modemproxy.bench.table import Column, Row, Table, words
from modemproxy.bench.world import World, emulated

_WEIGHTS: Final = {"interactive": 4, "normal": 2, "bulk": 1}
_SMALL: Final = 20
_SMALL_PAUSE_S: Final = 0.005
_BULK, _LITTLE = "sink0", "sink1"

EQUAL: Final = (
    words("direction", "way"),
    words("driver", "driver"),
    Column("links", "links"),
    Column("jain", "Jain", 4),
    Column("least", "least/mean", 3),
    Column("most", "most/mean", 3),
    Column("goodput", "kB/s"),
    Column("wrong", "wrong"),
)
WEIGHTED: Final = (
    words("direction", "way"),
    words("class", "class"),
    Column("weight", "weight"),
    Column("rate", "kB/s"),
    Column("share", "share", 3),
    Column("expected", "expected", 3),
    Column("honoured", "share/expected", 3),
)
SMALL: Final = (
    words("driver", "driver"),
    words("link", "link"),
    Column("sends", "sends"),
    Column("mean", "bytes/send", 0),
    Column("rate", "kB/s", 2),
    Column("airtime", "airtime share", 3),
)

_SMALL_NOTES: Final = (
    f"robin sends {_SMALL} bytes in every turn; the proxy's client writes {_SMALL} bytes",
    f"every {_SMALL_PAUSE_S * 1000:g} ms, and the proxy may put several into one send",
)


async def run(options: Options, progress: Progress) -> AsyncIterator[Table]:
    """Measure; three tables for each line."""
    links = min(9, *options.link_counts(9))
    seconds = options.window_s(8.0)
    for line in options.lines((921600, 5)):
        of = f"{line}, {seconds:g} s each"
        equal = Table("fairness", f"equal links, {of}", EQUAL, bars=("jain",))
        weighted = Table("fairness", f"classes, {of}", WEIGHTED, bars=("share", "expected"))
        small = Table("fairness", f"{_SMALL}-byte sends beside a bulk upload, {of}", SMALL)
        small.bars = ("airtime",)
        small.notes += _SMALL_NOTES
        async with emulated(line, {}) as world:
            cases = [Case(direction, links) for direction in DIRECTIONS]
            await _baselines(world, cases, seconds, equal, small, progress)
            await _ours(world, cases, seconds, (equal, weighted, small), progress)
        for table in (equal, weighted, small):
            yield table


async def _baselines(
    world: World, cases: list[Case], seconds: float, equal: Table, small: Table, p: Progress
) -> None:
    for case in cases:
        p.step(f"fairness {world.line} {case.direction}: round robin")
        ran = await run_loop(world, case.jobs("best"), seconds)
        equal.rows.append(_equal_row(world.line, case, "robin", ran))
    p.step(f"fairness {world.line} small sends: round robin")
    jobs = [Up(_BULK, "best"), Up(_LITTLE, "best", _SMALL)]
    small.rows += _small_rows(world.line, "robin", await run_loop(world, jobs, seconds))


async def _ours(
    world: World,
    cases: list[Case],
    seconds: float,
    tables: tuple[Table, Table, Table],
    progress: Progress,
) -> None:
    equal, weighted, small = tables
    names = {name for case in cases for name in case.services}
    async with proxied(world, names | {_BULK, _LITTLE}) as proxy:
        for case in cases:
            progress.step(f"fairness {world.line} {case.direction}: proxy")
            ran = await measure_load(world, proxy, case.services, seconds)
            equal.rows.append(_equal_row(world.line, case, "proxy", ran))
        progress.step(f"fairness {world.line} small sends: proxy")
        small.rows += await _small(world, proxy, seconds)
    for direction in DIRECTIONS:
        progress.step(f"fairness {world.line} classes {direction}: proxy")
        weighted.rows += await _weights(world, direction, seconds)


def _equal_row(line: Line, case: Case, driver: str, ran: Run) -> Row:
    rates = [ran.by_link().get(service, 0.0) for service in case.services]
    mean = statistics.fmean(rates)
    return {
        **line.as_row(),
        "direction": case.direction,
        "driver": driver,
        "links": case.links,
        "jain": jain(rates),
        "least": ratio(min(rates), mean),
        "most": ratio(max(rates), mean),
        "goodput": ran.goodput / 1000,
        "wrong": ran.wrong,
    }


async def _weights(world: World, direction: Direction, seconds: float) -> list[Row]:
    """Three links of different classes, all with more to do than there is line."""
    services = Case(direction, len(_WEIGHTS)).services
    classes = dict(zip(services, _WEIGHTS, strict=True))
    async with proxied(world, services, classes) as proxy:
        ran = await measure_load(world, proxy, services, seconds)
    rates = [ran.by_link().get(service, 0.0) for service in services]
    rows: list[Row] = []
    for (name, weight), rate, share in zip(_WEIGHTS.items(), rates, shares(rates), strict=True):
        expected = weight / sum(_WEIGHTS.values())
        row: Row = {**world.line.as_row(), "direction": direction, "class": name}
        row |= {"weight": weight, "rate": rate / 1000, "share": share}
        rows.append(row | {"expected": expected, "honoured": share / expected})
    return rows


async def _small(world: World, proxy: Proxy, seconds: float) -> list[Row]:
    async with (
        clients(proxy, [_BULK]) as loaded,
        await proxy.connect(_LITTLE) as stream,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(send_small, stream, _SMALL, _SMALL_PAUSE_S)
        await settle(loaded)
        ran = await window(world, proxy, loaded, seconds)
        nursery.cancel_scope.cancel()
    await world.wait_no_links()
    return _small_rows(world.line, "proxy", ran)


def _small_rows(line: Line, driver: str, ran: Run) -> list[Row]:
    used = airtime(line, ran)
    total = sum(used.values())
    tallies = {name: ran.counted.links.get(key, {}) for key, name in ran.counted.open.items()}
    rows: list[Row] = []
    for service, what in ((_BULK, "bulk"), (_LITTLE, f"{_SMALL} bytes")):
        tally = tallies.get(service, {})
        row: Row = {**line.as_row(), "driver": driver, "link": what}
        row["sends"] = tally.get("sends")
        row["mean"] = ratio(tally.get("send_bytes", 0), tally.get("sends", 0))
        row["rate"] = ran.by_link().get(service, 0.0) / 1000
        rows.append(row | {"airtime": ratio(used.get(service, 0.0), total)})
    return rows

"""Scenario busy: the module refuses sends, and nobody else may suffer.

now and then   30 % of sends are refused for no reason to be seen
one link       every send on one of four links is refused for a while
slow network   4 kB/s behind a send buffer of 6 kB: refusals are the rule
"""

import time
from collections.abc import AsyncIterator
from typing import Final

import trio

from modemproxy.bench.clients import clients
from modemproxy.bench.figures import rate, ratio
from modemproxy.bench.goodput import Case
from modemproxy.bench.limits import Line
from modemproxy.bench.loops import run_loop
from modemproxy.bench.measure import measure_load, settle, window
from modemproxy.bench.options import Options
from modemproxy.bench.progress import Progress
from modemproxy.bench.proxy import proxied
from modemproxy.bench.runs import Run
from modemproxy.bench.table import Column, Row, Table, words
from modemproxy.bench.world import World, emulated

_PROBABILITY: Final = 0.3
_LINKS: Final = 4
_BUSY_S: Final = 20.0
_WAN_RATE: Final = 4000
_WAN_BUFFER: Final = 6000

COLUMNS: Final = (
    words("case", "case"),
    words("driver", "driver"),
    Column("seconds", "seconds"),
    Column("rate", "kB/s", 2),
    Column("reference", "could be kB/s", 2),
    Column("share", "share", 3),
    Column("busy_rate", "busy/s"),
    Column("back_after", "back after s", 2),
    Column("wrong", "wrong"),
)
_NOTES: Final = (
    "could be: the limit of the line; for the slow network its rate; bare tries again at once",
    "one link busy: rate of the other three; back after: until the busy one sends again",
)


async def run(options: Options, progress: Progress) -> AsyncIterator[Table]:
    """Measure; one table for each line."""
    seconds = options.window_s(5.0)
    held = options.seconds or (4.0 if options.quick else _BUSY_S)
    for line in options.lines((921600, 5), (115200, 5)):
        table = Table("busy", f"uploads, {line}", COLUMNS, bars=("rate", "reference"))
        table.notes += _NOTES
        table.rows += await _now_and_then(line, seconds, progress)
        table.rows.append(await _one_link(line, held, progress))
        table.rows += await _slow_network(line, seconds, progress)
        yield table


async def _now_and_then(line: Line, seconds: float, progress: Progress) -> list[Row]:
    case = f"{_PROBABILITY:.0%} of sends"
    limit = line.goodput("up")
    rows = []
    async with emulated(line, {"busy_probability": _PROBABILITY}) as world:
        for links in (1, _LINKS):
            runs = await _both_drivers(world, links, seconds, f"busy {case}", progress)
            what = f"{case}, {links} link{'s' * (links > 1)}"
            rows += [_row(line, what, driver, ran, limit) for driver, ran in runs.items()]
    return rows


async def _slow_network(line: Line, seconds: float, progress: Progress) -> list[Row]:
    options = {"wan_rate_bytes_s": float(_WAN_RATE), "send_buffer_bytes": _WAN_BUFFER}
    case = f"network of {_WAN_RATE / 1000:g} kB/s"
    async with emulated(line, options) as world:
        runs = await _both_drivers(world, 1, seconds, f"busy {case}", progress)
    return [_row(line, case, driver, ran, _WAN_RATE) for driver, ran in runs.items()]


async def _both_drivers(
    world: World, links: int, seconds: float, what: str, progress: Progress
) -> dict[str, Run]:
    case = Case("up", links)
    progress.step(f"{what} {world.line}, {links} links: bare loop")
    bare = await run_loop(world, case.jobs("best"), seconds)
    progress.step(f"{what} {world.line}, {links} links: proxy")
    async with proxied(world, case.services) as proxy:
        ours = await measure_load(world, proxy, case.services, seconds)
    return {"bare": bare, "proxy": ours}


async def _one_link(line: Line, seconds: float, progress: Progress) -> Row:
    services = Case("up", _LINKS).services
    progress.step(f"busy one link {line}: proxy")
    async with (
        emulated(line, {}) as world,
        proxied(world, services) as proxy,
        clients(proxy, services) as loaded,
    ):
        await settle(loaded)
        open_links = (await world.counters()).open.items()
        number = next(int(link) for link, service in open_links if service == services[0])
        await world.set_profile(busy_link=number)
        ran = await window(world, proxy, loaded, seconds)
        await world.set_profile(busy_link=None)
        back = await _back_after(world, services[0])
    others = [arrival for name in services[1:] for arrival in ran.up.get(name, [])]
    row = _row(line, f"link busy, {_LINKS - 1} others", "proxy", ran, line.goodput("up"))
    row["rate"] = rate(others) / 1000
    row["share"] = ratio(rate(others), line.goodput("up"))
    return row | {"back_after": back}


async def _back_after(world: World, service: str) -> float:
    """Return how long it takes until something arrives again."""
    since = time.monotonic()
    with trio.move_on_after(10):
        while not (window := (await world.arrivals(since, since + 60)).get(service)):  # noqa: ASYNC110
            await trio.sleep(0.02)
        return window[0][0] - since
    return float("nan")


def _row(line: Line, case: str, driver: str, ran: Run, limit: float) -> Row:
    return {
        **line.as_row(),
        "case": case,
        "driver": driver,
        "seconds": ran.seconds,
        "rate": ran.goodput / 1000,
        "reference": limit / 1000,
        "share": ratio(ran.goodput, limit),
        "busy_rate": ran.counted.busy / ran.seconds,
        "wrong": ran.wrong,
    }

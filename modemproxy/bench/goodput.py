"""Scenario goodput: bulk up, down and both ways, on one and on several links."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from modemproxy.bench.figures import ratio
from modemproxy.bench.limits import DIRECTIONS, Direction, Line
from modemproxy.bench.loops import Both, Down, Job, Style, Up, run_loop
from modemproxy.bench.measure import measure_load
from modemproxy.bench.options import Options
from modemproxy.bench.progress import Progress
from modemproxy.bench.proxy import proxied
from modemproxy.bench.runs import Run, services_for
from modemproxy.bench.table import Column, Row, Table, number, words
from modemproxy.bench.world import World, emulated

_JOBS: Final[dict[Direction, type[Job]]] = {"up": Up, "down": Down, "both": Both}

COLUMNS: Final = (
    words("direction", "way"),
    words("links", "links"),
    Column("limit", "limit kB/s"),
    Column("bare", "bare kB/s"),
    Column("proxy", "proxy kB/s"),
    Column("of_bare", "of bare", 3),
    Column("of_limit", "of limit", 3),
    Column("robin", "robin kB/s"),
    Column("typical", "typical kB/s"),
    Column("over_typical", "x typical", 1),
    Column("commands_per_kb", "cmds/kB", 2),
    Column("cpu_per_mb", "CPU s/MB", 2),
    Column("wrong", "wrong"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One row to measure."""

    direction: Direction
    links: int

    @property
    def services(self) -> list[str]:
        """The far services that load it."""
        return services_for(self.direction, self.links)

    def jobs(self, style: Style) -> list[Job]:
        """Return what a loop does for it."""
        return [_JOBS[self.direction](service, style) for service in self.services]


async def run(options: Options, progress: Progress) -> AsyncIterator[Table]:
    """Measure; one table for each line."""
    counts = options.link_counts(1, 3, 9)
    cases = [Case(direction, links) for direction in DIRECTIONS for links in counts]
    seconds = options.window_s(3.0)
    for line in options.lines((921600, 5), (115200, 5)):
        title = f"{line}, {seconds:g} s each"
        table = Table("goodput", title, COLUMNS, bars=_BARS, notes=list(_NOTES))
        async with emulated(line, {}) as world:
            table.rows = await _measure(world, cases, seconds, progress)
        yield table


_BARS: Final = ("limit", "bare", "proxy", "robin", "typical")
_NOTES: Final = (
    "limit: arithmetic of the half-duplex line; bare: the same commands, nothing else",
    "robin: plain round robin, 1460 bytes, no query (on one link that is the bare loop)",
    "typical: asks CIPRXGET=4, reads 64 bytes, polls every 500 ms; sends 1460 at once",
)


async def _measure(
    world: World, cases: Sequence[Case], seconds: float, progress: Progress
) -> list[Row]:
    rows = []
    for case in cases:
        rows.append(await _compared(world, case, seconds, progress))
    services = {service for case in cases for service in case.services}
    async with proxied(world, services) as proxy:
        for case, row in zip(cases, rows, strict=True):
            progress.step(f"goodput {world.line} {case.direction} {case.links}: proxy")
            ours = await measure_load(world, proxy, case.services, seconds)
            row.update(_ours(row, ours))
    return rows


async def _compared(world: World, case: Case, seconds: float, progress: Progress) -> Row:
    """Return the row of a case without the proxy's part."""
    what = f"goodput {world.line} {case.direction} {case.links}"
    progress.step(f"{what}: bare loop")
    bare = await run_loop(world, case.jobs("best"), seconds)
    progress.step(f"{what}: typical driver")
    typical = await run_loop(world, case.jobs("typical"), min(seconds, 2.0))
    robin = None
    if case.links > 1:
        progress.step(f"{what}: round robin")
        robin = await run_loop(world, case.jobs("best"), seconds)
    return _row(world.line, case, bare, typical, robin)


def _row(line: Line, case: Case, bare: Run, typical: Run, robin: Run | None) -> Row:
    return {
        **line.as_row(),
        "direction": case.direction,
        "links": case.links,
        "limit": line.goodput(case.direction) / 1000,
        "bare": bare.goodput / 1000,
        "robin": robin.goodput / 1000 if robin else None,
        "typical": typical.goodput / 1000,
        "bare_commands_per_kb": bare.commands_per_kb,
        "wrong": bare.wrong + typical.wrong,
    }


def _ours(row: Row, ours: Run) -> Row:
    rate = ours.goodput / 1000
    return {
        "proxy": rate,
        "proxy_up": ours.rate_up / 1000,
        "proxy_down": ours.rate_down / 1000,
        "of_bare": ratio(rate, number(row["bare"])),
        "of_limit": ratio(rate, number(row["limit"])),
        "over_typical": ratio(rate, number(row["typical"])),
        "commands_per_kb": ours.commands_per_kb,
        "cpu_per_mb": ours.cpu_per_mb,
        "wrong": int(number(row["wrong"])) + ours.wrong,
    }

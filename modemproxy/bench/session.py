"""A run of the bench: scenario after scenario, each table as soon as it is there."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Final

from modemproxy.bench import busy, connect, cost, fairness, goodput, idle, latency, real
from modemproxy.bench.options import Options, conditions
from modemproxy.bench.progress import Progress
from modemproxy.bench.table import Table

Scenario = Callable[[Options, Progress], AsyncIterator[Table]]

RUNNERS: Final[dict[str, Scenario]] = {
    "goodput": goodput.run,
    "latency": latency.run,
    "fairness": fairness.run,
    "connect": connect.run,
    "idle": idle.run,
    "cost": cost.run,
    "busy": busy.run,
}


async def run_session(options: Options) -> int:
    """Measure everything that was asked for, and print it.

    Returns:
        The exit code: 1 if bytes did not arrive as they were sent.
    """
    circumstances = conditions()
    if not options.json:
        said = ", ".join(f"{key} {value}" for key, value in circumstances.items())
        _print(f"modemproxy bench: {said}\n")
    tables = [table async for table in _tables(options)]
    if options.json:
        report = {"conditions": circumstances, "tables": [t.as_json() for t in tables]}
        _print(json.dumps(report, indent=2))
    if options.plot is not None:
        from modemproxy.bench.plot import draw

        draw(tables, options.plot)
    return 1 if any(row.get("wrong") for table in tables for row in table.rows) else 0


async def _tables(options: Options) -> AsyncIterator[Table]:
    progress = Progress()
    for run in _runners(options):
        async for table in run(options, progress):
            progress.done()
            if not options.json:
                _print(table.as_text() + "\n")
            yield table
    progress.done()


def _runners(options: Options) -> list[Scenario]:
    if options.config is not None:
        return [real.run]
    return [RUNNERS[name] for name in options.scenarios]


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()

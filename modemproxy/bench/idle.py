"""Scenario idle: what the proxy costs with nothing open, and with ten idle links."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import trio

from modemproxy.bench.clients import Pinger
from modemproxy.bench.measure import window
from modemproxy.bench.options import Options
from modemproxy.bench.progress import Progress
from modemproxy.bench.proxy import Proxy, proxied
from modemproxy.bench.runs import Run
from modemproxy.bench.table import Column, Row, Table, words
from modemproxy.bench.world import emulated

_LINKS: Final = 10
_SETTLE_S: Final = 10.0
_SETTLE_QUICK_S: Final = 2.0

COLUMNS: Final = (
    words("open", "open"),
    Column("quiet_for", "quiet for s", 0),
    Column("seconds", "measured s", 0),
    Column("commands", "commands"),
    Column("rate", "commands/s", 2),
    Column("cpu", "CPU %", 2),
    Column("rss", "RSS MB"),
)


async def run(options: Options, progress: Progress) -> AsyncIterator[Table]:
    """Measure; one table for each line."""
    seconds = options.window_s(15.0)
    quiet = _SETTLE_QUICK_S if options.quick else _SETTLE_S
    names = [f"echo{index}" for index in range(_LINKS)]
    for line in options.lines((115200, 5)):
        table = Table("idle", str(line), COLUMNS, bars=("rate",))
        table.notes.append("each link carried 32 bytes there and back, then nothing")
        async with emulated(line, {}) as world, proxied(world, names) as proxy:
            progress.step(f"idle {line}: nothing open")
            await trio.sleep(quiet)
            ran = await window(world, proxy, (), seconds)
            table.rows.append(_row("nothing", quiet, ran))
            async with AsyncExitStack() as stack:
                for name in names:
                    await _open(stack, proxy, name)
                progress.step(f"idle {line}: {_LINKS} links open")
                await trio.sleep(quiet)
                ran = await window(world, proxy, (), seconds)
                table.rows.append(_row(f"{_still_open(ran)} links", quiet, ran))
        yield table


async def _open(stack: AsyncExitStack, proxy: Proxy, name: str) -> None:
    stream = await stack.enter_async_context(await proxy.connect(name))
    await Pinger(stream, 32, 0).ping(bytes(32))


def _still_open(ran: Run) -> int:
    return len(ran.counted.open)


def _row(what: str, quiet_s: float, ran: Run) -> Row:
    return {
        "open": what,
        "quiet_for": quiet_s,
        "seconds": ran.seconds,
        "commands": ran.counted.total,
        "rate": ran.counted.total / ran.seconds,
        "cpu": ran.cpu_s / ran.seconds * 100,
        "rss": ran.after.rss_mb if ran.after else None,
    }

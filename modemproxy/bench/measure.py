"""Measure the proxy under load: clients run, a window is cut out of it."""

import time
from collections.abc import Iterable, Sequence

import trio

from modemproxy.bench.clients import Client, Pinger, clients
from modemproxy.bench.proxy import Proxy
from modemproxy.bench.runs import Run
from modemproxy.bench.world import World

_FIRST_BYTES_S = 15.0
_SETTLE_S = 1.0


async def measure_load(
    world: World, proxy: Proxy, services: Sequence[str], seconds: float
) -> Run:
    """Load the proxy and measure a window of ``seconds``, once everything moves."""
    async with clients(proxy, services) as loaded:
        await settle(loaded)
        run = await window(world, proxy, loaded, seconds)
    await world.wait_no_links()
    return run


async def settle(loaded: Iterable[Client]) -> None:
    """Wait until every download moves, then a little more for buffers to fill."""
    receiving = [client for client in loaded if not client.service.startswith("sink")]
    with trio.move_on_after(_FIRST_BYTES_S):
        while not all(client.meter.total for client in receiving):  # noqa: ASYNC110
            await trio.sleep(0.02)
    await trio.sleep(_SETTLE_S)


async def window(
    world: World,
    proxy: Proxy,
    loaded: Iterable[Client],
    seconds: float,
    pinger: Pinger | None = None,
) -> Run:
    """Measure what goes on for ``seconds``."""
    begun = await world.counters()
    before, since = proxy.cost(), time.monotonic()
    await trio.sleep(seconds)
    until, after = time.monotonic(), proxy.cost()
    run = Run(since, until, (await world.counters()).since(begun), before=before, after=after)
    run.up = await world.arrivals(since, until)
    for client in loaded:
        run.note_received(client.service, client.meter)
    run.wrong += run.counted.wrong
    if pinger is not None:
        run.times = pinger.since(since)
        run.wrong += pinger.wrong
    return run

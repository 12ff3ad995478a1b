"""A module on a bench with link 0 open, and the far end of that."""

from typing import Any

import trio

from modemproxy.emulator.byhand import Bench, bench
from modemproxy.emulator.far_stream import FarStream


async def opened(nursery: trio.Nursery, **options: Any) -> tuple[Bench, FarStream]:
    """Open link 0; the far host does nothing by itself."""
    b = bench(nursery, **options)
    far: list[FarStream] = []

    async def keep(stream: FarStream) -> None:
        far.append(stream)
        await trio.sleep_forever()

    b.internet.listen_tcp("a.example", 80, keep)
    await b.dte.ready()
    await b.dte.ask(b'AT+CIPOPEN=0,"TCP","a.example",80\r')
    return b, far[0]

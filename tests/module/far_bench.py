"""Servers on the emulated module, programs of this host behind them, and far clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio

from modemproxy.emulator.far_stream import FarStream
from modemproxy.module.servers import FarClient, ServerPort

from .rig import Rig, rig, until

PORT = 8080
WEB = ServerPort(0, PORT, "web")


class Served:
    """Echoes to every far client that was let in.

    Attributes:
        clients: those that were, in order.
        errors: how their links ended, if not cleanly.
    """

    def __init__(self) -> None:
        self.clients: list[FarClient] = []
        self.errors: list[str] = []
        self.nursery: trio.Nursery | None = None

    def receive(self, far: FarClient) -> None:
        """As a surface does."""
        self.clients.append(far)
        if self.nursery is None:  # the test is over
            far.link.abort()
        else:
            self.nursery.start_soon(self._echo, far)

    async def _echo(self, far: FarClient) -> None:
        try:
            async for data in far.link:
                await far.link.send_all(data)
        except trio.BrokenResourceError as error:
            self.errors.append(str(error))
        except trio.ClosedResourceError:
            pass  # by the test
        finally:
            far.link.abort()


@asynccontextmanager
async def serving(
    *servers: ServerPort, listening: bool = True, **options: Any
) -> AsyncIterator[tuple[Rig, Served]]:
    """Run a session with servers whose clients are echoed to.

    Args:
        servers: one for the web when left out.
        listening: wait until the module listens.
        options: of ``rig()``.
    """
    served = Served()
    ports = servers or (WEB,)
    making = rig(servers=ports, on_far_client=served.receive, **options)
    async with making as r, trio.open_nursery() as nursery:
        served.nursery = nursery
        if listening:
            await until(lambda: len(r.module.dce.stack.servers) == len(ports), 10)
        yield r, served
        served.nursery = None
        nursery.cancel_scope.cancel()


async def talk(far: FarStream, data: bytes) -> bytes:
    """Be a far client: send, and return as many bytes as come back."""
    got = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(far.send_all, data)
        while len(got) < len(data):
            chunk = await far.receive_some()
            assert chunk, f"the end after {len(got)} of {len(data)} bytes"
            got += chunk
    return bytes(got)

"""Backends of servers on the module: TCP servers of this host that a test plays."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import trio

from modemproxy.config import Server
from modemproxy.config.checks import Endpoint

Play = Callable[[trio.SocketStream], Awaitable[None]]


@dataclass
class Backend:
    """A TCP server.

    Attributes:
        where: its address.
        ends: of its connections, in the order in which they ended: FIN or RST; or that
            the backend closed it itself.
        heard: what came on each.
        accepted: how many connections there were.
    """

    where: Endpoint
    ends: list[str] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    accepted: int = 0


async def echo(stream: trio.SocketStream) -> None:
    """Send back what comes."""
    async for data in stream:
        await stream.send_all(data)


@asynccontextmanager
async def backend(play: Play) -> AsyncIterator[Backend]:
    """Run a server on any free port of 127.0.0.1."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    made = Backend(Endpoint("127.0.0.1", listener.socket.getsockname()[1]))

    async def serve(stream: trio.SocketStream) -> None:
        made.accepted += 1
        heard = bytearray()
        made_end = "FIN"
        try:
            await play(stream)
            async for data in stream:
                heard += data
        except trio.BrokenResourceError:
            made_end = "RST"
        except trio.ClosedResourceError:
            made_end = "closed it"
        finally:
            made.ends.append(made_end)
            made.heard.append(bytes(heard))
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield made
        nursery.cancel_scope.cancel()


def server(where: Endpoint, *, port: int = 8080, **keys: Any) -> Server:
    """A server on the module, for everyone."""
    allow = keys.pop("allow", ["0.0.0.0/0"])
    networks = tuple(ip_network(text) for text in allow)
    name = keys.pop("name", f"server-{port}")
    return Server(name=name, port=port, connect=where, allow=networks, **keys)

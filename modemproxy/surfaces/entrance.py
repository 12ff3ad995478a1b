"""What every TCP listener of the host shares: who may come in, and what each client costs.

A client's connection is armed to be reset; whoever serves it earns its clean end. A bug in
serving one ends that one. Each leaves one line in the log.
"""

import logging
from collections.abc import Awaitable, Callable

import trio

from modemproxy.surfaces.access import Access, Denied
from modemproxy.surfaces.client import ClientConnection
from modemproxy.surfaces.guard import contained
from modemproxy.surfaces.visit import Visit

log = logging.getLogger(__name__)

Serve = Callable[[ClientConnection, Visit], Awaitable[None]]


class Entrance:
    """A listener and its clients.

    Attributes:
        name: of the forward or proxy.
        port: the host port in fact bound.
    """

    def __init__(
        self,
        name: str,
        listener: trio.SocketListener,
        access: Access,
        serve: Serve,
        *,
        target: str = "?",
    ) -> None:
        """Args:
        name: of the forward or proxy.
        listener: bound; its sockets are armed to be reset.
        access: who may come in.
        serve: serves one client; what it raises of the kind that a client can suffer
            becomes the reason in the log.
        target: where clients are led to, when that is known beforehand.
        """
        self.name = name
        self.port: int = listener.socket.getsockname()[1]
        self._listener = listener
        self._access = access
        self._serve = serve
        self._target = target

    async def serve(self, handlers: trio.Nursery) -> None:
        """Accept clients until cancelled; they are served in ``handlers``."""
        await trio.serve_listeners(self._accept, [self._listener], handler_nursery=handlers)

    async def _accept(self, stream: trio.SocketStream) -> None:
        await self.handle(ClientConnection(stream))

    async def handle(self, client: ClientConnection) -> None:
        """Serve one client, if it may come in, and close its connection."""
        visit = Visit(self.name, client.peer, self._target)
        try:
            with contained(f"{self.name}: {visit.peer}"):
                await self._admit(client, visit)
        finally:
            with trio.CancelScope(shield=True):
                await client.aclose()

    async def _admit(self, client: ClientConnection, visit: Visit) -> None:
        try:
            with self._access.admitted(visit.host), visit.recorded():
                await self._serve(client, visit)
        except Denied as error:
            log.warning("%s: %s refused: %s", self.name, visit.peer, error)

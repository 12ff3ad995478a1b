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
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.visit import Visit

log = logging.getLogger(__name__)

Serve = Callable[[ClientConnection, Visit], Awaitable[None]]


class Entrance:
    """A listener and its clients.

    Attributes:
        name: of the forward or proxy.
        kind: ``tcp``, ``socks5``, ``http`` or ``dns``.
        port: the host port in fact bound.
        access: who may come in.
        target: where clients are led to, when that is known beforehand.
    """

    def __init__(
        self,
        name: str,
        listener: trio.SocketListener,
        access: Access,
        serve: Serve,
        *,
        target: str = "?",
        kind: str = "tcp",
        roster: Roster | None = None,
    ) -> None:
        """Args:
        name: of the forward or proxy.
        listener: bound; its sockets are armed to be reset.
        access: who may come in.
        serve: serves one client; what it raises of the kind that a client can suffer
            becomes the reason in the log.
        target: where clients are led to, when that is known beforehand.
        kind: of listener, for the roster.
        roster: is told of every client.
        """
        self.name = name
        self.port: int = listener.socket.getsockname()[1]
        self._listener = listener
        self.kind = kind
        self.access = access
        self._roster = roster or Roster()
        self._serve = serve
        self.target = target

    def lend(self) -> trio.SocketListener:
        """Give a second handle to the port: it stays bound when this one lets go of it."""
        return trio.SocketListener(self._listener.socket.dup())

    def close(self) -> None:
        """Let go of a port that is not served."""
        self._listener.socket.close()

    async def serve(self, handlers: trio.Nursery) -> None:
        """Accept clients until cancelled; they are served in ``handlers``."""
        await trio.serve_listeners(self._accept, [self._listener], handler_nursery=handlers)

    async def _accept(self, stream: trio.SocketStream) -> None:
        await self.handle(ClientConnection(stream))

    async def handle(self, client: ClientConnection) -> None:
        """Serve one client, if it may come in, and close its connection."""
        visit = Visit(
            self.name,
            client.peer,
            self.target,
            kind=self.kind,
        )
        try:
            with contained(f"{self.name}: {visit.peer}"):
                await self._admit(client, visit)
        finally:
            with trio.CancelScope(shield=True):
                await client.aclose()

    async def _admit(self, client: ClientConnection, visit: Visit) -> None:
        try:
            with self.access.admitted(visit.host), self._roster.recorded(visit):
                await self._serve(client, visit)
        except Denied as error:
            self._roster.refuse(self.name, visit.peer, error)
            log.warning("%s: %s refused: %s", self.name, visit.peer, error)

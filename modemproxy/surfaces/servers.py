"""Servers on the module: each far client gets a connection to its server's backend.

The same rules as for a forward, with the roles swapped: the far client's clean end reaches
the backend as FIN only when everything of both directions arrived, and anything else as a
reset. The module cannot half-close. So a backend that has finished sending ends the
connection as soon as the far client has acknowledged everything; and a far client that
only finishes sending has closed, as far as the module tells.
"""

import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack
from copy import copy
from typing import Final

import trio

from modemproxy.config import Server, Timeouts
from modemproxy.module.lifecycle import SessionGate
from modemproxy.module.servers import FarClient
from modemproxy.surfaces.access import Access, Denied
from modemproxy.surfaces.backend import connect_backend
from modemproxy.surfaces.bridge import bridge
from modemproxy.surfaces.client import ClientConnection
from modemproxy.surfaces.dial import while_waiting
from modemproxy.surfaces.guard import contained
from modemproxy.surfaces.proxying.proxy_protocol import proxy_header
from modemproxy.surfaces.rate import Rate
from modemproxy.surfaces.relay import RelayOptions
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.visit import Visit, name_of

log = logging.getLogger(__name__)

#: Stands for the module's address when nobody knows it: the header needs one.
_NO_ADDRESS: Final = "0.0.0.0"


class FarServers:
    """Serves the far clients of all servers.

    Attributes:
        desks: one for each server, in their order.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        gate: SessionGate,
        timeouts: Timeouts,
        roster: Roster | None = None,
    ) -> None:
        """Args:
        servers: of the configuration; a far client names its own.
        gate: the session, for the module's address.
        timeouts: of the configuration.
        roster: is told of every far client.
        """
        self._roster = roster or Roster()
        self._gate = gate
        self._handlers: trio.Nursery | None = None
        self.desks: list[ServerDesk] = []
        self.change(servers, timeouts)

    def change(self, servers: Sequence[Server], timeouts: Timeouts) -> None:
        """Serve those who come from now on by other rules; those inside stay."""
        desks = {desk.name: desk for desk in self.desks}
        self.desks = [
            desks[server.name].changed(server, timeouts)
            if server.name in desks
            else ServerDesk(server, self._gate, timeouts, self._roster)
            for server in servers
        ]

    def receive(self, far: FarClient) -> None:
        """Take a far client: it is served, or its link is closed at once. Never waits."""
        desk = next((desk for desk in self.desks if desk.name == far.name), None)
        if self._handlers is None or desk is None:
            far.link.abort()
            return
        self._handlers.start_soon(desk.handle, far)

    async def serve(self, handlers: trio.Nursery) -> None:
        """Let far clients in until cancelled; they are served in ``handlers``."""
        self._handlers = handlers
        try:
            await trio.sleep_forever()
        finally:
            self._handlers = None


class _FarWaiting:
    """A far client, while its backend is being connected to."""

    def __init__(self, far: FarClient) -> None:
        self._link = far.link

    @property
    def broken(self) -> bool:
        return self._link.reset is not None


class ServerDesk:
    """One server's rules.

    Attributes:
        name: the server's.
        kind: ``server``.
        access: who may come in.
    """

    kind: Final = "server"

    def __init__(
        self, server: Server, gate: SessionGate, timeouts: Timeouts, roster: Roster
    ) -> None:
        self.name = server.name
        self._roster = roster
        self._gate = gate
        self._rate = Rate(server.rate)
        self.access = Access(allow=server.allow, max_clients=0, max_per_client=0)
        self._set(server, timeouts)

    def changed(self, server: Server, timeouts: Timeouts) -> "ServerDesk":
        """Give the desk for those who come from now on; who is inside counts on."""
        desk = copy(self)
        desk._set(server, timeouts)
        return desk

    def _set(self, server: Server, timeouts: Timeouts) -> None:
        self._server = server
        self._connect_s = timeouts.connect_s
        self.access.change(
            allow=server.allow,
            max_clients=server.max_clients,
            max_per_client=server.max_per_client,
        )
        self._rate = self._rate.changed(server.rate)
        self._options = RelayOptions(
            half_close_s=server.half_close_s,
            idle_timeout_s=server.idle_timeout_s,
            close_on_fin=server.on_client_fin == "close",
            rate=self._rate,
        )

    async def handle(self, far: FarClient) -> None:
        """Serve a far client, if it may come in, and close its link."""
        server = self._server
        visit = Visit(
            server.name,
            name_of(far.host, far.port),
            str(server.connect),
            kind=self.kind,
        )
        try:
            with contained(f"{server.name}: {visit.peer}"):
                await self._admit(far, visit)
        finally:
            far.link.abort()

    async def _admit(self, far: FarClient, visit: Visit) -> None:
        try:
            with self.access.admitted(far.host), self._roster.recorded(visit):
                visit.note_number(far.link.number)
                await self._serve(far, visit)
        except Denied as error:
            self._roster.refuse(self.name, visit.peer, error)
            log.warning("%s: far client %s refused: %s", visit.surface, visit.peer, error)

    async def _serve(self, far: FarClient, visit: Visit) -> None:
        async with AsyncExitStack() as stack:
            backend = await self._connect(stack, far)
            visit.note_open()
            await backend.send_all(self._header(far))
            await bridge(backend, far.link, self._options, visit.traffic)

    async def _connect(self, stack: AsyncExitStack, far: FarClient) -> ClientConnection:
        """Connect to the backend; not for a far client whose link breaks meanwhile."""
        where, limit_s = self._server.connect, self._connect_s

        async def connect() -> ClientConnection:
            return await stack.enter_async_context(await connect_backend(where, limit_s))

        return await while_waiting(_FarWaiting(far), connect, limit_s)

    def _header(self, far: FarClient) -> bytes:
        """Say who the far client is, where the backend wants to know."""
        version = self._server.proxy_protocol
        if version == "none":
            return b""
        session = self._gate.session
        address = session.address if session is not None else _NO_ADDRESS
        return proxy_header(version, (far.host, far.port), (address, self._server.port))

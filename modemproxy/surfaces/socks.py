"""The SOCKS5 proxy: connections and datagrams to wherever its clients ask."""

from contextlib import AsyncExitStack, suppress
from typing import Final

import trio

from modemproxy.config import Endpoint, Proxy, Timeouts
from modemproxy.errors import ConfigError
from modemproxy.module.lifecycle import SessionGate
from modemproxy.surfaces.associate import Association
from modemproxy.surfaces.bridge import bridge
from modemproxy.surfaces.client import ClientConnection
from modemproxy.surfaces.entrance import Entrance
from modemproxy.surfaces.proxy import ProxyDesk
from modemproxy.surfaces.proxying.outcomes import Verdict
from modemproxy.surfaces.proxying.socks5 import Associate, Connect, Reply, Socks5Server
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.udp_socket import bind_udp
from modemproxy.surfaces.visit import Visit

_READ_BYTES: Final = 4096


class SocksProxy(Entrance):
    """Serves one proxy with ``protocol: socks5``.

    Attributes:
        desk: its rules and its counts.
    """

    def __init__(
        self,
        proxy: Proxy,
        listener: trio.SocketListener,
        gate: SessionGate,
        timeouts: Timeouts,
        roster: Roster | None = None,
    ) -> None:
        """Args:
        proxy: of the configuration.
        listener: its port, bound (``listening.bind_tcp``).
        gate: where sessions are waited for.
        timeouts: of the configuration.
        roster: is told of every client.
        """
        self.desk = ProxyDesk(proxy, gate, timeouts)
        access = self.desk.access
        super().__init__(proxy.name, listener, access, self._talk, kind="socks5", roster=roster)

    def change(self, proxy: Proxy, timeouts: Timeouts) -> None:
        """Serve those who come from now on by other rules; the port stays."""
        self.desk = self.desk.changed(proxy, timeouts)

    async def _talk(self, client: ClientConnection, visit: Visit) -> None:
        desk = self.desk  # what changes later is for those who come later
        server = Socks5Server(desk.users)
        match await desk.read_request(client, server, visit):
            case Connect(host, port):
                await self._connect(desk, client, server, visit, (host, port))
            case Associate() as wish:
                await self._associate(desk, client, server, visit, wish)

    async def _connect(
        self,
        desk: ProxyDesk,
        client: ClientConnection,
        server: Socks5Server,
        visit: Visit,
        destination: tuple[str, int],
    ) -> None:
        async with AsyncExitStack() as stack:
            link = await desk.open_link(stack, client, visit, destination)
            if isinstance(link, Verdict):
                await client.dismiss(server.refuse(link.socks))
                return
            await client.send_all(server.accept())
            client.push_back(server.trailing_data)
            await bridge(client, link, desk.options, visit.traffic)

    async def _associate(
        self,
        desk: ProxyDesk,
        client: ClientConnection,
        server: Socks5Server,
        visit: Visit,
        wish: Associate,
    ) -> None:
        """Carry a client's datagrams for as long as its connection stays (RFC 1928 7)."""
        visit.target = "udp"
        try:
            relay_port = bind_udp(self.name, Endpoint(client.local_host, 0))
        except ConfigError as error:
            visit.note_refused(error)
            await client.dismiss(server.refuse(Reply.GENERAL_FAILURE))
            return
        association = Association(relay_port, desk, visit, wish.port)
        try:
            await client.send_all(server.accept(client.local_host, relay_port.port))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(association.run)
                await _read_to_end(client)
                nursery.cancel_scope.cancel()
        finally:
            relay_port.close()
        visit.traffic.end = "client closed"
        client.finish()


async def _read_to_end(client: ClientConnection) -> None:
    """Wait until a client closes or resets its connection; what it says means nothing."""
    with suppress(trio.BrokenResourceError):
        while await client.receive_some(_READ_BYTES):
            pass

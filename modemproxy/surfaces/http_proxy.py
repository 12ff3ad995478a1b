"""The HTTP proxy: CONNECT, and plain requests for ``http://`` URLs."""

from contextlib import AsyncExitStack

import trio

from modemproxy.config import Proxy, Timeouts
from modemproxy.errors import LinkReset
from modemproxy.module.lifecycle import SessionGate
from modemproxy.surfaces.bridge import bridge
from modemproxy.surfaces.client import ClientConnection
from modemproxy.surfaces.entrance import Entrance
from modemproxy.surfaces.proxy import ProxyDesk
from modemproxy.surfaces.proxying.http_body import BadBody, RequestBody
from modemproxy.surfaces.proxying.http_connect import Connect, Forward, HttpProxyServer
from modemproxy.surfaces.proxying.outcomes import Verdict
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.visit import Visit


class HttpProxy(Entrance):
    """Serves one proxy with ``protocol: http``.

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
        super().__init__(proxy.name, listener, access, self._talk, kind="http", roster=roster)

    def change(self, proxy: Proxy, timeouts: Timeouts) -> None:
        """Serve those who come from now on by other rules; the port stays."""
        self.desk = self.desk.changed(proxy, timeouts)

    async def _talk(self, client: ClientConnection, visit: Visit) -> None:
        desk = self.desk  # what changes later is for those who come later
        server = HttpProxyServer(desk.users)
        request = await desk.read_request(client, server, visit)
        if not isinstance(request, Connect | Forward):
            return
        async with AsyncExitStack() as stack:
            destination = (request.host, request.port)
            link = await desk.open_link(stack, client, visit, destination)
            if isinstance(link, Verdict):
                await client.dismiss(server.refuse(link.http, link.sentence))
                return
            client.push_back(server.trailing_data)
            options, traffic = desk.options, visit.traffic
            if isinstance(request, Connect):
                await client.send_all(server.accept())
                await bridge(client, link, options, traffic)
            else:
                await bridge(_OneRequest(client, request), link, options, traffic)


class _OneRequest:
    """A client of whose bytes only one request goes to the far side."""

    def __init__(self, client: ClientConnection, request: Forward) -> None:
        self._client = client
        self._head = request.head
        self._body: RequestBody = request.body
        self.send_all = client.send_all
        self.send_eof = client.send_eof
        self.finish = client.finish
        self.flush = client.flush

    @property
    def gone(self) -> bool:
        """The client has closed its socket altogether."""
        return self._client.gone

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read the head, then the body; ``b""`` when the client will send no more.

        Bytes behind the request are read and dropped: they would be another one's.

        Raises:
            LinkReset: the body is broken, and nobody can say where the request ends.
        """
        if self._head:
            await trio.lowlevel.checkpoint()
            size = max_bytes or len(self._head)
            data, self._head = self._head[:size], self._head[size:]
            return data
        while data := await self._client.receive_some(max_bytes):
            try:
                passed = self._body.forward(data)
            except BadBody as error:
                raise LinkReset(f"the request's body makes no sense: {error}") from error
            if passed:
                return passed
        return b""

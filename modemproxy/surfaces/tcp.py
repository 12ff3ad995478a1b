"""TCP forwards: a host port, its clients, and a link for each of them.

The kernel completes a client's handshake before anybody knows whether the far side can
be reached, so nothing is read from the client before it is, and a client that can not be
served is reset: it must not take an empty answer for a success.
"""

from contextlib import AsyncExitStack

import trio

from modemproxy.config import Forward, Timeouts
from modemproxy.module.lifecycle import SessionGate
from modemproxy.surfaces.access import Access
from modemproxy.surfaces.bridge import bridge
from modemproxy.surfaces.client import ClientConnection
from modemproxy.surfaces.dial import Dialer
from modemproxy.surfaces.entrance import Entrance
from modemproxy.surfaces.rate import Rate
from modemproxy.surfaces.relay import RelayOptions
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.visit import Visit


class TcpForward(Entrance):
    """Serves one forward."""

    def __init__(
        self,
        forward: Forward,
        listener: trio.SocketListener,
        gate: SessionGate,
        timeouts: Timeouts,
        roster: Roster | None = None,
    ) -> None:
        """Args:
        forward: of the configuration.
        listener: its port, bound (``listening.bind_tcp``).
        gate: where sessions are waited for.
        timeouts: of the configuration.
        roster: is told of every client.
        """
        access = Access(allow=forward.allow, max_clients=0, max_per_client=0)
        super().__init__(forward.name, listener, access, self._connect, roster=roster)
        self._gate = gate
        self._rate = Rate(forward.rate)
        self.change(forward, timeouts)

    def change(self, forward: Forward, timeouts: Timeouts) -> None:
        """Serve those who come from now on by other rules; the port stays."""
        self.access.change(
            allow=forward.allow,
            max_clients=forward.max_clients,
            max_per_client=forward.max_per_client,
        )
        self.target = str(forward.connect)
        self._far = forward.connect
        self._dialer = Dialer(self._gate, timeouts, forward.name, forward.traffic_class)
        self._rate = self._rate.changed(forward.rate)
        self._options = RelayOptions(
            half_close_s=forward.half_close_s,
            idle_timeout_s=forward.idle_timeout_s,
            close_on_fin=forward.on_client_fin == "close",
            rate=self._rate,
        )

    async def _connect(self, client: ClientConnection, visit: Visit) -> None:
        far, options = self._far, self._options
        async with AsyncExitStack() as stack:
            link = await self._dialer.open(stack, client, visit, far.host, far.port)
            await bridge(client, link, options, visit.traffic)

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
        access = Access(
            allow=forward.allow,
            max_clients=forward.max_clients,
            max_per_client=forward.max_per_client,
        )
        super().__init__(
            forward.name,
            listener,
            access,
            self._connect,
            target=str(forward.connect),
            roster=roster,
        )
        self._far = forward.connect
        self._dialer = Dialer(gate, timeouts, forward.name, forward.traffic_class)
        self._options = RelayOptions(
            half_close_s=forward.half_close_s,
            idle_timeout_s=forward.idle_timeout_s,
            close_on_fin=forward.on_client_fin == "close",
            rate=Rate(forward.rate),
        )

    async def _connect(self, client: ClientConnection, visit: Visit) -> None:
        far = self._far
        async with AsyncExitStack() as stack:
            link = await self._dialer.open(stack, client, visit, far.host, far.port)
            await bridge(client, link, self._options, visit.traffic)

"""The admin socket's ``connect``: after the answer the socket is the connection itself.

With half-close in both directions. How it ended is told on a pipe that comes with the
answer (see ``local.py``).
"""

from contextlib import AsyncExitStack
from typing import Final

from modemproxy.config import Timeouts
from modemproxy.errors import LinkRefused, ModemProxyError
from modemproxy.module.lifecycle import SessionGate
from modemproxy.module.link import Link
from modemproxy.operate.admin import BadRequest, Caller, Request
from modemproxy.operate.local import LocalConnection, Outcome, json_line
from modemproxy.surfaces.bridge import bridge
from modemproxy.surfaces.dial import Dialer
from modemproxy.surfaces.proxying.hosts import clean_host
from modemproxy.surfaces.relay import RelayOptions
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.visit import Visit

#: In whose name links are opened.
OWNER: Final = "connect"
_PORT_MAX: Final = 65535


class Tunnels:
    """Opens a connection for whoever asks on the admin socket."""

    def __init__(
        self, gate: SessionGate, timeouts: Timeouts, roster: Roster | None = None
    ) -> None:
        """Args:
        gate: where sessions are waited for.
        timeouts: of the configuration.
        roster: is told of every connection.
        """
        self._roster = roster or Roster()
        self._dialer = Dialer(gate, timeouts, OWNER, "interactive")
        self._options = RelayOptions(half_close_s=timeouts.half_close_s)

    async def connect(self, request: Request, caller: Caller) -> bool:
        """Answer a request, and be its connection until the end; always False.

        Raises:
            BadRequest: the destination is none, or must not reach the module.
        """
        host, port = _destination(request)
        client = LocalConnection(caller.stream, caller.ahead)
        visit = Visit(OWNER, caller.name, f"{host}:{port}", kind=OWNER)
        visit.host = ""  # a process of this machine
        outcome = Outcome()
        try:
            with self._roster.recorded(visit):
                async with AsyncExitStack() as stack:
                    link = await self._open(stack, client, caller, visit, (host, port))
                    await outcome.hand_over(caller.stream, json_line({"ok": True}))
                    await bridge(client, link, self._options, visit.traffic)
        finally:
            outcome.tell(None if client.finished else visit.traffic.end)
            outcome.close()
        return False

    async def _open(
        self,
        stack: AsyncExitStack,
        client: LocalConnection,
        caller: Caller,
        visit: Visit,
        destination: tuple[str, int],
    ) -> Link:
        try:
            return await self._dialer.open(stack, client, visit, *destination)
        except ModemProxyError as error:
            why = error.reason if isinstance(error, LinkRefused) else str(error)
            await caller.stream.send_all(json_line({"ok": False, "error": why}))
            raise


def _destination(request: Request) -> tuple[str, int]:
    host, port = request.get("host"), request.get("port")
    if not isinstance(host, str):
        raise BadRequest("host: not a text")
    if type(port) is not int or not 0 < port <= _PORT_MAX:
        raise BadRequest(f"port: not a number from 1 to {_PORT_MAX}")
    try:
        return clean_host(host), port
    except ValueError as error:
        raise BadRequest(str(error)) from None

"""What SOCKS5 and HTTP proxies share: a request, a destination, an answer, then bytes.

The client's words are read by a sans-IO protocol (``proxying/``), within a time. What it
asks for has to be allowed; names are looked up by the module. It is told of success only
when the link is open, and of a failure in its protocol's own words; whatever goes wrong
after that is a reset, as with every other connection.
"""

import logging
from collections import Counter
from contextlib import AsyncExitStack
from copy import copy
from typing import Final, Protocol

import trio

from modemproxy.config import Proxy, Timeouts, may_reach
from modemproxy.errors import ModemProxyError
from modemproxy.module.lifecycle import SessionGate
from modemproxy.module.link import Link
from modemproxy.surfaces.access import Access
from modemproxy.surfaces.client import ClientConnection
from modemproxy.surfaces.dial import Dialer
from modemproxy.surfaces.logins import Logins
from modemproxy.surfaces.proxying.outcomes import DestinationDenied, Verdict, verdict
from modemproxy.surfaces.proxying.refusals import Refused, Why
from modemproxy.surfaces.proxying.users import Users
from modemproxy.surfaces.rate import Rate
from modemproxy.surfaces.relay import ClientVanished, RelayOptions
from modemproxy.surfaces.visit import Visit, name_of

log = logging.getLogger(__name__)

#: For a client's whole request, its login included.
REQUEST_S: Final = 30.0
_READ_BYTES: Final = 4096
#: Of refusals like these the log is warned: somebody tries something.
_SUSPICIOUS: Final = frozenset({Why.WRONG_LOGIN, Why.UNFIT_HOST})


class Talk(Protocol):
    """A sans-IO protocol, as far as reading a request goes."""

    def receive_data(self, data: bytes) -> None:
        """Store bytes of the client."""

    def data_to_send(self) -> bytes:
        """Take what is due to the client."""

    def next_event(self) -> object | None:
        """Return the request or the refusal, or None for more bytes."""


class ProxyDesk:
    """One proxy's rules, and its clients' requests up to an open link.

    Attributes:
        access: who may come in.
        users: who may log in; None asks nobody.
        options: how connections are to end.
        dialer: opens links.
        refusals: how many requests were refused, by kind.
        denied: how many destinations were not allowed.
    """

    def __init__(self, proxy: Proxy, gate: SessionGate, timeouts: Timeouts) -> None:
        self.access = Access(allow=proxy.allow, max_clients=0, max_per_client=0)
        self._gate = gate
        self._rate = Rate(proxy.rate)
        self._logins = Logins()
        self.refusals: Counter[Why] = Counter()
        self.denied = 0
        self._set(proxy, timeouts)

    def changed(self, proxy: Proxy, timeouts: Timeouts) -> "ProxyDesk":
        """Give the desk for those who come from now on; the counts go on."""
        desk = copy(self)
        desk._set(proxy, timeouts)
        return desk

    def _set(self, proxy: Proxy, timeouts: Timeouts) -> None:
        self.access.change(
            allow=proxy.allow,
            max_clients=proxy.max_clients,
            max_per_client=proxy.max_per_client,
        )
        self._rate = self._rate.changed(proxy.rate)
        self._allowed = proxy.allow_destinations
        self.users = Users(dict(proxy.users)) if proxy.users else None
        self.options = RelayOptions(
            half_close_s=proxy.half_close_s,
            idle_timeout_s=proxy.idle_timeout_s,
            close_on_fin=proxy.on_client_fin == "close",
            rate=self._rate,
        )
        self.dialer = Dialer(self._gate, timeouts, proxy.name, proxy.traffic_class)

    async def read_request(self, client: ClientConnection, talk: Talk, visit: Visit) -> object:
        """Read a client's request.

        Returns:
            The request; or what is no request of its protocol: the refusal, of which the
            client has been told.

        Raises:
            Denied: its address has failed to log in too often.
            ClientVanished: it closed, or took too long.
            trio.BrokenResourceError: it is gone.
        """
        self._logins.check(visit.host)
        event: object | None = None
        with trio.move_on_after(REQUEST_S):
            while (event := talk.next_event()) is None:
                await _send(client, talk.data_to_send())
                data = await client.receive_some(_READ_BYTES)
                if not data:
                    raise ClientVanished("the client closed before its request was whole")
                talk.receive_data(data)
        if event is None:
            raise ClientVanished(f"no request within {REQUEST_S:g} s")
        if isinstance(event, Refused):
            await self._refuse(client, event, talk.data_to_send(), visit)
            return event
        await _send(client, talk.data_to_send())
        return event

    async def _refuse(
        self, client: ClientConnection, refused: Refused, answer: bytes, visit: Visit
    ) -> None:
        """Tell a client what its protocol has to say; guessing passwords takes its time."""
        self.refusals[refused.why] += 1
        visit.note_refused(refused.reason)
        if refused.why in _SUSPICIOUS:
            log.warning("%s: %s: %s", visit.surface, visit.peer, refused.reason)
        if refused.why is Why.WRONG_LOGIN:
            await self._logins.penalise(visit.host)
        await client.dismiss(answer)

    async def open_link(
        self,
        stack: AsyncExitStack,
        client: ClientConnection,
        visit: Visit,
        destination: tuple[str, int],
    ) -> Link | Verdict:
        """Open the link that a client asked for.

        Returns:
            The link, or what to tell the client.

        Raises:
            ClientVanished: it did not wait.
        """
        host, port = destination
        visit.target = name_of(host, port)
        try:
            self.check_destination(host, port)
            return await self.dialer.open(stack, client, visit, host, port)
        except ModemProxyError as error:
            visit.note_refused(error)
            return verdict(error)

    def check_destination(self, host: str, port: int) -> None:
        """Let a client go only where it may.

        Raises:
            DestinationDenied: it may not.
        """
        if not may_reach(self._allowed, host, port):
            self.denied += 1
            raise DestinationDenied(name_of(host, port))


async def _send(client: ClientConnection, data: bytes) -> None:
    if data:
        await client.send_all(data)

"""SOCKS5's UDP ASSOCIATE: one client's datagrams, a link for each of its destinations.

The module does not say who sent what it received, so a link has one destination, and the
answers on it are passed on as from there. Links are few: a client has at most so many
at once, and the one that has been silent longest gives way to a new destination.

Nobody is told of what can not be carried: it is dropped and counted.
"""

import logging
from contextlib import AsyncExitStack
from typing import Final

import trio

from modemproxy.errors import ModemProxyError
from modemproxy.module.datagram_out import MAX_DATAGRAM
from modemproxy.surfaces.dial import Nobody
from modemproxy.surfaces.guard import contained
from modemproxy.surfaces.proxy import ProxyDesk
from modemproxy.surfaces.proxying.outcomes import DestinationDenied
from modemproxy.surfaces.proxying.refusals import Why
from modemproxy.surfaces.proxying.socks5_address import (
    BadDatagram,
    Datagram,
    build_datagram,
    parse_datagram,
)
from modemproxy.surfaces.udp_session import UdpSession
from modemproxy.surfaces.udp_socket import HostPort, Peer
from modemproxy.surfaces.visit import Visit, name_of

log = logging.getLogger(__name__)

_MOST_DESTINATIONS: Final = 4
_IDLE_S: Final = 60.0
#: From a failed open to the next one of the same destination.
_PAUSE_S: Final = 1.0
_LOG_REST_S: Final = 10.0


class _Return:
    """The way back to the client: a datagram says where it came from."""

    def __init__(self, port: HostPort, host: str, far_port: int) -> None:
        self._port = port
        self._from = host, far_port

    async def send(self, data: bytes, peer: Peer) -> bool:
        """Send a far side's datagram to the client; False when it can not be."""
        return await self._port.send(build_datagram(*self._from, data), peer)


class Association:
    """A port of this host for one client's datagrams.

    Attributes:
        dropped: datagrams that were not carried: not the client's, unreadable, not
            allowed, or too long.
    """

    def __init__(self, port: HostPort, desk: ProxyDesk, visit: Visit, client_port: int) -> None:
        """Args:
        port: bound; stays the caller's to close.
        desk: the proxy's rules.
        visit: whose datagrams these are; its traffic counts their bytes.
        client_port: the port that the client will send from; 0 is the first it uses.
        """
        self.dropped = 0
        self._port = port
        self._desk = desk
        self._visit = visit
        self._client_port = client_port
        self._sessions: dict[tuple[str, int], UdpSession] = {}
        self._quiet_until = 0.0

    async def run(self) -> None:
        """Carry datagrams until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                data, peer = await self._port.receive()
                try:
                    self._take(data, peer, nursery)
                except (BadDatagram, DestinationDenied) as error:
                    self.dropped += 1
                    self._complain(error)

    def _take(self, data: bytes, peer: Peer, nursery: trio.Nursery) -> None:
        """Hand a datagram to its destination's session.

        Raises:
            BadDatagram, DestinationDenied: it is not carried.
        """
        self._check_sender(peer)
        datagram = parse_datagram(data)
        if not 1 <= len(datagram.data) <= MAX_DATAGRAM:
            raise BadDatagram(f"a datagram of {len(datagram.data)} bytes can not be sent")
        self._desk.check_destination(datagram.host, datagram.port)
        self._session(datagram, peer, nursery).put(datagram.data)

    def _check_sender(self, peer: Peer) -> None:
        port = peer.address[1]
        if peer.host != self._visit.host or self._client_port not in (0, port):
            raise BadDatagram(f"{peer} is not the client")
        self._client_port = port

    def _session(self, datagram: Datagram, peer: Peer, nursery: trio.Nursery) -> UdpSession:
        key = datagram.host, datagram.port
        session = self._sessions.pop(key, None)
        if session is None or session.over:
            self._make_room()
            way_back = _Return(self._port, *key)
            session = UdpSession(peer, way_back, self._desk.options.rate, _IDLE_S)
            nursery.start_soon(self._serve, key, session)
        self._sessions[key] = session  # the least recently used is first
        return session

    def _make_room(self) -> None:
        if len(self._sessions) >= _MOST_DESTINATIONS:
            oldest = self._sessions.pop(next(iter(self._sessions)))
            oldest.end = "gave way to another destination"
            oldest.scope.cancel()

    async def _serve(self, key: tuple[str, int], session: UdpSession) -> None:
        try:
            with contained(f"{self._visit.surface}: {name_of(*key)}"), session.scope:
                await self._run_session(key, session)
        finally:
            session.end = session.end or "the association ended"
            session.drop_all()
            if self._sessions.get(key) is session:
                del self._sessions[key]
            self._visit.traffic.up += session.traffic.up
            self._visit.traffic.down += session.traffic.down

    async def _run_session(self, key: tuple[str, int], session: UdpSession) -> None:
        dialer = self._desk.dialer
        try:
            async with AsyncExitStack() as stack:
                await session.run(
                    await dialer.open_datagrams(stack, Nobody(self._visit.host), *key)
                )
        except ModemProxyError as error:
            session.drop_all()
            await trio.sleep(_PAUSE_S)
            session.end = f"no link: {error}"
        log.info(
            "%s: %s -> udp %s: %s",
            self._visit.surface,
            session.peer,
            name_of(*key),
            session.end,
        )

    def _complain(self, error: BadDatagram | DestinationDenied) -> None:
        """Count what somebody tries, and warn, but not at every datagram."""
        if isinstance(error, BadDatagram) and error.unfit:
            self._desk.refusals[Why.UNFIT_HOST] += 1
        now = trio.current_time()
        if now >= self._quiet_until:
            self._quiet_until = now + _LOG_REST_S
            log.warning("%s: %s: dropped: %s", self._visit.surface, self._visit.peer, error)

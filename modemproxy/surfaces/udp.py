"""UDP forwards: a host port, its clients by address and port, and a link for each of them.

The module does not say who sent what it received, so no link is shared: whatever comes on
a client's link is that client's. Links are few; one on which nothing moves gives way to
who waits for one (``module/pool.py``), and its client gets another when it speaks again.

Nothing here waits for a client, and a client is never told of a failure: what can not be
carried is dropped and counted.
"""

import logging
from contextlib import AsyncExitStack, ExitStack
from typing import Final

import trio

from modemproxy.config import Forward, Timeouts
from modemproxy.errors import ModemProxyError, NotReady
from modemproxy.module.datagram_link import DatagramLink
from modemproxy.module.datagram_out import MAX_DATAGRAM
from modemproxy.module.lifecycle import SessionGate
from modemproxy.surfaces.access import Access, Denied
from modemproxy.surfaces.dial import Dialer
from modemproxy.surfaces.guard import contained
from modemproxy.surfaces.rate import Rate
from modemproxy.surfaces.udp_session import OPENING_AGE_S, UdpSession, UdpTraffic
from modemproxy.surfaces.udp_socket import HostPort, Peer

log = logging.getLogger(__name__)

#: Clients at a time, whatever the configuration says: ten have links, the others wait.
#: Who can send to the port can invent any number of them.
_MOST_SESSIONS: Final = 64
#: From a failed open to the next one of the same client.
_PAUSE_S: Final = 1.0
#: Answers on their way when the program stops have so long.
_STOPPING_S: Final = 1.0
_LOG_REST_S: Final = 10.0


class UdpForward:
    """Serves one forward.

    Attributes:
        name: the forward's.
        port: the host port in fact bound.
        traffic: of all sessions that have ended.
    """

    def __init__(
        self, forward: Forward, port: HostPort, gate: SessionGate, timeouts: Timeouts
    ) -> None:
        """Args:
        forward: the configuration, with ``protocol: udp``.
        port: bound by ``bind_udp()``; closed when serving has ended.
        gate: where clients wait for a session of the module.
        timeouts: of the configuration.
        """
        self.name = forward.name
        self.port = port.port
        self.traffic = UdpTraffic()
        self._forward = forward
        self._port = port
        self._dialer = Dialer(gate, timeouts, forward.name, forward.traffic_class)
        self._rate = Rate(forward.rate)
        self._access = Access(
            allow=forward.allow,
            max_clients=forward.max_clients,
            max_per_client=forward.max_per_client,
        )
        self._sessions: dict[Peer, UdpSession] = {}
        self._stopping = False
        self._whole = True
        self._quiet_until = 0.0

    @property
    def clients(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    async def serve(self, handlers: trio.Nursery) -> None:
        """Take datagrams until cancelled; their sessions are served in ``handlers``.

        When cancelled, answers that are on their way have a second.
        """
        try:
            while True:
                data, peer = await self._port.receive()
                self._take(data, peer, handlers)
        finally:
            self._stopping = True
            for session in self._sessions.values():
                session.scope.deadline = trio.current_time() + _STOPPING_S
            self._close_when_empty()

    def _take(self, data: bytes, peer: Peer, handlers: trio.Nursery) -> None:
        if not 1 <= len(data) <= MAX_DATAGRAM:
            self.traffic.too_long += 1
            self._complain(f"a datagram of {len(data)} bytes from {peer} can not be sent")
            return
        session = self._sessions.get(peer)
        if session is None or session.over:
            session = self._begin(peer, handlers)
        if session is not None:
            session.put(data)

    def _begin(self, peer: Peer, handlers: trio.Nursery) -> UdpSession | None:
        """Let a client in; None when it may not come in now."""
        stay = ExitStack()
        try:
            if len(self._sessions) >= _MOST_SESSIONS:
                raise Denied(f"{_MOST_SESSIONS} clients are served already")
            stay.enter_context(self._access.admitted(peer.host))
        except Denied as error:
            self.traffic.refused += 1
            self._complain(f"{peer} refused: {error}")
            return None
        session = UdpSession(peer, self._port, self._rate, self._forward.idle_timeout_s)
        self._sessions[peer] = session
        handlers.start_soon(self._serve_session, session, stay)
        return session

    def _complain(self, what: str) -> None:
        """Warn, but not at every datagram."""
        now = trio.current_time()
        if now >= self._quiet_until:
            self._quiet_until = now + _LOG_REST_S
            log.warning("%s: %s", self.name, what)

    async def _serve_session(self, session: UdpSession, stay: ExitStack) -> None:
        started = trio.current_time()
        try:
            with stay, contained(f"{self.name}: {session.peer}"), session.scope:
                await self._run_session(session)
        finally:
            session.end = session.end or "the proxy is stopping"
            session.drop_all()
            if self._sessions.get(session.peer) is session:
                del self._sessions[session.peer]
            self.traffic.add(session.traffic)
            self._close_when_empty()
            self._log_end(session, trio.current_time() - started)

    def _close_when_empty(self) -> None:
        if self._stopping and not self._sessions:
            self._port.close()

    async def _run_session(self, session: UdpSession) -> None:
        """Open a link and use it; a client whose link can not be opened waits a while."""
        far = self._forward.connect
        try:
            async with AsyncExitStack() as stack:
                with session.opening:
                    link = await self._dialer.open_datagrams(
                        stack, session.peer.host, far.host, far.port
                    )
                if session.opening.cancelled_caught:
                    raise NotReady(f"none within {OPENING_AGE_S:g} s of its last datagram")
                self._warn_of_merging(link)
                await session.run(link)
        except ModemProxyError as error:
            session.drop_all()
            await trio.sleep(_PAUSE_S)
            session.end = f"no link: {error}"

    def _warn_of_merging(self, link: DatagramLink) -> None:
        """Say it when it is known, and not again for every client."""
        if self._whole and not link.whole:
            log.warning(
                "%s: this module does not keep datagrams apart: of several that come close "
                "together the client may get one (one question at a time is safe)",
                self.name,
            )
        self._whole = link.whole

    def _log_end(self, session: UdpSession, seconds: float) -> None:
        traffic = session.traffic
        log.info(
            "%s: %s -> %s: %d up, %d down, %d+%d datagrams, %d dropped, %.1f s, %s",
            self.name,
            session.peer,
            self._forward.connect,
            traffic.up,
            traffic.down,
            traffic.sent,
            traffic.received,
            traffic.dropped,
            seconds,
            session.end,
        )

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
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.udp_session import OPENING_AGE_S, UdpSession, UdpTraffic
from modemproxy.surfaces.udp_socket import HostPort, Peer
from modemproxy.surfaces.visit import Visit

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
        kind: ``udp``.
        access: who may come in.
        port: the host port in fact bound.
        traffic: of all sessions that have ended.
    """

    kind: Final = "udp"

    def __init__(
        self,
        forward: Forward,
        port: HostPort,
        gate: SessionGate,
        timeouts: Timeouts,
        roster: Roster | None = None,
    ) -> None:
        """Args:
        forward: the configuration, with ``protocol: udp``.
        port: bound by ``bind_udp()``; closed when serving has ended.
        gate: where clients wait for a session of the module.
        timeouts: of the configuration.
        roster: is told of every session.
        """
        self._roster = roster or Roster()
        self.name = forward.name
        self.port = port.port
        self.traffic = UdpTraffic()
        self._port = port
        self._gate = gate
        self._rate = Rate(forward.rate)
        self.access = Access(allow=forward.allow, max_clients=0, max_per_client=0)
        self.change(forward, timeouts)
        self._sessions: dict[Peer, UdpSession] = {}
        self._stopping = False
        self._whole = True
        self._quiet_until = 0.0

    def change(self, forward: Forward, timeouts: Timeouts) -> None:
        """Serve sessions that begin from now on by other rules; the port stays."""
        self._forward = forward
        self._dialer = Dialer(self._gate, timeouts, forward.name, forward.traffic_class)
        self._rate = self._rate.changed(forward.rate)
        self.access.change(
            allow=forward.allow,
            max_clients=forward.max_clients,
            max_per_client=forward.max_per_client,
        )

    def lend(self) -> HostPort:
        """Give a second handle to the port: it stays bound when this one lets go of it."""
        return self._port.lend()

    def close(self) -> None:
        """Let go of a port that is not served."""
        self._port.close()

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
            stay.enter_context(self.access.admitted(peer.host))
        except Denied as error:
            self.traffic.refused += 1
            self._roster.refuse(self.name, str(peer), error)
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
        visit = Visit(
            self.name,
            str(session.peer),
            str(self._forward.connect),
            kind=self.kind,
            moved=session.traffic,
        )
        try:
            guard = contained(f"{self.name}: {session.peer}")
            with stay, guard, session.scope, self._roster.recorded(visit):
                await self._stay(session, visit)
        finally:
            if self._sessions.get(session.peer) is session:
                del self._sessions[session.peer]
            self.traffic.add(session.traffic)
            self._close_when_empty()

    async def _stay(self, session: UdpSession, visit: Visit) -> None:
        traffic = session.traffic
        try:
            await self._run_session(session, visit)
        finally:
            session.end = session.end or "the proxy is stopping"
            session.drop_all()
            visit.note_end(session.end, session.failure, timed_out=session.timed_out)
            visit.note = (
                f"{traffic.sent}+{traffic.received} datagrams, {traffic.dropped} dropped"
            )

    def _close_when_empty(self) -> None:
        if self._stopping and not self._sessions:
            self._port.close()

    async def _run_session(self, session: UdpSession, visit: Visit) -> None:
        """Open a link and use it; a client whose link can not be opened waits a while."""
        far = self._forward.connect
        try:
            async with AsyncExitStack() as stack:
                with session.opening:
                    link = await self._dialer.open_datagrams(stack, visit, far.host, far.port)
                if session.opening.cancelled_caught:
                    raise NotReady(f"none within {OPENING_AGE_S:g} s of its last datagram")
                self._warn_of_merging(link)
                await session.run(link)
        except ModemProxyError as error:
            session.drop_all()
            await trio.sleep(_PAUSE_S)
            visit.note_refused(error)
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

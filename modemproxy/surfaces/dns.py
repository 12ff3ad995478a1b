"""The DNS listener: questions over UDP and TCP, answered through the module.

Addresses come from the module's own resolver, which takes no link. Everything else goes to
the configured name server, or is answered NOTIMP. What can not be found out now is
SERVFAIL: a client asks again, or asks somebody else.

The module does not say why it finds no address for a name: that is answered as if there
were no such name (NXDOMAIN), and remembered for seconds only.
"""

import logging
from typing import Final

import trio

from modemproxy.config import Dns, ModemConfig, Timeouts
from modemproxy.module.lifecycle import SessionGate
from modemproxy.surfaces.access import Access, Denied
from modemproxy.surfaces.client import ClientConnection
from modemproxy.surfaces.dial import Dialer
from modemproxy.surfaces.entrance import Entrance
from modemproxy.surfaces.guard import contained
from modemproxy.surfaces.proxying.dnsanswers import (
    build_answer,
    build_error,
    build_truncated,
)
from modemproxy.surfaces.proxying.dnspassing import Messages, TooLong, frame, reply_for_client
from modemproxy.surfaces.proxying.dnsrules import answer_by_rule
from modemproxy.surfaces.proxying.dnswire import (
    FLAG_TRUNCATED,
    TCP_LIMIT,
    BadQuery,
    Query,
    Rcode,
    RecordType,
    parse_query,
)
from modemproxy.surfaces.proxying.hosts import UnfitHost
from modemproxy.surfaces.resolver import NotFound, Resolver, Unavailable
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.udp_socket import HostPort, Peer
from modemproxy.surfaces.upstream import NoAnswer, Upstream
from modemproxy.surfaces.visit import Visit

log = logging.getLogger(__name__)

#: The name of the surface, and in whose name links are opened.
NAME: Final = "dns"
_MOST_ASKING: Final = 64
_MOST_CONNECTIONS: Final = 20
_TCP_IDLE_S: Final = 10.0
_READ_BYTES: Final = 4096
_LOG_REST_S: Final = 10.0
#: Which kinds of addresses a PDP context can use.
_FAMILIES: Final = {
    "IP": frozenset({RecordType.A}),
    "IPV6": frozenset({RecordType.AAAA}),
    "IPV4V6": frozenset({RecordType.A, RecordType.AAAA}),
}
_TC_BYTE: Final = FLAG_TRUNCATED >> 8


class DnsListener:
    """Serves the DNS listener.

    Attributes:
        name, kind: ``dns``.
        access: who may come in.
        port: the host port in fact bound, the same for UDP and TCP.
        unfit: how many names were refused that must not reach the module.
        dropped: datagrams not answered: not allowed, no questions, or too many at once.
    """

    kind: Final = "dns"

    def __init__(
        self,
        dns: Dns,
        ports: tuple[HostPort, trio.SocketListener],
        gate: SessionGate,
        timeouts: Timeouts,
        modem: ModemConfig,
        roster: Roster | None = None,
    ) -> None:
        """Args:
        dns: of the configuration.
        ports: bound, for UDP and TCP; become ours to close.
        gate: where sessions are waited for.
        timeouts: of the configuration.
        modem: addresses that its PDP context can not use are not given.
        roster: is told of every client that connects.
        """
        self.name = NAME
        self.port = ports[0].port
        self.unfit = 0
        self.dropped = 0
        self._udp = ports[0]
        self.access = Access(allow=dns.allow, max_clients=_MOST_CONNECTIONS, max_per_client=0)
        self._roster = roster or Roster()
        self._entrance = Entrance(
            NAME, ports[1], self.access, self._serve_tcp, kind=self.kind, roster=roster
        )
        self._resolver = Resolver(gate)
        self._gate = gate
        self.change(dns, timeouts, modem)
        self._asking = 0
        self._stopping = False
        self._quiet_until = 0.0

    def change(self, dns: Dns, timeouts: Timeouts, modem: ModemConfig) -> None:
        """Answer from now on by other rules; the port stays."""
        self.access.change(allow=dns.allow, max_clients=_MOST_CONNECTIONS, max_per_client=0)
        # Without an APN the module's own context is used, of a kind that nobody here knows.
        self._families = _FAMILIES["IPV4V6" if modem.apn is None else modem.ip_type]
        dialer = Dialer(self._gate, timeouts, NAME, "interactive")
        self._upstream = Upstream(dns.server, dialer) if dns.server is not None else None

    def lend(self) -> tuple[HostPort, trio.SocketListener]:
        """Give second handles to the ports: they stay bound when these are closed."""
        return self._udp.lend(), self._entrance.lend()

    def close(self) -> None:
        """Let go of ports that are not served."""
        self._udp.close()
        self._entrance.close()

    async def serve(self, handlers: trio.Nursery) -> None:
        """Take questions until cancelled; they are answered in ``handlers``."""
        self._handlers = handlers
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._entrance.serve, handlers)
                while True:
                    data, peer = await self._udp.receive()
                    self._take(data, peer, handlers)
        finally:
            self._stopping = True
            self._close_when_done()

    def _close_when_done(self) -> None:
        if self._stopping and not self._asking:
            self._udp.close()

    # -- over UDP -----------------------------------------------------------------------

    def _take(self, data: bytes, peer: Peer, handlers: trio.Nursery) -> None:
        try:
            self.access.check_address(peer.host)
            if self._asking >= _MOST_ASKING:
                raise Denied(f"{_MOST_ASKING} questions are being answered already")
        except Denied as error:
            self.dropped += 1
            self._roster.refuse(NAME, str(peer), error)
            self._complain(f"{peer} refused: {error}")
            return
        self._asking += 1
        handlers.start_soon(self._answer_datagram, data, peer)

    async def _answer_datagram(self, data: bytes, peer: Peer) -> None:
        try:
            with contained(f"{NAME}: {peer}"):
                if answer := await self._answer(data, str(peer), over_tcp=False):
                    await self._udp.send(answer, peer)
        finally:
            self._asking -= 1
            self._close_when_done()

    def _complain(self, what: str) -> None:
        """Warn, but not at every datagram."""
        now = trio.current_time()
        if now >= self._quiet_until:
            self._quiet_until = now + _LOG_REST_S
            log.warning("%s: %s", NAME, what)

    # -- over TCP (RFC 1035 section 4.2.2, RFC 7766) -------------------------------------

    async def _serve_tcp(self, client: ClientConnection, visit: Visit) -> None:
        """Answer one question after the other, until the client closes or is silent."""
        messages = Messages()
        visit.target = "names"
        while (message := await _next_message(client, messages)) is not None:
            visit.traffic.up += len(message)
            if answer := await self._answer(message, visit.peer, over_tcp=True):
                await client.send_all(frame(answer))
                visit.traffic.down += len(answer)
        visit.traffic.end = "done"
        await client.dismiss(b"")

    # -- answering ----------------------------------------------------------------------

    async def _answer(self, data: bytes, peer: str, *, over_tcp: bool) -> bytes | None:
        """Answer a message; None is no answer at all."""
        try:
            query = parse_query(data)
        except BadQuery as error:
            self._complain(f"{peer}: {error}")
            self.dropped += error.query is None
            return build_error(error.query, error.rcode) if error.query else None
        limit = TCP_LIMIT if over_tcp else query.udp_limit
        if (answer := answer_by_rule(query, limit=limit)) is not None:
            return answer
        if query.qtype in (RecordType.A, RecordType.AAAA):
            return await self._answer_addresses(query, peer, limit)
        return await self._pass_on(query, limit, over_tcp=over_tcp)

    async def _answer_addresses(self, query: Query, peer: str, limit: int) -> bytes:
        try:
            host = query.host()
            addresses, ttl_s = await self._resolver.look_up(host, self._handlers)
        except UnfitHost as error:
            self.unfit += 1
            self._complain(f"{peer}: {error}")
            return build_error(query, Rcode.REFUSED)
        except NotFound:
            return build_error(query, Rcode.NXDOMAIN)
        except Unavailable as error:
            log.info("%s: %s: %s: %s", NAME, peer, query.shown, error)
            return build_error(query, Rcode.SERVFAIL)
        usable = addresses if query.qtype in self._families else ()
        return build_answer(query, usable, ttl_s=ttl_s, limit=limit)

    async def _pass_on(self, query: Query, limit: int, *, over_tcp: bool) -> bytes:
        """Have the name server answer."""
        if self._upstream is None:
            return build_error(query, Rcode.NOTIMP)
        try:
            reply = await self._upstream.ask(query, self._handlers)
            if over_tcp and reply[2] & _TC_BYTE:
                reply = await self._upstream.ask_over_tcp(query)
        except NoAnswer as error:
            log.info("%s: %s: %s", NAME, query.shown, error)
            return build_error(query, Rcode.SERVFAIL)
        if len(reply) > limit:
            return build_truncated(query)
        return reply_for_client(reply, query)


async def _next_message(client: ClientConnection, messages: Messages) -> bytes | None:
    """Read a message; None when the client closed, sent nonsense, or was silent."""
    with trio.move_on_after(_TCP_IDLE_S):
        try:
            while (message := messages.next_message()) is None:
                data = await client.receive_some(_READ_BYTES)
                if not data:
                    return None
                messages.receive_data(data)
        except TooLong:
            return None
        return message
    return None

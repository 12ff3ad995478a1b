"""Everything that the configuration lets clients come in by, bound and ready to serve."""

import logging
from typing import Final, Protocol

import trio

from modemproxy.config import Config, Dns, Endpoint, Forward, Proxy, exposed
from modemproxy.errors import ConfigError
from modemproxy.module.lifecycle import SessionGate
from modemproxy.surfaces.access import Access
from modemproxy.surfaces.dns import NAME as DNS
from modemproxy.surfaces.dns import DnsListener
from modemproxy.surfaces.http_proxy import HttpProxy
from modemproxy.surfaces.listening import bind_tcp
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.socks import SocksProxy
from modemproxy.surfaces.tcp import TcpForward
from modemproxy.surfaces.udp import UdpForward
from modemproxy.surfaces.udp_socket import HostPort, bind_udp

log = logging.getLogger(__name__)

_TRIES: Final = 20


class Surface(Protocol):
    """A listener of this host.

    Attributes:
        name: of the forward or proxy, or ``dns``.
        port: the host port in fact bound.
        kind: ``tcp``, ``udp``, ``socks5``, ``http`` or ``dns``.
        access: who may come in.
    """

    name: str
    port: int
    access: Access

    @property
    def kind(self) -> str:
        """What kind of listener it is."""

    async def serve(self, handlers: trio.Nursery) -> None:
        """Accept until cancelled; serve those who came in ``handlers``."""


def open_surfaces(
    config: Config, gate: SessionGate, roster: Roster | None = None
) -> list[Surface]:
    """Bind every listener of the configuration.

    Args:
        config: the whole of it.
        gate: where clients wait for the module.
        roster: is told of every client.

    Raises:
        ConfigError: host ports cannot be bound; says which, all of them.
    """
    opening = _Opening(config, gate, roster or Roster())
    for forward in config.forwards:
        opening.add_forward(forward)
    for proxy in config.proxies:
        opening.add_proxy(proxy)
    if config.dns is not None:
        opening.add_dns(config.dns)
    return opening.done()


class _Opening:
    """Collects what could be bound, and what could not."""

    def __init__(self, config: Config, gate: SessionGate, roster: Roster) -> None:
        self._roster = roster
        self._config = config
        self._gate = gate
        self._surfaces: list[Surface] = []
        self._problems: list[str] = []

    def done(self) -> list[Surface]:
        if self._problems:
            raise ConfigError(self._problems)
        return self._surfaces

    def add_forward(self, forward: Forward) -> None:
        gate, timeouts = self._gate, self._config.timeouts
        try:
            if forward.protocol == "udp":
                port = bind_udp(forward.name, forward.listen)
                udp = UdpForward(forward, port, gate, timeouts, self._roster)
                self._add(udp, forward.listen)
            else:
                listener = bind_tcp(forward.name, forward.listen)
                tcp = TcpForward(forward, listener, gate, timeouts, self._roster)
                self._add(tcp, forward.listen)
        except ConfigError as error:
            self._problems += error.problems

    def add_proxy(self, proxy: Proxy) -> None:
        kind = SocksProxy if proxy.protocol == "socks5" else HttpProxy
        try:
            listener = bind_tcp(proxy.name, proxy.listen)
        except ConfigError as error:
            self._problems += error.problems
            return
        timeouts = self._config.timeouts
        self._add(kind(proxy, listener, self._gate, timeouts, self._roster), proxy.listen)
        if exposed(proxy.listen) and not proxy.users:
            log.warning(
                "%s: ANYBODY whom allow lets in can use the mobile connection: it has no users",
                proxy.name,
            )

    def add_dns(self, dns: Dns) -> None:
        config = self._config
        try:
            ports = _bind_dns(dns.listen)
        except ConfigError as error:
            self._problems += error.problems
            return
        listener = DnsListener(
            dns, ports, self._gate, config.timeouts, config.modem, self._roster
        )
        self._add(listener, dns.listen)

    def _add(self, surface: Surface, listen: Endpoint) -> None:
        self._surfaces.append(surface)
        where = Endpoint(listen.host, surface.port)
        if exposed(listen):
            log.warning("%s: EXPOSED: listens on %s for other machines", surface.name, where)
        else:
            log.info("%s: listens on %s", surface.name, where)


def _bind_dns(listen: Endpoint) -> tuple[HostPort, trio.SocketListener]:
    """Bind the same port for UDP and TCP; a port that is to be any free one takes tries.

    Raises:
        ConfigError: one of them cannot be bound.
    """
    tries = 1 if listen.port else _TRIES
    while True:
        udp = bind_udp(DNS, listen)
        try:
            return udp, bind_tcp(DNS, Endpoint(listen.host, udp.port))
        except ConfigError:
            udp.close()
            tries -= 1
            if not tries:
                raise

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

#: What a listener of this host is described by.
Entry = Forward | Proxy | Dns
#: What is bound for it.
Ports = trio.SocketListener | HostPort | tuple[HostPort, trio.SocketListener]


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

    def lend(self) -> Ports:
        """Give second handles to its ports: they stay bound when it lets go of them."""

    def close(self) -> None:
        """Let go of ports that are not served."""


def entries_of(config: Config) -> dict[str, Entry]:
    """Give what describes each listener of this host, by its name."""
    entries: dict[str, Entry] = {forward.name: forward for forward in config.forwards}
    entries |= {proxy.name: proxy for proxy in config.proxies}
    return entries if config.dns is None else {**entries, DNS: config.dns}


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
    assembly = Assembly(gate, roster or Roster())
    surfaces: list[Surface] = []
    problems: list[str] = []
    for entry in entries_of(config).values():
        try:
            surfaces.append(assembly.open(entry, config))
        except ConfigError as error:
            problems += error.problems
    if problems:
        for surface in surfaces:
            surface.close()
        raise ConfigError(problems)
    for surface, entry in zip(surfaces, entries_of(config).values(), strict=True):
        announce(surface, entry)
    return surfaces


def announce(surface: Surface, entry: Entry) -> None:
    """Say where a listener listens, loudly if others can reach it."""
    listen = entry.listen
    where = Endpoint(listen.host, surface.port)
    if not exposed(listen):
        log.info("%s: listens on %s", surface.name, where)
        return
    log.warning("%s: EXPOSED: listens on %s for other machines", surface.name, where)
    if isinstance(entry, Proxy) and not entry.users:
        log.warning(
            "%s: ANYBODY whom allow lets in can use the mobile connection: it has no users",
            surface.name,
        )


class Assembly:
    """Makes listeners, and changes them."""

    def __init__(self, gate: SessionGate, roster: Roster) -> None:
        """Args:
        gate: where clients wait for the module.
        roster: is told of every client.
        """
        self._gate = gate
        self._roster = roster

    def open(self, entry: Entry, config: Config, lent: Surface | None = None) -> Surface:
        """Make a listener.

        Args:
            entry: what describes it.
            config: the configuration that this is part of.
            lent: has the same address and transport, and lends its ports; they are bound
                anew when this is left out.

        Raises:
            ConfigError: its port cannot be bound.
        """
        gate, roster, timeouts = self._gate, self._roster, config.timeouts
        ports = _bind(entry) if lent is None else lent.lend()
        match entry, ports:
            case Dns(), (HostPort(), trio.SocketListener()):
                return DnsListener(entry, ports, gate, timeouts, config.modem, roster)
            case Forward(), HostPort():
                return UdpForward(entry, ports, gate, timeouts, roster)
            case Forward(), trio.SocketListener():
                return TcpForward(entry, ports, gate, timeouts, roster)
            case Proxy(protocol="socks5"), trio.SocketListener():
                return SocksProxy(entry, ports, gate, timeouts, roster)
            case Proxy(), trio.SocketListener():
                return HttpProxy(entry, ports, gate, timeouts, roster)
        raise AssertionError(f"{entry}: does not fit {ports}")

    def change(self, surface: Surface, entry: Entry, config: Config) -> None:
        """Have a listener go by other rules for those who come from now on.

        Args:
            surface: the listener.
            entry: what describes it; its address and protocol are the same as before.
            config: the configuration that this is part of.
        """
        match surface, entry:
            case DnsListener(), Dns():
                surface.change(entry, config.timeouts, config.modem)
            case ((TcpForward() | UdpForward()), Forward()):
                surface.change(entry, config.timeouts)
            case ((SocksProxy() | HttpProxy()), Proxy()):
                surface.change(entry, config.timeouts)
            case _:
                raise AssertionError(f"{entry}: does not fit {surface}")


def _bind(entry: Entry) -> Ports:
    """Bind what an entry listens on.

    Raises:
        ConfigError: it cannot be bound.
    """
    if isinstance(entry, Dns):
        return _bind_dns(entry.listen)
    if entry.protocol == "udp":
        return bind_udp(entry.name, entry.listen)
    return bind_tcp(entry.name, entry.listen)


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

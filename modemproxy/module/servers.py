"""Servers on the module: ports of its own address where far clients come in.

Each is armed at the beginning of every session, because nothing of them survives a
recovery, and when the configuration comes to have it. One that the module refuses is tried
again now and then. Whether anybody can
reach them is another question: most mobile networks give private addresses, and that is
said, too.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from math import inf
from typing import Final

import trio

from modemproxy.at.results import Refused, TcpipErr
from modemproxy.at.servers import OpenRow, QueryServers, StartServer, StopServer
from modemproxy.at.tcpip import SERVERS
from modemproxy.errors import CommandError, NoAnswer
from modemproxy.journal import Journal, ServerArmed, ServerNotArmed
from modemproxy.line.scheduler import Scheduler
from modemproxy.module.link import Link

log = logging.getLogger(__name__)

_RETRY_S: Final = 30.0
#: The module does not stop a server while its far clients are inside.
_STOP_RETRY_S: Final = 5.0
#: An answer that was lost on the line says nothing about the module.
_NOISE_RETRY_S: Final = 2.0
_CARRIER_NAT: Final = IPv4Network("100.64.0.0/10")


@dataclass(frozen=True, slots=True)
class ServerPort:
    """A server to be had on the module.

    Attributes:
        index: 0 to 3.
        port: the module's port.
        name: the server's name; its far clients count as this owner's.
        weight: its clients' share of the line relative to others.
    """

    index: int
    port: int
    name: str
    weight: float = 2.0


@dataclass(frozen=True, slots=True)
class FarClient:
    """A far client that a server on the module has accepted.

    Attributes:
        link: its connection, open; whoever is handed the far client closes it.
        server: the index of the server.
        host: the far client's address.
        port: its port.
        name: of the server.
    """

    link: Link
    server: int
    host: str
    port: int
    name: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A far client as the module announces it.

    Attributes:
        server: the index of the server it came in on.
        host: its address.
        port: its port; 0 when the module's words were not understood.
    """

    server: int
    host: str
    port: int

    @classmethod
    def announced(cls, server: int, peer: str) -> "Arrival":
        """Read the ``<host>:<port>`` of ``+CLIENT``; brackets of IPv6 are removed."""
        host, _, port = peer.rpartition(":")
        if not port.isdecimal():
            return cls(server, peer, 0)
        return cls(server, host.removeprefix("[").removesuffix("]"), int(port))

    @classmethod
    def of(cls, row: OpenRow) -> "Arrival":
        """Read a line of ``+CIPOPEN?``."""
        return cls(row.server, row.host, row.port)

    @property
    def peer(self) -> str:
        """Address and port, for the log."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def why_unreachable(address: str) -> str:
    """Say why nobody on the Internet can connect to an address; empty when somebody may."""
    try:
        ip = ip_address(address)
    except ValueError:
        return ""
    if ip.is_link_local:
        return "link-local"
    if isinstance(ip, IPv4Address) and ip in _CARRIER_NAT:
        return "behind carrier NAT (RFC 6598)"
    if isinstance(ip, IPv6Address) and ip.is_private:
        return "private (RFC 4193)"
    return "private (RFC 1918)" if ip.is_private else ""


class ServerKeeper:
    """Has the module listen, for one session."""

    def __init__(
        self,
        scheduler: Scheduler,
        servers: Sequence[ServerPort],
        address: str,
        journal: Journal,
    ) -> None:
        """Args:
        scheduler: the line.
        servers: what to listen on.
        address: the module's own.
        journal: is told of every server that listens, or can not.
        """
        self._execute = scheduler.execute
        self._wanted = {server.index: server for server in servers}
        self._news = trio.Event()
        self._address = address
        self._journal = journal
        self._backlog_refused = False

    def change(self, servers: Sequence[ServerPort]) -> None:
        """Have the module listen there instead; what listens already goes on.

        A server that the module does not stop, because far clients are inside, is stopped
        when they have gone.
        """
        before = {server.port for server in self._wanted.values()}
        self._wanted = {server.index: server for server in servers}
        self._warn([server for server in servers if server.port not in before])
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def keep(self) -> None:
        """Have every server listen, and keep up with changes, until cancelled.

        Raises:
            LineError: the line ended.
        """
        self._warn(list(self._wanted.values()))
        async with trio.open_nursery() as nursery:
            for index in range(SERVERS):
                nursery.start_soon(self._keep, index)

    def _warn(self, servers: Sequence[ServerPort]) -> None:
        reason = why_unreachable(self._address)
        if servers and reason:
            ports = ", ".join(f"{server.name} (port {server.port})" for server in servers)
            log.warning(
                "far clients cannot reach %s from the Internet: address %s is %s",
                ports,
                self._address,
                reason,
            )

    async def _keep(self, index: int) -> None:
        """Try until one index is as it should be; say why it is not, once for each reason."""
        listening: ServerPort | None = None
        said = ""
        while True:
            news, wanted = self._news, self._wanted.get(index)
            pause_s = inf
            try:
                if listening and (wanted is None or wanted.port != listening.port):
                    await self._stop(listening)
                    listening = None
                if wanted and not listening:
                    await self._start(wanted)
                    listening = wanted
                    self._note_armed(wanted)
                said = ""
            except CommandError as error:
                pause_s = _RETRY_S if isinstance(error, Refused) else _NOISE_RETRY_S
                pause_s = _STOP_RETRY_S if listening else pause_s
                if error.reason != said:
                    said = error.reason
                    self._complain(wanted, listening, said, pause_s)
            with trio.move_on_after(pause_s):
                await news.wait()

    def _note_armed(self, server: ServerPort) -> None:
        self._journal.record(ServerArmed(server.index, server.port, self._address, server.name))

    def _complain(
        self, wanted: ServerPort | None, listening: ServerPort | None, why: str, pause_s: float
    ) -> None:
        if listening is not None:
            log.info("port %d of the module is not closed yet: %s", listening.port, why)
        elif wanted is not None:
            self._journal.record(ServerNotArmed(wanted.name, wanted.port, why, pause_s))

    async def _stop(self, server: ServerPort) -> None:
        """Stop one server.

        Raises:
            CommandError: it listens still: its far clients are inside, most likely.
            LineError: the line ended.
        """
        refusal: Refused | None = None
        try:
            await self._execute(StopServer(server.index))
        except Refused as error:
            refusal = error
        # Its result may come after the OK: the module's list tells.
        if await self._listens(server):
            raise refusal or NoAnswer(f"SERVERSTOP={server.index}")
        log.info("the module does not listen on port %d any more", server.port)
        self._wake()  # another index may wait for the port

    async def _start(self, server: ServerPort) -> None:
        """Start one server.

        Raises:
            CommandError: it does not listen, as far as is known.
            LineError: the line ended.
        """
        command = self._command(server)
        try:
            await self._execute(command)
        except Refused as error:
            if error.failure.is_err(TcpipErr.ALREADY_LISTENING):
                if await self._listens(server):  # the OK of an earlier try was lost
                    return
                raise
            if command.backlog is None or error.code not in (None, TcpipErr.WRONG_PARAMETER):
                raise
            self._backlog_refused = True  # SIM7600 does not know the field
            await self._execute(self._command(server))

    def _command(self, server: ServerPort) -> StartServer:
        if self._backlog_refused:
            return StartServer(server.index, server.port, backlog=None)
        return StartServer(server.index, server.port)

    async def _listens(self, server: ServerPort) -> bool:
        ports = await self._execute(QueryServers())
        return ports.get(server.index) == server.port

"""An internet of real sockets: the far side of ``demo``, ``emulate`` and ``bench``.

Close semantics: the module's orderly close is a FIN after its unsent bytes, its abort a RST
(linger 0). A far FIN is told after all its bytes were taken; a far RST at once. When the
module's buffer is full its socket is not read, and the kernel closes the window.
"""

import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final

import trio

from modemproxy.emulator.internet import (
    Accept,
    Address,
    DatagramSink,
    Resolved,
    Sink,
    Trouble,
)
from modemproxy.emulator.socket_ports import SocketDatagrams, SocketListener, bound
from modemproxy.emulator.socket_remote import SocketRemote, small_buffers

_BACKLOG: Final = 3


class _Attempt:
    """A task that can be given up."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()

    def cancel(self) -> None:
        """Cancel the task."""
        self.scope.cancel()


class SocketInternet:
    """The far side on sockets of this host.

    Args:
        nursery: where connections are pumped.
        hosts: what the module's names mean: ``{"broker.example.com": "127.0.0.1"}``, or with
            ports ``{"broker.example.com:1883": "127.0.0.1:40001"}``; several addresses at
            commas, of which connections use the first. Others are resolved.
        bind: address that the module's servers and UDP sockets use on this host.
        any_port: give the module's servers and UDP sockets free ports of this host instead
            of their own; see ``server_ports`` and ``udp_ports``.
        servers: port of a module's server -> where it listens on this host instead; port 0
            is any free one.

    Attributes:
        server_ports: port of a module's server -> port on this host.
        udp_ports: UDP port of the module that is in use -> port on this host.
        on_listen: told the port of a server that now listens, and where on this host.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        hosts: Mapping[str, str] | None = None,
        bind: str = "127.0.0.1",
        any_port: bool = False,
        servers: Mapping[int, Address] | None = None,
    ) -> None:
        self._nursery = nursery
        self._hosts = dict(hosts or {})
        self._bind = bind
        self._any_port = any_port
        self._servers = dict(servers or {})
        self.server_ports: dict[int, int] = {}
        self.udp_ports: dict[int, int] = {}
        self.on_listen: Callable[[int, Address], None] = lambda _port, _address: None

    def start(self, function: Callable[..., object], *args: object) -> None:
        """Run a pump."""
        self._nursery.start_soon(function, *args)  # type: ignore[arg-type]

    def mapped(self, host: str, port: int) -> Address:
        """Return where a destination of the module really is."""
        target = self._target(host, port)
        name, colon, digits = target.rpartition(":")
        if colon and digits.isdecimal() and ":" not in name:
            return name, int(digits)
        return target, port

    def _target(self, host: str, port: int) -> str:
        targets = self._hosts.get(f"{host}:{port}") or self._hosts.get(host) or host
        return targets.partition(",")[0]

    def connect(self, host: str, port: int, sink: Sink) -> _Attempt:
        """Connect; the sink hears how it went."""
        attempt = _Attempt()
        self.start(self._connect, attempt, host, port, sink)
        return attempt

    async def _connect(self, attempt: _Attempt, host: str, port: int, sink: Sink) -> None:
        dialled = None
        with attempt.scope:
            dialled = await _dial(*self.mapped(host, port), sink)
        if dialled is not None:
            sock, ip = dialled
            remote = SocketRemote(sock)
            sink.connected(remote, ip)
            await remote.run(sink)

    def bind(self, port: int, sink: DatagramSink) -> SocketDatagrams | None:
        """Bind a UDP port of the module, any free one for 0."""
        if port in self.udp_ports:
            return None
        sock = bound(socket.SOCK_DGRAM, (self._bind, 0 if self._any_port else port))
        if sock is None:
            return None
        on_host = sock.getsockname()[1]
        port = port or on_host
        self.udp_ports[port] = on_host
        datagrams = SocketDatagrams(
            sock, self.mapped, self.start, lambda: self._unbound(port, on_host)
        )
        self.start(datagrams.run, sink)
        return datagrams

    def _unbound(self, port: int, on_host: int) -> None:
        if self.udp_ports.get(port) == on_host:
            del self.udp_ports[port]

    def listen(self, port: int, accept: Accept) -> SocketListener | None:
        """Listen on a TCP port of the module."""
        usual = self._bind, 0 if self._any_port else port
        where = self._servers.get(port, usual)
        # the next SERVERSTART of a port finds far clients that know where the last was
        known = self.server_ports.get(port, 0) if where[1] == 0 else 0
        sock = bound(socket.SOCK_STREAM, (where[0], known)) if known else None
        sock = sock or bound(socket.SOCK_STREAM, where)
        if sock is None:
            return None
        sock.listen(_BACKLOG)
        self.server_ports[port] = sock.getsockname()[1]
        listener = SocketListener(sock)
        self.start(listener.run, accept, self.start)
        self.on_listen(port, (where[0], self.server_ports[port]))
        return listener

    def resolve(self, name: str, done: Resolved) -> _Attempt:
        """Look a name up: those given for it, else with this host's resolver."""
        attempt = _Attempt()
        self.start(self._resolve, attempt, name, done)
        return attempt

    async def _resolve(self, attempt: _Attempt, name: str, done: Resolved) -> None:
        with attempt.scope:
            found: dict[str, None] = {}
            for target in self._hosts.get(name, name).split(","):
                host = target if _is_address(target) else target.partition(":")[0]
                found.update(dict.fromkeys(each[0] for each in await _addresses(host, 0)))
            done(list(found))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


async def _addresses(host: str, port: int) -> list[Address]:
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [(str(entry[4][0]), port) for entry in found]


async def _dial(host: str, port: int, sink: Sink) -> tuple[trio.socket.SocketType, str] | None:
    """Connect to the first address that answers, or tell the sink why not."""
    trouble = Trouble.NO_NAME
    for address in await _addresses(host, port):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = trio.socket.socket(family, socket.SOCK_STREAM)
        try:
            small_buffers(sock)
            await sock.connect(address)
        except ConnectionRefusedError:
            trouble = Trouble.REFUSED
        except OSError:
            trouble = Trouble.UNREACHABLE
        except trio.Cancelled:
            sock.close()
            raise
        else:
            return sock, address[0]
        sock.close()
    sink.failed(trouble)
    return None

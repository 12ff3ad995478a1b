"""An internet of real sockets: the far side of ``demo``, ``emulate`` and ``bench``.

Close semantics: the module's orderly close is a FIN after its unsent bytes, its abort a RST
(linger 0). A far FIN is told after all its bytes were taken; a far RST at once. When the
module's buffer is full its socket is not read, and the kernel closes the window.
"""

import socket
from collections.abc import Callable, Mapping
from typing import Final

import trio

from modemproxy.emulator.internet import Accept, Address, DatagramSink, Sink, Trouble
from modemproxy.emulator.socket_remote import SocketRemote, small_buffers

_BACKLOG: Final = 3
_MAX_DATAGRAM: Final = 65535


class _Attempt:
    """A task that can be given up."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()

    def cancel(self) -> None:
        """Cancel the task."""
        self.scope.cancel()


class SocketDatagrams:
    """One UDP socket of the module."""

    def __init__(self, world: "SocketInternet", sock: trio.socket.SocketType) -> None:
        self._world = world
        self._sock = sock
        self._scope = trio.CancelScope()

    def send_to(self, data: bytes, target: Address) -> None:
        """Send one datagram."""
        self._world.start(self._send_to, data, target)

    def close(self) -> None:
        """Release the port."""
        self._scope.cancel()

    async def _send_to(self, data: bytes, target: Address) -> None:
        host, port = self._world.mapped(*target)
        try:
            await self._sock.sendto(data, (host, port))
        except (OSError, trio.ClosedResourceError):
            return  # UDP: what cannot be sent is lost

    async def run(self, sink: DatagramSink) -> None:
        """Receive until closed."""
        with self._sock, self._scope:
            while True:
                try:
                    data, source = await self._sock.recvfrom(_MAX_DATAGRAM)
                except OSError:
                    continue  # an ICMP error of an earlier datagram
                sink.datagram(data, (source[0], source[1]))


class _Listener:
    """One listening socket of the module."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._sock = sock
        self._scope = trio.CancelScope()

    def close(self) -> None:
        """Stop listening."""
        self._scope.cancel()
        self._sock.close()

    async def run(self, accept: Accept, start: Callable[..., None]) -> None:
        """Accept until closed; a client for whom no link is free is turned away."""
        with self._sock, self._scope:
            while True:
                sock, address = await self._sock.accept()
                small_buffers(sock)
                remote = SocketRemote(sock)
                sink = accept(remote, (address[0], address[1]))
                if sink is None:
                    remote.abort()
                    sock.close()
                else:
                    start(remote.run, sink)


class SocketInternet:
    """The far side on sockets of this host.

    Args:
        nursery: where connections are pumped.
        hosts: what the module's names mean: ``{"broker.example.com": "127.0.0.1"}``, or with
            ports ``{"broker.example.com:1883": "127.0.0.1:40001"}``. Others are resolved.
        bind: address that the module's servers and UDP sockets use on this host.
        any_port: give the module's servers free ports of this host instead of their own;
            see ``server_ports``.

    Attributes:
        server_ports: port of a module's server -> port on this host.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        hosts: Mapping[str, str] | None = None,
        bind: str = "127.0.0.1",
        any_port: bool = False,
    ) -> None:
        self._nursery = nursery
        self._hosts = dict(hosts or {})
        self._bind = bind
        self._any_port = any_port
        self.server_ports: dict[int, int] = {}

    def start(self, function: Callable[..., object], *args: object) -> None:
        """Run a pump."""
        self._nursery.start_soon(function, *args)  # type: ignore[arg-type]

    def mapped(self, host: str, port: int) -> Address:
        """Return where a destination of the module really is."""
        target = self._hosts.get(f"{host}:{port}") or self._hosts.get(host) or host
        name, colon, digits = target.rpartition(":")
        if colon and digits.isdecimal() and ":" not in name:
            return name, int(digits)
        return target, port

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
        """Bind a UDP port."""
        sock = self._bound(socket.SOCK_DGRAM, port)
        if sock is None:
            return None
        datagrams = SocketDatagrams(self, sock)
        self.start(datagrams.run, sink)
        return datagrams

    def listen(self, port: int, accept: Accept) -> _Listener | None:
        """Listen on a TCP port."""
        sock = self._bound(socket.SOCK_STREAM, 0 if self._any_port else port)
        if sock is None:
            return None
        sock.listen(_BACKLOG)
        self.server_ports[port] = sock.getsockname()[1]
        listener = _Listener(sock)
        self.start(listener.run, accept, self.start)
        return listener

    def resolve(self, name: str, done: Callable[[str | None], None]) -> _Attempt:
        """Look a name up with this host's resolver."""
        attempt = _Attempt()
        self.start(self._resolve, attempt, name, done)
        return attempt

    async def _resolve(
        self, attempt: _Attempt, name: str, done: Callable[[str | None], None]
    ) -> None:
        with attempt.scope:
            found = await _addresses(*self.mapped(name, 0))
            done(found[0][0] if found else None)

    def _bound(self, kind: socket.SocketKind, port: int) -> trio.socket.SocketType | None:
        family = socket.AF_INET6 if ":" in self._bind else socket.AF_INET
        sock = socket.socket(family, kind)
        try:
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self._bind, port))
        except OSError:
            sock.close()
            return None
        sock.setblocking(False)
        return trio.socket.from_stdlib_socket(sock)


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

"""Ports of the module on real sockets: bound UDP ports, and listening TCP ports."""

import socket
from collections.abc import Callable
from typing import Final

import trio

from modemproxy.emulator.internet import Accept, Address, DatagramSink
from modemproxy.emulator.socket_remote import SocketRemote, small_buffers

_MAX_DATAGRAM: Final = 65535
#: After an accept that failed for want of something.
_ACCEPT_RETRY_S: Final = 0.1

#: Starts a pump.
Start = Callable[..., None]


class SocketDatagrams:
    """One UDP socket of the module.

    Args:
        sock: bound.
        mapped: says where a destination of the module really is.
        start: starts a task.
        on_close: told when the port is free again.
    """

    def __init__(
        self,
        sock: trio.socket.SocketType,
        mapped: Callable[[str, int], Address],
        start: Start,
        on_close: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._mapped = mapped
        self._start = start
        self._on_close = on_close
        self._scope = trio.CancelScope()

    def send_to(self, data: bytes, target: Address) -> None:
        """Send one datagram."""
        self._start(self._send_to, data, target)

    def close(self) -> None:
        """Release the port."""
        self._scope.cancel()
        self._on_close()

    async def _send_to(self, data: bytes, target: Address) -> None:
        try:
            await self._sock.sendto(data, self._mapped(*target))
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


class SocketListener:
    """One listening socket of the module."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._sock = sock
        self._scope = trio.CancelScope()

    def close(self) -> None:
        """Stop listening."""
        self._scope.cancel()
        self._sock.close()

    async def run(self, accept: Accept, start: Start) -> None:
        """Accept until closed; a client for whom no link is free is turned away."""
        with self._sock, self._scope:
            while True:
                try:
                    sock, address = await self._sock.accept()
                except OSError:
                    # it gave up before we looked, or this host has no more descriptors
                    await trio.sleep(_ACCEPT_RETRY_S)
                    continue
                small_buffers(sock)
                remote = SocketRemote(sock)
                sink = accept(remote, (address[0], address[1]))
                if sink is None:
                    remote.abort()
                    sock.close()
                else:
                    start(remote.run, sink)


def bound(kind: socket.SocketKind, where: Address) -> trio.socket.SocketType | None:
    """Bind a socket; None when the port cannot be had."""
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
    except OSError:
        sock.close()
        return None
    sock.setblocking(False)
    return trio.socket.from_stdlib_socket(sock)

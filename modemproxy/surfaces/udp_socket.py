"""A host's UDP port: datagrams with their peer, answered from the address they came to.

A socket bound to every address (0.0.0.0, ::) would answer from the one that the routing
table likes best, and a client that asked another one takes no notice of that. So the
kernel is asked where each datagram came to (IP_PKTINFO, RFC 3542 6.2), and told to answer
from there.
"""

import socket
import struct
from dataclasses import dataclass
from typing import Any, Final, cast

import trio

from modemproxy.config.checks import Endpoint
from modemproxy.errors import ConfigError

_LARGEST: Final = 65535
_BUFFER: Final = 262144
_ERROR_PAUSE_S: Final = 0.01
# Linux; the socket module of Python 3.11 has no name for the first.
_IP_PKTINFO: Final = 8
_PKTINFO: Final = struct.Struct("=i4s4s")
_PKTINFO6: Final = struct.Struct("=16si")
_SPACE: Final = socket.CMSG_SPACE(_PKTINFO6.size)

Address = tuple[Any, ...]
Ancillary = tuple[tuple[int, int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Peer:
    """Who sent a datagram, and to which address of ours.

    Attributes:
        address: the kernel's form of the sender's.
        via: how the kernel is told to answer from there; empty where it need not be.
    """

    address: Address
    via: Ancillary = ()

    @property
    def host(self) -> str:
        """The sender's address without its port."""
        return str(self.address[0])

    def __str__(self) -> str:
        host, port = self.address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HostPort:
    """A bound UDP socket.

    Attributes:
        port: the port in fact bound.
    """

    def __init__(self, sock: trio.socket.SocketType, *, wild: bool) -> None:
        """Args:
        sock: bound; becomes ours to close.
        wild: it is bound to every address, and tells which of them is meant.
        """
        self._sock = sock
        self._wild = wild
        self.port: int = sock.getsockname()[1]

    async def receive(self) -> tuple[bytes, Peer]:
        """Wait for a datagram.

        Raises:
            trio.ClosedResourceError: the port was closed.
        """
        while True:
            try:
                if self._wild:
                    data, notes, _, sender = await self._sock.recvmsg(_LARGEST, _SPACE)
                    return data, Peer(cast(Address, sender), _answer_from(notes))
                data, address = await self._sock.recvfrom(_LARGEST)
                return data, Peer(address)
            except OSError:  # an error of an earlier send: that datagram is lost
                await trio.sleep(_ERROR_PAUSE_S)

    async def send(self, data: bytes, peer: Peer) -> bool:
        """Send a datagram; False when the kernel does not want it.

        Raises:
            trio.ClosedResourceError: the port was closed.
        """
        try:
            if peer.via:
                await self._sock.sendmsg([data], peer.via, 0, peer.address)
            else:
                await self._sock.sendto(data, peer.address)
        except OSError:
            return False
        return True

    def lend(self) -> "HostPort":
        """Give a second handle to the port: it stays bound when this one is closed."""
        return HostPort(self._sock.dup(), wild=self._wild)

    def close(self) -> None:
        """Release the port."""
        self._sock.close()


def bind_udp(name: str, listen: Endpoint) -> HostPort:
    """Bind a UDP port.

    Args:
        name: of the surface, for the error.
        listen: address and port; port 0 is any free one.

    Raises:
        ConfigError: the address is not there, or the port is taken or not permitted.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    wild = listen.host in ("0.0.0.0", "::")
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if wild and family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        elif wild:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.bind((listen.host, listen.port))  # a literal: nothing to look up
    except OSError as error:
        sock.close()
        raise ConfigError([f"{name}: cannot listen on {listen}: {error.strerror}"]) from error
    return HostPort(trio.socket.from_stdlib_socket(sock), wild=wild)


def _answer_from(notes: list[tuple[int, int, bytes]]) -> Ancillary:
    """Turn the note on where a datagram came to into one on where to answer from."""
    for level, kind, data in notes:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            _, ours, _ = _PKTINFO.unpack(data[: _PKTINFO.size])
            return ((level, kind, _PKTINFO.pack(0, ours, bytes(4))),)
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            ours, index = _PKTINFO6.unpack(data[: _PKTINFO6.size])
            link_local = ours[0] == 0xFE and ours[1] & 0xC0 == 0x80
            note = _PKTINFO6.pack(ours, index if link_local else 0)  # else as the route says
            return ((level, kind, note),)
    return ()

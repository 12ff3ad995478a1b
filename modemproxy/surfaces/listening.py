"""Listening TCP sockets of the host; what they accept inherits their options."""

import socket
from typing import Final

import trio

from modemproxy.config import Endpoint
from modemproxy.errors import ConfigError
from modemproxy.surfaces.client import arm_reset

#: What the proxy has taken from a client but the module has not is what a reset loses.
RECEIVE_BUFFER: Final = 8192
#: What waits for a client that does not read; the rest waits in the module.
SEND_BUFFER: Final = 65536
_BACKLOG: Final = 64


def bind_tcp(name: str, where: Endpoint) -> trio.SocketListener:
    """Bind a port of this host and listen on it.

    Args:
        name: whose it is, for the message.
        where: a literal address, and the port; 0 is any that is free.

    Raises:
        ConfigError: the address is not there, or the port is taken or not permitted.
    """
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        prepare(sock)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bind_now(sock, where)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise ConfigError([f"{name}: cannot listen on {where}: {error.strerror}"]) from error
    return trio.SocketListener(sock)


def prepare(sock: trio.socket.SocketType) -> None:
    """Set what every TCP socket of the host's side has; it is armed to be reset.

    Raises:
        OSError: never by what a user did.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    arm_reset(sock)


def bind_now(sock: trio.socket.SocketType, where: Endpoint) -> None:
    """Bind to a literal address: nothing to look up, so nothing to wait for.

    Raises:
        OSError: the address is not there, or the port is taken or not permitted.
    """
    blocking = socket.socket(fileno=sock.fileno())
    try:
        blocking.bind((where.host, where.port))
    finally:
        blocking.detach()

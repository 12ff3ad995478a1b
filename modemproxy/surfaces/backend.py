"""Connections of the host to the backend of a server on the module."""

import os
import socket

import trio

from modemproxy.config import Endpoint
from modemproxy.errors import ModemProxyError
from modemproxy.surfaces.client import ClientConnection
from modemproxy.surfaces.listening import prepare


class BackendFailed(ModemProxyError):
    """The backend of a server cannot be connected to; the text says why."""


async def connect_backend(where: Endpoint, limit_s: float) -> ClientConnection:
    """Connect to a backend; names are looked up by the host, not by the module.

    The connection is armed to be reset, as every other of the host's side: nothing but an
    end that was earned may look like one to the backend.

    Args:
        where: host and port.
        limit_s: for the look-up and all of the addresses together, seconds.

    Raises:
        BackendFailed: it could not be connected to.
    """
    problem = f"no connection within {limit_s:g} s"
    with trio.move_on_after(limit_s):
        try:
            found = await trio.socket.getaddrinfo(
                where.host, where.port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            raise BackendFailed(f"backend {where}: {error.strerror or error}") from error
        for family, _, _, _, address in found:
            try:
                return await _connect(family, address)
            except OSError as error:
                problem = os.strerror(error.errno) if error.errno else str(error)
    raise BackendFailed(f"backend {where}: {problem}")


async def _connect(
    family: socket.AddressFamily, address: tuple[object, ...]
) -> ClientConnection:
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        prepare(sock)
        await sock.connect(address)
        return ClientConnection(trio.SocketStream(sock))
    except BaseException:
        sock.close()
        raise

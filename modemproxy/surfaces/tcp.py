"""TCP forwards: a host port, its clients, and a link for each of them.

The kernel completes a client's handshake before anybody knows whether the far side can
be reached, so nothing is read from the client before it is, and a client that can not be
served is reset: it must not take an empty answer for a success. The one ``except
Exception`` of the package is here: a bug in serving one client must not end the others.
"""

import logging
import socket
from contextlib import AsyncExitStack
from typing import Final

import trio

from modemproxy.config import Forward, Timeouts
from modemproxy.errors import ConfigError, ModemProxyError, NotReady, first_error
from modemproxy.module.lifecycle import SessionGate
from modemproxy.module.link import Link
from modemproxy.surfaces.access import Access, Denied
from modemproxy.surfaces.client import ClientConnection, arm_reset
from modemproxy.surfaces.relay import ClientVanished, RelayOptions, Traffic, relay

log = logging.getLogger(__name__)

#: What the proxy has taken from a client but the module has not is what a reset loses.
_RECEIVE_BUFFER: Final = 8192
#: What waits for a client that does not read; the rest waits in the module.
_SEND_BUFFER: Final = 65536
_BACKLOG: Final = 64
_FLUSH_S: Final = 2.0
_FLUSH_STOPPING_S: Final = 0.5
_WATCH_S: Final = 0.5


def bind(forward: Forward) -> trio.SocketListener:
    """Bind a forward's port; its sockets inherit the options of the listening one.

    Raises:
        ConfigError: the address is not there, or the port is taken or not permitted.
    """
    host, port = forward.listen.host, forward.listen.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        arm_reset(sock)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _bind_now(sock, host, port)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        problem = f"{forward.name}: cannot listen on {forward.listen}: {error.strerror}"
        raise ConfigError([problem]) from error
    return trio.SocketListener(sock)


def _bind_now(sock: trio.socket.SocketType, host: str, port: int) -> None:
    """Bind to a literal address: nothing to look up, so nothing to wait for."""
    blocking = socket.socket(fileno=sock.fileno())
    try:
        blocking.bind((host, port))
    finally:
        blocking.detach()


class TcpForward:
    """Serves one forward.

    Attributes:
        name: the forward's.
        port: the host port in fact bound.
    """

    def __init__(
        self,
        forward: Forward,
        listener: trio.SocketListener,
        gate: SessionGate,
        timeouts: Timeouts,
    ) -> None:
        self.name = forward.name
        self._forward = forward
        self._listener = listener
        self._gate = gate
        self._timeouts = timeouts
        self._options = RelayOptions(
            half_close_s=forward.half_close_s,
            idle_timeout_s=forward.idle_timeout_s,
            close_on_fin=forward.on_client_fin == "close",
        )
        self._access = Access(
            allow=forward.allow,
            max_clients=forward.max_clients,
            max_per_client=forward.max_per_client,
        )
        self.port: int = listener.socket.getsockname()[1]

    async def serve(self, handlers: trio.Nursery) -> None:
        """Accept clients until cancelled; they are served in ``handlers``."""
        await trio.serve_listeners(self._handle, [self._listener], handler_nursery=handlers)

    async def _handle(self, stream: trio.SocketStream) -> None:
        client = ClientConnection(stream)
        peer = client.peer
        try:
            with self._access.admitted(peer.rpartition(":")[0].strip("[]")):
                await self._serve_client(client, peer)
        except Denied as error:
            log.warning("%s: %s refused: %s", self._forward.name, peer, error)
        except Exception:
            log.exception("%s: %s: a bug; its connection is reset", self._forward.name, peer)
        finally:
            with trio.CancelScope(shield=True):
                await client.aclose()

    async def _serve_client(self, client: ClientConnection, peer: str) -> None:
        started = trio.current_time()
        traffic = Traffic(end="reset: the proxy is stopping")
        try:
            async with AsyncExitStack() as stack:
                link = await self._connect(stack, client)
                await self._relay(client, link, traffic)
        except (ModemProxyError, trio.BrokenResourceError, ClientVanished) as error:
            traffic.end = f"reset: {error}"
        finally:
            log.info(
                "%s: %s -> %s: %d up, %d down, %.1f s, %s",
                self._forward.name,
                peer,
                self._forward.connect,
                traffic.up,
                traffic.down,
                trio.current_time() - started,
                traffic.end,
            )

    async def _connect(self, stack: AsyncExitStack, client: ClientConnection) -> Link:
        """Open a link; one ``connect_s`` for the wait for service and the open.

        Raises:
            NotReady: it took too long.
            ModemProxyError: it failed.
            ClientVanished: the client did not wait.
        """
        forward, limit = self._forward, self._timeouts.connect_s
        link: Link | None = None
        failure: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch_client, client)
                with trio.move_on_after(limit):
                    session = await self._gate.wait_session()
                    opening = session.open_link(
                        forward.connect.host,
                        forward.connect.port,
                        traffic_class=forward.traffic_class,
                        queue_s=self._timeouts.queue_s,
                    )
                    link = await stack.enter_async_context(opening)
                nursery.cancel_scope.cancel()
        except* (ModemProxyError, ClientVanished) as group:
            failure = first_error(group)
        if failure is not None:  # not inside: with a Cancelled beside it, it would be a group
            raise failure
        if link is None:
            raise NotReady(f"not connected within {limit:g} s")
        return link

    async def _relay(self, client: ClientConnection, link: Link, traffic: Traffic) -> None:
        """Relay; on anything but an orderly end, flush what is valid before the reset."""
        flush_s = _FLUSH_STOPPING_S  # cancelled, which comes as a group of them
        try:
            traffic.end = ""
            await relay(client, link, self._options, traffic)
            client.finish()
            flush_s = 0.0
        except ClientVanished:
            flush_s = 0.0
            raise
        except (ModemProxyError, trio.BrokenResourceError):
            flush_s = _FLUSH_S
            raise
        finally:
            if flush_s:
                traffic.end = traffic.end or "reset: the proxy is stopping"
                with trio.CancelScope(shield=True):
                    await client.flush(flush_s)


async def _watch_client(client: ClientConnection) -> None:
    """A client that resets its connection while it waits needs no link any more."""
    while not client.broken:  # noqa: ASYNC110 - the kernel has no event for it
        await trio.sleep(_WATCH_S)
    raise ClientVanished("the client did not wait")

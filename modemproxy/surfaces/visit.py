"""One client's stay: who, where to, how much, how it ended. One line of the log each."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from modemproxy.errors import ModemProxyError
from modemproxy.surfaces.access import Denied
from modemproxy.surfaces.relay import ClientVanished, Traffic

log = logging.getLogger(__name__)

STOPPING = "reset: the proxy is stopping"


def name_of(host: str, port: int) -> str:
    """Write an address, or a destination, as the log has it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Visit:
    """A client that was let in.

    Attributes:
        surface: the name of the forward, server or proxy.
        peer: the client's ``address:port``.
        host: its address alone.
        target: where it is connected to, or wants to be.
        traffic: what was moved, and how it ended.
    """

    def __init__(self, surface: str, peer: str, target: str = "?") -> None:
        self.surface = surface
        self.peer = peer
        self.host = peer.rpartition(":")[0].strip("[]")
        self.target = target
        self.traffic = Traffic(end=STOPPING)
        self._started = trio.current_time()

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Write the line when the body ends; what a client can suffer ends here."""
        traffic = self.traffic
        try:
            yield
        except (ModemProxyError, trio.BrokenResourceError, ClientVanished, Denied) as error:
            traffic.end = f"reset: {error}"
        finally:
            log.info(
                "%s: %s -> %s: %d up, %d down, %.1f s, %s",
                self.surface,
                self.peer,
                self.target,
                traffic.up,
                traffic.down,
                trio.current_time() - self._started,
                traffic.end,
            )

"""A UDP forward between clients and links that a test plays; nothing of it is real."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any, cast

import trio

from modemproxy.config import Forward, Timeouts
from modemproxy.config.checks import Endpoint
from modemproxy.errors import ModemProxyError
from modemproxy.module.claims import Claim
from modemproxy.module.lifecycle import SessionGate
from modemproxy.surfaces.udp import UdpForward
from modemproxy.surfaces.udp_socket import HostPort, Peer

ALICE = Peer(("198.51.100.1", 1001))
BOB = Peer(("198.51.100.2", 1002))


class FakePort:
    """The host's port, in memory."""

    def __init__(self) -> None:
        self.port = 5300
        self.closed = False
        self.refuses = False
        self.answers: list[tuple[bytes, Peer]] = []
        self.on_answer: Callable[[bytes, Peer], None] = lambda data, peer: None
        self._in, self._out = trio.open_memory_channel[tuple[bytes, Peer]](1000)

    def say(self, data: bytes, peer: Peer = ALICE) -> None:
        """Be a client."""
        self._in.send_nowait((data, peer))

    async def receive(self) -> tuple[bytes, Peer]:
        return await self._out.receive()

    async def send(self, data: bytes, peer: Peer) -> bool:
        await trio.lowlevel.checkpoint()
        if self.closed:
            raise trio.ClosedResourceError
        if self.refuses:
            return False
        self.answers.append((data, peer))
        self.on_answer(data, peer)
        return True

    def close(self) -> None:
        self.closed = True


class FakeLink:
    """A datagram link; the test plays its far side."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.out: list[bytes] = []
        self.closed = False
        self.whole = True
        self.waiting = self.dropped = 0
        self._error: trio.BrokenResourceError | None = None
        self._in, self._far = trio.open_memory_channel[bytes](1000)

    @property
    def sent(self) -> int:
        return len(self.out)

    def say(self, data: bytes) -> None:
        """Be the far side."""
        self._in.send_nowait(data)

    def fail(self, why: str) -> None:
        """Break."""
        self._error = trio.BrokenResourceError(why)
        self._in.send_nowait(b"")

    async def send(self, data: bytes) -> bool:
        await trio.lowlevel.checkpoint()
        if self._error is not None:
            raise self._error
        self.out.append(data)
        return False

    async def receive(self) -> bytes:
        data = await self._far.receive()
        if self._error is not None:
            raise self._error
        return data


class FakeSession:
    """Opens fake links, as a test wants it."""

    def __init__(self) -> None:
        self.links: list[FakeLink] = []
        self.tries: list[float] = []
        self.open_s = 0.1
        self.whole = True
        self.error: ModemProxyError | None = None

    @property
    def open_links(self) -> list[FakeLink]:
        return [link for link in self.links if not link.closed]

    @asynccontextmanager
    async def open_datagrams(
        self, host: str, port: int, *, claim: Claim, queue_s: float
    ) -> AsyncIterator[FakeLink]:
        assert (host, port) == ("far.example.com", 53)
        self.tries.append(trio.current_time())
        await trio.sleep(self.open_s)
        if self.error is not None:
            raise self.error
        link = FakeLink(claim)
        link.whole = self.whole
        self.links.append(link)
        try:
            yield link
        finally:
            link.closed = True


class UdpStand:
    """A forward that is served."""

    def __init__(self, options: dict[str, Any], connect_s: float) -> None:
        self.host = FakePort()
        self.session = FakeSession()
        self.gate = SessionGate()
        self.gate._session = cast(Any, self.session)
        self.forward = UdpForward(
            udp_forward(**options),
            cast(HostPort, self.host),
            self.gate,
            Timeouts(connect_s=connect_s),
        )
        self.accepting = trio.CancelScope()

    @property
    def links(self) -> list[FakeLink]:
        """All links so far."""
        return self.session.links

    async def serve(self, handlers: trio.Nursery) -> None:
        """Serve until ``accepting`` is cancelled."""
        with self.accepting:
            await self.forward.serve(handlers)


def udp_forward(**options: Any) -> Forward:
    """The configuration of a forward to ``far.example.com:53``."""
    if "allow" in options:
        options["allow"] = tuple(ip_network(text) for text in options["allow"])
    given: dict[str, Any] = {
        "name": "dns",
        "protocol": "udp",
        "listen": Endpoint("127.0.0.1", 0),
        "connect": Endpoint("far.example.com", 53),
        "idle_timeout_s": 60.0,
    }
    return Forward(**(given | options))


@asynccontextmanager
async def udp_stand(*, connect_s: float = 30.0, **options: Any) -> AsyncIterator[UdpStand]:
    """Serve a forward; what is left of it is cancelled in the end."""
    async with trio.open_nursery() as handlers:
        stand = UdpStand(options, connect_s)
        handlers.start_soon(stand.serve, handlers)
        yield stand
        handlers.cancel_scope.cancel()
    assert stand.forward.clients == 0
    assert not stand.session.open_links

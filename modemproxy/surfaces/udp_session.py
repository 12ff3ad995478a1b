"""One UDP client of a forward: a link of its own, for as long as something moves.

A session begins with the client's first datagram. What comes while its link is being
opened waits, the 16 newest of it: a client that asked a name server gives up or asks again
after about 5 s, so no datagram waits longer than that for its link, and no session without
a fresh one. How old they have become meanwhile does not count once there is a link: from
then on its own rule holds, half a second.

A session ends without a word to anybody: UDP has none. The client's next datagram begins
another one.
"""

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

import trio

from modemproxy.module.datagram_link import DatagramLink
from modemproxy.module.datagram_out import AGE_LIMIT_S, QUEUE_LIMIT
from modemproxy.surfaces.rate import Rate
from modemproxy.surfaces.udp_socket import Peer

#: How long a datagram may wait for its link.
OPENING_AGE_S: Final = 5.0


@dataclass(slots=True)
class UdpTraffic:
    """What a session, or a whole forward, moved.

    Attributes:
        up, down: bytes to the far side, and to the client.
        sent, received: the same in datagrams; ``sent`` were handed to the module.
        too_long: datagrams of clients that no send of the module can carry.
        dropped: datagrams that waited too long, or gave way, or were lost with a link.
        refused: datagrams of clients that may not come in.
    """

    up: int = 0
    down: int = 0
    sent: int = 0
    received: int = 0
    too_long: int = 0
    dropped: int = 0
    refused: int = 0

    def add(self, other: "UdpTraffic") -> None:
        """Count in what another one counted."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class WayBack(Protocol):
    """How a client is answered."""

    async def send(self, data: bytes, peer: Peer) -> bool:
        """Send a datagram; False when it can not be."""


class UdpSession:
    """A client and, once it is open, its link.

    Attributes:
        peer: the client.
        traffic: what was moved.
        end: why it ended; empty before.
        failure: what ended its link, if that was it.
        timed_out: nothing moved any more.
        scope: of the task that serves it.
        opening: of the wait for its link, over when nothing that waits is fresh any more.
    """

    def __init__(self, peer: Peer, port: WayBack, rate: Rate, idle_timeout_s: float) -> None:
        """Args:
        peer: the client.
        port: where it is answered from.
        rate: of its forward.
        idle_timeout_s: how long both directions may be silent, seconds; 0 is for ever.
        """
        self.peer = peer
        self.traffic = UdpTraffic()
        self.end = ""
        self.failure: BaseException | None = None
        self.timed_out = False
        self.scope = trio.CancelScope()
        self.opening = trio.CancelScope()
        self._port = port
        self._rate = rate
        self._idle_timeout_s = idle_timeout_s or inf
        self._queue: deque[tuple[float, bytes]] = deque()
        self._news = trio.Event()
        self._age_limit_s = OPENING_AGE_S
        self._moved_at = trio.current_time()

    def put(self, data: bytes) -> None:
        """Take a datagram of the client; the oldest that waits gives way."""
        now = trio.current_time()
        self._moved_at = now
        if len(self._queue) >= QUEUE_LIMIT:
            self._queue.popleft()
            self.traffic.dropped += 1
        self._queue.append((now, data))
        self._news.set()
        self.opening.deadline = now + OPENING_AGE_S

    @property
    def over(self) -> bool:
        """It carries nothing any more: the next datagram is another session's."""
        return bool(self.end)

    async def run(self, link: DatagramLink) -> None:
        """Carry datagrams both ways until nothing moves any more, or the link is over."""
        now = trio.current_time()
        self._queue = deque((now, data) for at, data in self._queue if self._is_fresh(at, now))
        self._age_limit_s = AGE_LIMIT_S
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._uplink, link, nursery.cancel_scope)
                nursery.start_soon(self._downlink, link, nursery.cancel_scope)
                await self._watch_idle()
                self.timed_out = True
                self._finish(f"idle for {self._idle_timeout_s:g} s", nursery.cancel_scope)
        finally:
            self.traffic.sent += link.sent
            self.traffic.dropped += link.dropped + link.waiting

    def drop_all(self) -> None:
        """Nobody will carry what waits."""
        self.traffic.dropped += len(self._queue)
        self._queue.clear()

    def _finish(self, why: str, scope: trio.CancelScope) -> None:
        self.end = self.end or why
        scope.cancel()

    def _is_fresh(self, at: float, now: float) -> bool:
        fresh = now - at < self._age_limit_s
        self.traffic.dropped += not fresh
        return fresh

    async def _uplink(self, link: DatagramLink, scope: trio.CancelScope) -> None:
        try:
            while True:
                while self._queue:
                    at, data = self._queue.popleft()
                    if self._is_fresh(at, trio.current_time()):
                        await link.send(data)
                        self.traffic.up += len(data)
                        await self._rate.pay(len(data))
                self._news = trio.Event()
                await self._news.wait()
        except trio.BrokenResourceError as error:
            self.failure = error
            self._finish(f"link ended: {error}", scope)

    async def _downlink(self, link: DatagramLink, scope: trio.CancelScope) -> None:
        try:
            while True:
                data = await link.receive()
                if await self._port.send(data, self.peer):
                    self.traffic.received += 1
                    self.traffic.down += len(data)
                else:
                    self.traffic.dropped += 1
                self._moved_at = trio.current_time()
                await self._rate.pay(len(data))
        except trio.BrokenResourceError as error:
            self.failure = error
            self._finish(f"link ended: {error}", scope)

    async def _watch_idle(self) -> None:
        while (  # noqa: ASYNC110 - the time is put off with every datagram
            idle_at := self._moved_at + self._idle_timeout_s
        ) > trio.current_time():
            await trio.sleep_until(idle_at)

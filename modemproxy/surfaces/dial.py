"""Open a link for a client that waits: one time for everything, and only while it waits."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import trio

from modemproxy.config import Timeouts
from modemproxy.errors import ModemProxyError, NotReady, first_error
from modemproxy.module.claims import Claim
from modemproxy.module.datagram_link import DatagramLink
from modemproxy.module.lifecycle import SessionGate
from modemproxy.module.link import Link
from modemproxy.module.session import WEIGHTS
from modemproxy.surfaces.relay import ClientVanished

_WATCH_S: Final = 0.5

OpenT = TypeVar("OpenT")


class Guest(Protocol):
    """For whom a link is opened; is told how far that has come."""

    @property
    def host(self) -> str:
        """The client's address; empty when there is none."""

    def note_asked(self) -> None:
        """It waits for the module, and for a link."""

    def note_number(self, number: int) -> None:
        """A link of the module is its own, and is being opened."""

    def note_open(self) -> None:
        """The link is open."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """A guest that has no line of its own in the log."""

    host: str = ""

    def note_asked(self) -> None:
        """Nothing to note."""

    def note_number(self, number: int) -> None:
        """Nothing to note."""

    def note_open(self) -> None:
        """Nothing to note."""


class Waiting(Protocol):
    """A client, while nothing is read from it."""

    @property
    def broken(self) -> bool:
        """It has given up."""


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens links for one listener.

    Attributes:
        gate: where sessions are waited for.
        timeouts: of the configuration.
        owner: the listener's name: reserved links and fair turns go by it.
        traffic_class: its share of the line.
    """

    gate: SessionGate
    timeouts: Timeouts
    owner: str
    traffic_class: str = "normal"

    def claim(self, guest: Guest) -> Claim:
        """Say for whom a link is wanted."""
        weight = WEIGHTS[self.traffic_class]
        return Claim(self.owner, guest.host, weight, on_number=guest.note_number)

    async def open(
        self, stack: AsyncExitStack, client: Waiting, guest: Guest, host: str, port: int
    ) -> Link:
        """Open a link; the wait for service, for a number and the open share ``connect_s``.

        Args:
            stack: closes the link in the end.
            client: is watched meanwhile.
            guest: the same, as the log and the queue know it.
            host: the far host, for the module to look up.
            port: the far port.

        Raises:
            NotReady: it took too long.
            ModemProxyError: it failed.
            ClientVanished: the client did not wait.
        """

        async def connect() -> Link:
            session = await self.gate.wait_session()
            opening = session.open_link(
                host,
                port,
                claim=self.claim(guest),
                queue_s=self.timeouts.queue_s,
            )
            return await stack.enter_async_context(opening)

        guest.note_asked()
        link = await while_waiting(client, connect, self.timeouts.connect_s)
        guest.note_open()
        return link

    async def open_datagrams(
        self, stack: AsyncExitStack, guest: Guest, host: str, port: int
    ) -> DatagramLink:
        """Open a link for datagrams; as ``open``, but nobody is watched.

        Raises:
            NotReady: it took too long.
            ModemProxyError: it failed.
        """
        guest.note_asked()
        with trio.move_on_after(self.timeouts.connect_s):
            session = await self.gate.wait_session()
            opening = session.open_datagrams(
                host,
                port,
                claim=self.claim(guest),
                queue_s=self.timeouts.queue_s,
            )
            link = await stack.enter_async_context(opening)
            guest.note_open()
            return link
        raise NotReady(f"not connected within {self.timeouts.connect_s:g} s")


async def while_waiting(
    client: Waiting, connect: Callable[[], Awaitable[OpenT]], limit_s: float
) -> OpenT:
    """Run ``connect`` for at most ``limit_s`` seconds, and only while the client waits.

    What it opens is its own to close: it may be done when the client's end is noticed.

    Raises:
        NotReady: it took too long.
        ModemProxyError: it failed.
        ClientVanished: the client did not wait.
    """
    link: OpenT | None = None
    failure: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, client)
            with trio.move_on_after(limit_s):
                link = await connect()
            nursery.cancel_scope.cancel()
    except* (ModemProxyError, ClientVanished) as group:
        failure = first_error(group)
    if failure is not None:  # not inside: with a Cancelled beside it, it would be a group
        raise failure
    if link is None:
        raise NotReady(f"not connected within {limit_s:g} s")
    return link


async def _watch(client: Waiting) -> None:
    """A client that resets its connection while it waits needs no link any more."""
    while not client.broken:  # noqa: ASYNC110 - the kernel has no event for it
        await trio.sleep(_WATCH_S)
    raise ClientVanished("the client did not wait")

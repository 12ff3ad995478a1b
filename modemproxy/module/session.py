"""One up-time of the module: from a finished bring-up until something breaks.

The session owns the scheduler, the link pool and the health watch. Whatever ends it is
raised from ``run()``; before that every link is broken, so that nobody waits for a link
of a session that is gone.

Health, at most one command in ten seconds: with links open ``CIPCLOSE?`` (it finds a lost
``+IPCLOSE``), without ``CIPRXGET?``. A receive mode that is 0 again is the set-back of a
reboot without a banner.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from modemproxy.at.results import Refused
from modemproxy.at.tcpip import CloseNet, QueryIp, QueryLinks, QueryNet, QueryReceiveMode
from modemproxy.at.urcs import (
    ClientConnected,
    CloseDone,
    DataWaiting,
    LinkClosed,
    LinkOpened,
    ModuleBooted,
    NetworkLost,
    Pushed,
    SendConfirmed,
    Urc,
)
from modemproxy.errors import (
    CommandError,
    LineError,
    ModemProxyError,
    ModuleRebooted,
    NetworkError,
    first_error,
)
from modemproxy.line.channel import AtChannel
from modemproxy.line.policy import Policy
from modemproxy.line.scheduler import Scheduler
from modemproxy.module.bringup import Readiness
from modemproxy.module.life import LineContext
from modemproxy.module.link import Link
from modemproxy.module.pool import LinkPool

log = logging.getLogger(__name__)

#: ``class`` of the configuration, as a share of the line.
WEIGHTS: Final = {"interactive": 4.0, "normal": 2.0, "bulk": 1.0}
_HEALTH_S: Final = 10.0
_ADDRESS_EVERY: Final = 6
_GOODBYE_S: Final = 2.0


class Session:
    """The module, up: links can be opened.

    Attributes:
        readiness: what bring-up found.
        pool: the links.
        scheduler: the line.
        on_failed: called at once when something broke; ``run()`` may take a moment more.
    """

    def __init__(
        self, channel: AtChannel, readiness: Readiness, *, connect_s: float, stall_s: float
    ) -> None:
        self.readiness = readiness
        self.scheduler = Scheduler(channel, Policy(readiness.baudrate))
        context = LineContext(
            self.scheduler, stall_s=stall_s, on_network_closed=self._note_network_closed
        )
        self.pool = LinkPool(context, open_limit_s=connect_s)
        self._channel = channel
        channel.latency.byte_s = 10 / readiness.baudrate
        self._failure: ModemProxyError | None = None
        self._failed = trio.Event()
        self._suspected = trio.Event()
        self.on_failed: Callable[[], None] = lambda: None
        channel.on_urc = self._note_urc
        channel.on_oddity = self._note_oddity

    async def run(self) -> None:
        """Serve until something breaks.

        Raises:
            LineError, NetworkError: what broke (alone or in a group); every link has
                been reset for it.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.scheduler.run)
                nursery.start_soon(self.pool.quarantine.clean_forever)
                nursery.start_soon(self._watch_health)
                await self._failed.wait()
                assert self._failure is not None
                raise self._failure
        except* ModemProxyError as group:
            self.pool.fail_all(str(self._failure or first_error(group)))
            raise
        finally:
            self.pool.fail_all("the proxy is stopping")

    def fail(self, failure: ModemProxyError) -> None:
        """End the session, and its links at once; the first reason counts."""
        if self._failure is None:
            self._failure = failure
            self._failed.set()
            self.on_failed()
            self.pool.fail_all(str(failure))
            if isinstance(failure, LineError):
                self._channel.abort(str(failure))  # nothing under way is answered any more

    @property
    def left_payload_pending(self) -> bool:
        """The module may still wait for bytes of a send: what we say now, it sends on."""
        rebooted = isinstance(self._failure, ModuleRebooted)
        return self._channel.payload_pending and not rebooted

    @asynccontextmanager
    async def open_link(
        self, host: str, port: int, *, traffic_class: str, queue_s: float
    ) -> AsyncIterator[Link]:
        """Open a link, and close it in the end; see ``LinkPool.open``."""
        weight = WEIGHTS[traffic_class]
        async with self.pool.open(host, port, weight=weight, queue_s=queue_s) as link:
            yield link

    # -- what the module says -----------------------------------------------------------

    def _note_urc(self, urc: Urc) -> None:
        match urc:
            case DataWaiting(number):
                if (link := self.pool.links.get(number)) is not None:
                    link.note_hint()
            case SendConfirmed():
                if (link := self.pool.links.get(urc.link)) is not None:
                    link.note_send_result(urc)
            case LinkOpened(number, err):
                self.pool.note_opened(number, err)
            case LinkClosed(number, reason):
                self.pool.note_far_close(number, reason)
            case CloseDone(number, _):
                self.pool.quarantine.note_closed(number)
            case _:
                self._note_rare(urc)

    def _note_rare(self, urc: Urc) -> None:
        match urc:
            case NetworkLost():
                self.fail(NetworkError("the module lost its network connection (CIPEVENT)"))
            case ModuleBooted(banner):
                self.fail(ModuleRebooted(f"the module restarted ({banner})"))
            case Pushed():
                self._note_oddity("data pushed: not in buffer access mode any more")
            case ClientConnected(number, _, peer):
                log.warning("far client %s on a server that is not ours", peer)
                self.pool.note_far_client(number)
            case _:
                log.info("module says %s", urc)

    def _note_network_closed(self, what: str) -> None:
        self.fail(NetworkError(f"the module's network is closed ({what})"))

    def _note_oddity(self, what: str) -> None:
        """Grounds for a suspicion: look at once whether the module still is as we set it."""
        log.warning("odd on the line: %s", what)
        self._suspected.set()

    # -- health ---------------------------------------------------------------------------

    async def _watch_health(self) -> None:
        rounds = 0
        while True:
            with trio.move_on_after(_HEALTH_S):
                await self._suspected.wait()
            suspected = self._suspected.is_set()
            self._suspected = trio.Event()
            rounds += 1
            try:
                await self._check(suspected=suspected, address=rounds % _ADDRESS_EVERY == 0)
            except CommandError as error:
                log.warning("health: %s", error)

    async def _check(self, *, suspected: bool, address: bool) -> None:
        execute = self.scheduler.execute
        if self.pool.links and not suspected:
            await self._sweep()
        elif await execute(QueryReceiveMode()) != 1:
            self.fail(ModuleRebooted("the module restarted silently (its settings are gone)"))
        elif suspected and not await execute(QueryNet()):
            self.fail(NetworkError("the module's network is closed (NETOPEN? says so)"))
        if address:
            await self._check_address()

    async def _sweep(self) -> None:
        """Find links that the module closed without our hearing of it."""
        asked = dict(self.pool.links)
        states = await self.scheduler.execute(QueryLinks())
        lost = [
            link
            for number, link in asked.items()
            if number < len(states)
            and not states[number]
            and self.pool.links.get(number) is link
            and not link.far_closed
        ]
        if lost and await self.scheduler.execute(QueryReceiveMode()) != 1:
            self.fail(ModuleRebooted("the module restarted silently (its settings are gone)"))
        elif lost:
            await self._check_address()  # no far side closed if it was the network
        if self._failure is not None:
            return
        for link in lost:
            log.warning("link %d was closed, and the report of it lost", link.number)
            link.note_far_close(1)

    async def _check_address(self) -> None:
        try:
            address = await self.scheduler.execute(QueryIp())
        except Refused as error:
            if error.failure.is_network_closed:
                self._note_network_closed(str(error))
            return
        if address != self.readiness.address:
            self.fail(NetworkError(f"the address changed to {address}"))


async def say_goodbye(channel: AtChannel, session: Session) -> None:
    """Leave the module with its network closed; at most two seconds each step.

    NETCLOSE closes every link that is still open, and is tried whatever came before.
    """
    log.info("closing the module's network")
    session.pool.fail_all("the proxy is stopping")
    try:
        await channel.roundtrip(CloseNet(), limit_s=_GOODBYE_S)
    except (CommandError, LineError) as error:
        log.warning("goodbye: %s", error)

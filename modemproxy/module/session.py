"""One up-time of the module: from a finished bring-up until something breaks.

The session owns the scheduler, the link pool and the health watch. Whatever ends it is
raised from ``run()``; before that every link is broken, so that nobody waits for a link
of a session that is gone.
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from modemproxy.at.subscription import Signal
from modemproxy.at.tcpip import CloseNet
from modemproxy.at.urcs import (
    ClientConnected,
    CloseDone,
    DataWaiting,
    LinkClosed,
    LinkOpened,
    ModuleBooted,
    NetworkLost,
    PacketEvent,
    Pushed,
    Registration,
    SendConfirmed,
    SimState,
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
from modemproxy.journal import DatagramsMerged, Journal
from modemproxy.line.channel import AtChannel
from modemproxy.line.meter import LineMeter
from modemproxy.line.policy import Policy
from modemproxy.line.scheduler import Scheduler
from modemproxy.module.boundaries import Boundaries
from modemproxy.module.bringup import Readiness
from modemproxy.module.claims import Claim
from modemproxy.module.datagram_link import DatagramLink
from modemproxy.module.habits import Habits
from modemproxy.module.health import Health
from modemproxy.module.life import LineContext
from modemproxy.module.link import Link
from modemproxy.module.names import Resolver
from modemproxy.module.opens import Patience
from modemproxy.module.pool import LinkPool, turn_away
from modemproxy.module.servers import FarClient, ServerKeeper, ServerPort
from modemproxy.module.stalls import StallWatch
from modemproxy.module.subscriber import REGISTERED

log = logging.getLogger(__name__)

#: ``class`` of the configuration, as a share of the line.
WEIGHTS: Final = {"interactive": 4.0, "normal": 2.0, "bulk": 1.0}
#: A result that nobody asked for casts doubt on sends this young.
_DOUBT_S: Final = 1.0
_GOODBYE_S: Final = 2.0


class Session:
    """The module, up: links can be opened.

    Attributes:
        readiness: what bring-up found.
        pool: the links.
        scheduler: the line.
        servers: has the module listen.
        on_failed: called at once when something broke; ``run()`` may take a moment more.
    """

    def __init__(
        self,
        channel: AtChannel,
        readiness: Readiness,
        *,
        connect_s: float,
        stall_s: float,
        journal: Journal | None = None,
        patience: Patience | None = None,
        habits: Habits | None = None,
        reserve: Mapping[str, int] | None = None,
        servers: Sequence[ServerPort] = (),
        on_far_client: Callable[[FarClient], None] = turn_away,
        meter: LineMeter | None = None,
    ) -> None:
        """Args:
        channel: the line, in step and not used by anybody else.
        readiness: what bring-up found.
        connect_s: the bound on an open that the module was told, seconds.
        stall_s: how long a link may make no progress, seconds.
        journal: is told of links that break.
        patience: with opens that go unanswered; outlives the session.
        habits: what was learned of the module; outlives the session.
        reserve: how many links are kept for whom, by name.
        servers: where the module is to listen.
        on_far_client: is handed every far client that came in; it must not wait.
        meter: counts what the line is used for.
        """
        self.readiness = readiness
        self.scheduler = Scheduler(channel, Policy(readiness.baudrate), meter)
        context = LineContext(
            self.scheduler, stall_s=stall_s, on_network_closed=self._note_network_closed
        )
        context.journal = journal or context.journal
        context.habits = habits or context.habits
        record = context.journal.record
        self._boundaries = Boundaries(
            readiness.package_mode, on_suspected=lambda: record(DatagramsMerged())
        )
        self.pool = LinkPool(
            context,
            open_limit_s=connect_s,
            reserve=reserve,
            boundaries=self._boundaries,
            servers=servers,
            on_far_client=on_far_client,
        )
        self.servers = ServerKeeper(self.scheduler, servers, readiness.address, context.journal)
        self._resolver = Resolver(self.scheduler, self._note_network_closed)
        self._health = Health(self.scheduler, self.pool, readiness.address, self.fail)
        context.is_doubtful = self._health.is_doubtful
        self._stalls = StallWatch(self.pool, patience or Patience(), self.fail)
        self._channel = channel
        channel.latency.byte_s = 10 / readiness.baudrate
        self._failure: ModemProxyError | None = None
        self._failed = trio.Event()
        self._sim_news = trio.Event()
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
                nursery.start_soon(self._health.watch)
                nursery.start_soon(self._stalls.watch)
                nursery.start_soon(self._watch_sim)
                nursery.start_soon(self.servers.keep)
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
                self._channel.abort(failure)  # nothing under way is answered any more

    @property
    def left_payload_pending(self) -> bool:
        """The module may still wait for bytes of a send: what we say now, it sends on."""
        rebooted = isinstance(self._failure, ModuleRebooted)
        return self._channel.payload_pending and not rebooted

    @asynccontextmanager
    async def open_link(
        self, host: str, port: int, *, claim: Claim, queue_s: float
    ) -> AsyncIterator[Link]:
        """Open a TCP link, and close it in the end; see ``LinkPool.open``."""
        async with self.pool.open(host, port, claim=claim, queue_s=queue_s) as link:
            yield link

    @asynccontextmanager
    async def open_datagrams(
        self, host: str, port: int, *, claim: Claim, queue_s: float
    ) -> AsyncIterator[DatagramLink]:
        """Have a UDP port that talks to one far side; see ``LinkPool.open_datagrams``."""
        async with self.pool.open_datagrams(host, port, claim=claim, queue_s=queue_s) as link:
            yield link

    async def resolve(self, name: str) -> list[str]:
        """Look a name up with the module's resolver; see ``Resolver.resolve``."""
        return await self._resolver.resolve(name)

    @property
    def address(self) -> str:
        """The module's own address, as it writes it."""
        return self.readiness.address

    @property
    def signal(self) -> Signal | None:
        """What the module said last about its reception; None when it has not."""
        return self._health.signal

    @property
    def datagrams_whole(self) -> bool:
        """One read is one datagram, as far as is known."""
        return self._boundaries.kept

    # -- what the module says -----------------------------------------------------------

    def _note_urc(self, urc: Urc) -> None:
        match urc:
            case DataWaiting(number):
                if (link := self.pool.links.get(number)) is not None:
                    link.note_hint()
            case SendConfirmed():
                self.pool.note_send_result(urc)
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
            case ClientConnected(number, server, peer):
                self.pool.note_far_client(number, server, peer)
            case SimState(state) if state != "READY":
                log.warning("the module says that its SIM is %s", state)
                self._sim_news.set()
            case Registration(domain, stat) if stat not in REGISTERED:
                self._health.suspect_bearer(f"{domain} says {stat}: not registered")
            case PacketEvent(text) if "DEACT" in text or "DETACH" in text:
                self._health.suspect_bearer(text)
            case PacketEvent(text) if "PDN ACT" in text:
                self._health.check_address_soon()
            case _:
                log.info("module says %s", urc)

    async def _watch_sim(self) -> None:
        while True:
            await self._sim_news.wait()
            self._sim_news = trio.Event()
            await self._health.check_sim()

    def _note_network_closed(self, what: str) -> None:
        self.fail(NetworkError(f"the module's network is closed ({what})"))

    def _note_oddity(self, what: str) -> None:
        """Grounds for a suspicion: look at once whether the module still is as we set it."""
        if what.startswith("stray") and not what.startswith("stray OK before"):
            self._doubt_sends(what)
        self._health.suspect(what)

    def _doubt_sends(self, what: str) -> None:
        """A result that nobody asked for: somebody else's bytes may be among ours.

        Another program that writes to the port in the middle of a payload becomes part of
        it, and the module counts its bytes as ours. Right behind a read it is the true end
        of that read, whose header was damaged.
        """
        now = trio.current_time()
        for link in list(self.pool.links.values()):
            if link.sent_within(_DOUBT_S, now):
                link.fail(f"bytes on the line that are not ours ({what})")
        number, read_at = self.scheduler.just_read
        victim = self.pool.links.get(number)
        if now - read_at < _DOUBT_S and victim is not None:
            victim.fail(f"a read ended before its payload ({what})")


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

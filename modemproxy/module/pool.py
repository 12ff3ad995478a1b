"""The link numbers: who has which, opening, and getting them back.

A number is free, in use, or in quarantine. It leaves quarantine only when the module has
confirmed that its socket is closed and nothing unread is left under it: a late
``+CIPOPEN: 5,0`` of an open that was given up, or bytes of the last connection, must
never meet the next one. The janitor task does that work; nobody's ``aclose()`` waits for it.

Far clients of the module's servers take numbers without asking (``far_clients.py``).
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import Final

import trio

from modemproxy.at.datagrams import OpenUdp
from modemproxy.at.tcpip import MAX_TIMEOUT_S, MIN_TIMEOUT_S, OpenLink
from modemproxy.at.urcs import SendConfirmed
from modemproxy.module.boundaries import Boundaries
from modemproxy.module.claims import Claim
from modemproxy.module.datagram_link import DatagramLink
from modemproxy.module.far_clients import FarClients
from modemproxy.module.life import LineContext
from modemproxy.module.link import Link
from modemproxy.module.local_ports import LocalPorts
from modemproxy.module.numbers import Numbers
from modemproxy.module.opener import Opener
from modemproxy.module.opening import Opening, Plan
from modemproxy.module.opens import OpenRecord
from modemproxy.module.pooled import PooledLink
from modemproxy.module.quarantine import Quarantine
from modemproxy.module.room import Room
from modemproxy.module.servers import Arrival, FarClient, ServerPort

log = logging.getLogger(__name__)

_LATE_OPEN_MARGIN_S: Final = 5.0


def turn_away(far: FarClient) -> None:
    """Close a far client: nobody serves it."""
    far.link.abort()


class LinkPool:
    """Owns the link numbers of one session.

    Attributes:
        links: the links in use, by number.
        openings: the opens under way, by number.
        numbers: who has which.
        quarantine: the numbers that are being cleaned.
        far_clients: those of the module's servers.
        opens: how the last opens ended.
    """

    def __init__(
        self,
        context: LineContext,
        *,
        open_limit_s: float,
        reserve: Mapping[str, int] | None = None,
        boundaries: Boundaries | None = None,
        servers: Sequence[ServerPort] = (),
        on_far_client: Callable[[FarClient], None] = turn_away,
    ) -> None:
        """Args:
        context: what the links of the session share.
        open_limit_s: the module's own bound on an open (CIPTIMEOUT), seconds.
        reserve: numbers kept for owners, by name.
        boundaries: whether reads of datagram links end where datagrams do.
        servers: the servers on the module that are ours.
        on_far_client: is handed every far client that came in.
        """
        self._context = context
        self._open_limit_s = min(MAX_TIMEOUT_S, max(MIN_TIMEOUT_S, open_limit_s))
        self._boundaries = boundaries or Boundaries(accepted=False)
        self._ports = LocalPorts()
        self._ended: str | None = None
        self.links: dict[int, PooledLink] = {}
        self.openings: dict[int, Opening] = {}
        self.numbers = Numbers(
            context.habits.links, reserve or {}, lambda claim: self._room.make(claim)
        )
        self._room = Room(self.numbers, self.links, context.journal)
        self.far_clients = FarClients(context, self, servers, on_far_client)
        self.quarantine = Quarantine(
            context,
            self.numbers.give_back,
            self.far_clients.adopt,
            far_clients=self.far_clients.expected,
        )
        self.opens = OpenRecord()
        self._opener = Opener(context, self, self.far_clients, self._room, self.opens)

    @property
    def in_use(self) -> int:
        """How many numbers are not free."""
        return self.numbers.count - len(self.numbers.free)

    @property
    def streams(self) -> list[Link]:
        """The TCP links in use."""
        return [link for link in self.links.values() if isinstance(link, Link)]

    @property
    def heard_at(self) -> float:
        """When something last came from any far side (trio's clock)."""
        links = self.links.values()
        tcp = (link.inbound.data_at for link in self.streams)
        udp = (link.inbox.used_at for link in links if isinstance(link, DatagramLink))
        return max((*tcp, *udp), default=-inf)

    @property
    def settled(self) -> bool:
        """No socket is open, opening or closing in the module."""
        return not self.in_use

    # -- opening ----------------------------------------------------------------------

    @asynccontextmanager
    async def open(
        self, host: str, port: int, *, claim: Claim, queue_s: float
    ) -> AsyncIterator[Link]:
        """Open a TCP link and close it in the end.

        The caller bounds the whole with its own deadline; an open that is given up is
        closed behind its back.

        Args:
            host: name or address for the module to connect to.
            port: the far port.
            claim: who asks.
            queue_s: how long to wait for a free number, seconds.

        Raises:
            NoFreeLink: none became free in time, or the session ended.
            LinkRefused: the module could not open it.
            LineError: the line ended.
            LocalProtocolError: the host is no name and no address.
        """
        target, context = f"{host}:{port}", self._context
        plan = Plan(
            target,
            lambda number: Link(number, target, context, claim.weight),
            lambda number: OpenLink(number, host, port, self._open_limit_s),
        )
        link = await self._opener.open(plan, claim, queue_s)
        try:
            yield link
        finally:
            link.abort()

    @asynccontextmanager
    async def open_datagrams(
        self, host: str, port: int, *, claim: Claim, queue_s: float
    ) -> AsyncIterator[DatagramLink]:
        """Bind a UDP port that talks to one far side, and give it up in the end.

        Args:
            host: name or address to send to; nobody is asked whether it exists.
            port: the far port.
            claim: who asks.
            queue_s: how long to wait for a free number, seconds.

        Raises:
            As ``open()``.
        """
        target, context = f"{host}:{port}/udp", self._context

        def make(number: int) -> DatagramLink:
            return DatagramLink(
                number, target, host, port, context, claim.weight, boundaries=self._boundaries
            )

        plan = Plan(
            target, make, lambda number: OpenUdp(number, self._ports.take()), reaches=False
        )
        link = await self._opener.open(plan, claim, queue_s)
        try:
            yield link
        finally:
            link.abort()

    # -- what the module reports --------------------------------------------------------

    def note_opened(self, number: int, err: int) -> None:
        """``+CIPOPEN: <link>,<err>``."""
        opening = self.openings.get(number)
        if opening is not None and opening.due:
            self._note_result(opening, err)
        elif self.quarantine.holds(number):
            self.quarantine.note_late_open(number, err)
        elif self.far_clients.note_opened(number, err):
            log.debug("link %d: result of an open that a far client overtook", number)
        elif err == 0 and number in self.numbers.free:
            self.numbers.withdraw(number)
            self.quarantine.add(number, link_open=True, unread=True)

    def _note_result(self, opening: Opening, err: int) -> None:
        if opening.plan.reaches and not self._context.scheduler.channel.opening(opening.number):
            self._context.habits.link_ok_first = True
        elif opening.plan.reaches and err == 0:
            self._context.habits.link_ok_first = False
        if err == 0:
            del self.openings[opening.number]
            self.links[opening.number] = opening.link
            opening.link.start()
        opening.note_result(err)

    def note_send_result(self, result: SendConfirmed) -> None:
        """``+CIPSEND: <link>,<requested>,<confirmed>``."""
        if (link := self.links.get(result.link)) is not None:
            link.note_send_result(result)
        else:
            self.quarantine.note_send_result(result.link)

    def note_far_close(self, number: int, reason: int) -> None:
        """``+IPCLOSE: <link>,<reason>``."""
        if (link := self.links.get(number)) is not None:
            link.note_far_close(reason)
        elif self.quarantine.holds(number):
            self.quarantine.note_far_close(number)
        elif self.far_clients.expected:
            self.far_clients.note_gone(number)

    def note_far_client(self, number: int, server: int, peer: str) -> None:
        """``+CLIENT: <link>,<index>,<host>:<port>``."""
        if self._ended is None:
            self.far_clients.note(number, Arrival.announced(server, peer))

    # -- getting numbers back -----------------------------------------------------------

    def release(self, link: PooledLink) -> None:
        """A link's owner has closed it: clean its number, unless it has another use."""
        number = link.number
        if self._ended is not None:
            return
        if self.links.get(number) is link:
            del self.links[number]
            foreign = self.far_clients.has(number)
            open_due_until = self.far_clients.forget(number)
            self.numbers.withdraw(number)
            self.quarantine.add(
                number,
                link_open=not link.far_closed,
                unread=not link.drained,
                open_due_until=open_due_until,
                result_due=link.result_due,
                foreign=foreign,
                sending=self._context.scheduler.channel.sending(number),
            )
            return
        opening = self.openings.get(number)
        if opening is not None and opening.link is link:
            del self.openings[number]
            self._give_up(opening)

    def _give_up(self, opening: Opening) -> None:
        """An open has failed, or nobody waits for it any more."""
        number = opening.number
        self.numbers.withdraw(number)
        if opening.due:
            if opening.plan.reaches:
                after_s = trio.current_time() - opening.since
                self.opens.note_given_up(opening.plan.target, after_s=after_s)
            due = self.open_due()
            self.quarantine.add(number, link_open=True, unread=True, open_due_until=due)
        elif not self.quarantine.holds(number):  # else a ghost's close was given up
            self.numbers.give_back(number)

    def open_due(self) -> float:
        """Until when the result of an open may come (trio's clock)."""
        return trio.current_time() + self._open_limit_s + _LATE_OPEN_MARGIN_S

    # -- what the configuration says ------------------------------------------------------

    def change(
        self, *, stall_s: float, reserve: Mapping[str, int], servers: Sequence[ServerPort]
    ) -> None:
        """Go on by other rules; links that are open stay. See the session for the names."""
        self._context.stall_s = stall_s
        self.far_clients.change(servers)
        self.quarantine.far_clients = self.far_clients.expected
        self.numbers.change_reserve(reserve)

    # -- the end ------------------------------------------------------------------------

    def fail_all(self, reason: str) -> None:
        """The session is over: break every link and wake everyone who waits for one."""
        if self._ended is not None:
            return
        self._ended = reason
        self._opener.end(reason)
        for link in list(self.links.values()):
            link.fail(reason, everywhere=True)
        self.numbers.end(reason)

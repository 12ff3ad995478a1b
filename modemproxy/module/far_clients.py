"""Far clients of the module's servers: taking them in, or turning them away.

Whatever we had under a number that the module has given to a far client is over: an open
goes on elsewhere, a link that had ended is let go of. Bytes of either must never reach the
far client, nor its bytes them; where that can not be told by what is known here, the
number goes through quarantine (``quarantine.py``), which asks.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from modemproxy.at.servers import OpenRow, QueryOpen
from modemproxy.journal import FarClientRefused
from modemproxy.module.life import LineContext
from modemproxy.module.link import Link
from modemproxy.module.numbers import Numbers
from modemproxy.module.opening import Opening
from modemproxy.module.pooled import PooledLink
from modemproxy.module.quarantine import Quarantine
from modemproxy.module.servers import Arrival, FarClient, ServerPort

log = logging.getLogger(__name__)


#: A far client that nobody announced may have been there for so long, seconds.
_UNHEARD_S: Final = 60.0
_LOST: Final = "the module has given its number to a far client"


class Books(Protocol):
    """What the pool knows of its numbers."""

    numbers: Numbers
    links: dict[int, PooledLink]
    openings: dict[int, Opening]
    quarantine: Quarantine

    def release(self, link: PooledLink) -> None:
        """A link's owner has closed it."""

    def open_due(self) -> float:
        """Until when the result of an open may come (trio's clock)."""


class FarClients:
    """Takes far clients in for one session."""

    def __init__(
        self,
        context: LineContext,
        books: Books,
        servers: Sequence[ServerPort],
        on_far_client: Callable[[FarClient], None],
    ) -> None:
        """Args:
        context: what the links of the session share.
        books: the pool's.
        servers: the servers that are ours.
        on_far_client: is handed every far client that was let in.
        """
        self._context = context
        self._books = books
        self._ever = False
        self.change(servers)
        self._on_far_client = on_far_client
        self._peers: dict[int, Arrival] = {}
        self._overtaken: dict[int, float] = {}

    def change(self, servers: Sequence[ServerPort]) -> None:
        """Let far clients in by other servers from now on; those inside stay."""
        self._servers = {server.index: server for server in servers}
        self._ever = self._ever or bool(servers)

    @property
    def expected(self) -> bool:
        """Whether there may be any: a server that is not ours any more may listen still."""
        return self._ever

    def has(self, number: int) -> bool:
        """Whether the link of a number is a far client's."""
        return number in self._peers

    def forget(self, number: int) -> float:
        """The link of a number is over.

        Returns:
            Until when the result of an open that it overtook may come; 0 for never.
        """
        self._peers.pop(number, None)
        return self._overtaken.pop(number, 0.0)

    def note_opened(self, number: int, err: int) -> bool:
        """``+CIPOPEN: <link>,<err>`` that nobody waits for; whether it is ours to judge."""
        overtaken = self._overtaken.pop(number, None) is not None
        if number not in self._peers:
            return overtaken
        if err == 0:
            self._books.links[number].fail("an open of ours came up under its number")
        return True

    def note(self, number: int, arrival: Arrival, *, late_s: float = 1.0) -> None:
        """``+CLIENT``, or a line of ``+CIPOPEN?`` that says the same.

        Args:
            number: the link number.
            arrival: the far client.
            late_s: how long ago it may have come in, seconds.
        """
        books = self._books
        opening, link = books.openings.get(number), books.links.get(number)
        if opening is not None:
            del books.openings[number]
            books.numbers.withdraw(number)
        if books.quarantine.holds(number):
            if opening is not None:
                opening.lost = True  # the ghost that is being closed is the janitor's now
            books.quarantine.note_arrival(number, arrival)
        elif opening is not None:
            if self._may_come_up(opening):
                self._overtaken[number] = books.open_due()
            opening.lose()
            log.info("link %d: %s came first", number, arrival.peer)
            self.adopt(number, arrival)
        elif link is None:
            books.numbers.withdraw(number)
            self._take_in(number, arrival, late_s)
        elif self._peers.get(number) != arrival or link.far_closed:
            self._displace(number, link, arrival)

    def note_found(self, row: OpenRow) -> None:
        """A far client whose ``+CLIENT`` has not come was found in the module's list."""
        log.warning("link %d is a far client's, and the report of it lost", row.link)
        self.note(row.link, Arrival.of(row), late_s=_UNHEARD_S)

    def note_gone(self, number: int) -> None:
        """``+IPCLOSE`` on a number without a link: somebody has come and gone unheard.

        What it said must not be the next one's: not ours either, if we are about to open it.
        """
        books = self._books
        opening = books.openings.get(number)
        if opening is None and number not in books.numbers.free:
            return
        open_due_until = 0.0
        if opening is not None:
            if opening.accepted:
                return  # it had left before
            if self._may_come_up(opening):
                open_due_until = books.open_due()
            del books.openings[number]
            opening.lose()
        books.numbers.withdraw(number)
        books.quarantine.add(
            number,
            link_open=open_due_until > 0,
            unread=True,
            open_due_until=open_due_until,
        )

    def _may_come_up(self, opening: Opening) -> bool:
        """Whether the module has been asked for an open, and has not answered."""
        is_asked = self._context.scheduler.channel.opening(opening.number)
        return opening.due and (opening.accepted or is_asked)

    def _take_in(self, number: int, arrival: Arrival, late_s: float) -> None:
        """A far client under a number that was free: none of its bytes may be missing."""
        if self._books.quarantine.has_dropped(number, late_s):
            self._books.quarantine.add(
                number, link_open=False, unread=True, arrival=arrival, touched=True
            )
        else:
            self.adopt(number, arrival)

    async def look_for(self, states: Sequence[bool]) -> None:
        """Find far clients whose ``+CLIENT`` was lost.

        Args:
            states: of ``+CIPCLOSE?``, by number.

        Raises:
            CommandError: the module does not say whose its links are.
            LineError: the line ended.
        """
        free = self._books.numbers.free
        if not any(is_open for number, is_open in enumerate(states) if number in free):
            return
        rows = await self._context.scheduler.execute(QueryOpen())
        for number, row in rows.items():
            if row.server >= 0 and number in self._books.numbers.free:
                self.note_found(row)

    def _displace(self, number: int, link: PooledLink, arrival: Arrival) -> None:
        """A link whose socket is gone, though its owner may not have heard of it."""
        books, channel = self._books, self._context.scheduler.channel
        sending = channel.sending(number)
        reading, drained = channel.reading(number), link.drained
        result_due = link.result_due
        if isinstance(link, Link) and not drained:
            link.lose_number(_LOST)
        elif not drained:
            link.fail(_LOST)
        del books.links[number]
        open_due_until = self.forget(number)
        books.numbers.withdraw(number)
        if drained and not sending and not open_due_until:
            self.adopt(number, arrival)
            return
        books.quarantine.add(
            number,
            link_open=False,
            unread=not drained,
            open_due_until=open_due_until,
            result_due=result_due,
            foreign=True,
            arrival=arrival,
            tainted=sending,
            touched=reading,
        )

    def adopt(self, number: int, arrival: Arrival) -> None:
        """Make a link for a number that is a far client's and nobody else's."""
        books = self._books
        server = self._servers.get(arrival.server)
        why = "no server of ours" if server is None else ""
        if server is not None and not books.numbers.may_hold(server.name):
            why = "the last free links are kept for others"
        if why or server is None:
            event = FarClientRefused(arrival.server, arrival.peer, why)
            self._context.journal.record(event)
            books.quarantine.add(
                number,
                link_open=True,
                unread=True,
                open_due_until=self._overtaken.pop(number, 0.0),
                foreign=True,
            )
            return
        link = Link(number, arrival.peer, self._context, server.weight)
        link.on_close(books.release)
        books.numbers.hold(number, server.name)
        books.links[number] = link
        self._peers[number] = arrival
        log.info("link %d <- %s on server %s", number, arrival.peer, server.name)
        link.start(look=True)
        self._on_far_client(
            FarClient(link, arrival.server, arrival.host, arrival.port, server.name)
        )

"""Opening: a number, the module's word on it, and another number where that helps."""

import logging
from typing import Any, Final

import trio

from modemproxy.at.results import Refused, TcpipErr
from modemproxy.errors import LinkRefused
from modemproxy.module.arrivals import Inquiry
from modemproxy.module.claims import Claim
from modemproxy.module.far_clients import Books, FarClients
from modemproxy.module.life import LineContext
from modemproxy.module.opening import LinkT, Opening, Outcome, Plan, ask, refusal
from modemproxy.module.opens import OpenRecord, OpensUnderWay
from modemproxy.module.pooled import PooledLink
from modemproxy.module.room import Room

log = logging.getLogger(__name__)

_NUMBERS_TRIED: Final = 2


class Opener:
    """Opens links for one session."""

    def __init__(
        self,
        context: LineContext,
        books: Books,
        far_clients: FarClients,
        room: Room,
        opens: OpenRecord,
    ) -> None:
        """Args:
        context: what the links of the session share.
        books: the pool's.
        far_clients: those of the module's servers.
        room: makes some when there is no number.
        opens: is told how opens end.
        """
        self._context = context
        self._books = books
        self._numbers = books.numbers
        self._far_clients = far_clients
        self._room = room
        self._opens = opens
        self._under_way = OpensUnderWay()

    async def open(self, plan: Plan[LinkT], claim: Claim, queue_s: float) -> LinkT:
        """Open a link under a number that the module lets us have.

        The module's answer is the same for a number it is stuck with and for a far side that
        refuses: only another number can tell, and is tried once.

        Args:
            plan: what to open.
            claim: who asks.
            queue_s: how long to wait for a free number, seconds.

        Cancelling while the module opens it has it closed behind our back.

        Raises:
            NoFreeLink: none became free in time, or the session ended.
            LinkRefused: the module could not open it.
            LineError: the line ended.
        """
        until = trio.current_time() + queue_s
        stuck: list[int] = []
        lost = False
        while len(stuck) < _NUMBERS_TRIED:
            number = await self._numbers.acquire(claim, until=until, first=lost)
            self._room.note_taken(number)
            claim.on_number(number)
            link = plan.make_link(number)
            match await self._open_number(link, plan, ghost=not stuck):
                case Outcome.OPEN:
                    for other in stuck:
                        log.warning("link %d: %s", other, Outcome.STUCK.value)
                    log.info("link %d -> %s open", number, plan.target)
                    self._opens.stuck.clear()
                    return link
                case Outcome.STUCK:
                    stuck.append(number)
                    self._numbers.avoid(number)
                    self._opens.stuck.add(number)
                case Outcome.LOST:
                    lost = True
        raise refusal(plan.target, TcpipErr.NOT_SUPPORTED)

    def end(self, reason: str) -> None:
        """The session is over: whoever waits for a link is told at once."""
        self._under_way.end(reason)

    async def _open_number(self, link: PooledLink, plan: Plan[Any], *, ghost: bool) -> Outcome:
        """Open a link; however that ends, its number is taken care of."""
        link.on_close(self._books.release)
        opening = self._books.openings[link.number] = Opening(link, plan)
        outcome = Outcome.LOST
        try:
            with self._under_way.until_ended(plan.target), opening.scope:
                outcome = await self._try_number(opening, ghost=ghost)
        except LinkRefused as error:
            in_vain = error.code in (None, TcpipErr.NOT_SUPPORTED)
            if not (opening.lost and in_vain):  # else it was refused for the far client
                raise
            outcome = Outcome.LOST
        finally:
            if outcome is not Outcome.OPEN:
                link.abort()
        return Outcome.LOST if opening.lost and outcome is not Outcome.OPEN else outcome

    async def _try_number(self, opening: Opening, *, ghost: bool) -> Outcome:
        """A number the module thinks is open is a ghost: close it, then once more."""
        err = await ask(self._context, opening, self._opens)
        if err is None and ghost:
            if not await self._clear(opening) or opening.lost:
                return Outcome.STUCK
            err = await ask(self._context, opening, self._opens)
        if err:
            raise refusal(opening.plan.target, err)
        return Outcome.STUCK if err is None else Outcome.OPEN

    async def _clear(self, opening: Opening) -> bool:
        """Close what the module has under a number, unless it may be a far client."""
        number, is_open = opening.number, True
        if self._far_clients.expected:
            inquiry = Inquiry(self._context.scheduler.execute, number)
            try:
                row = await inquiry.row()
            except Refused:
                return False
            if opening.lost:
                return False
            if row is not None and row.server >= 0:
                self._far_clients.note_found(row)
                return False
            is_open = row is not None
        if opening.lost:
            return False
        return await self._books.quarantine.close_ghost(number, link_open=is_open)

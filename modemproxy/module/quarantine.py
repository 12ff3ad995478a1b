"""Quarantine: numbers whose socket may still exist in the module, and the way out of it.

The janitor closes the socket, waits for the module's word on it, waits for the late
result of an open that was given up, drops unread bytes, and only then gives the number
back. It never gives up: a number that cannot be cleaned stays here until the session ends.

To the module a number is free as soon as its socket is closed, and it may give it to a far
client before the janitor is through. Who that is, and whether the bytes there are its own,
is then asked (``arrivals.py``): it is let in, or closed when that stays in doubt.
"""

import logging
from collections.abc import Callable
from math import inf
from typing import Final

import trio

from modemproxy.at.results import Refused, tcpip_error_text
from modemproxy.at.tcpip import LINKS, CloseLink, QueryLinks
from modemproxy.at.transfer import CHUNK, QueryUnread, ReadData
from modemproxy.errors import CommandError
from modemproxy.journal import FarClientRefused
from modemproxy.module.arrivals import Inquiry, is_taken, why_not
from modemproxy.module.cleaning import Cleaning
from modemproxy.module.life import LineContext
from modemproxy.module.servers import Arrival

log = logging.getLogger(__name__)

_CLOSE_LIMIT_S: Final = 120.0
_CLOSE_POLL_S: Final = 5.0
_RETRY_S: Final = 1.0
#: How late the result of a send may be (fault matrix, F15: 10 s) after its connection.
_RESULT_LIMIT_S: Final = 12.0
#: What was read so short a time before ``+CLIENT`` may have been the far client's.
_LATE_REPORT_S: Final = 1.0


class Quarantine:
    """Brings link numbers back to the state in which they may be used again.

    Attributes:
        far_clients: some may come.
    """

    def __init__(
        self,
        context: LineContext,
        give_back: Callable[[int], None],
        adopt: Callable[[int, Arrival], None] = lambda number, arrival: None,
        *,
        far_clients: bool = False,
    ) -> None:
        """Args:
        context: what the links of the session share.
        give_back: called with every number that is clean.
        adopt: called with a number that has become a far client's, and nobody else's.
        far_clients: some may come.
        """
        self._context = context
        self._execute = context.scheduler.execute
        self._give_back = give_back
        self._adopt = adopt
        self.far_clients = far_clients
        self._cleanings: dict[int, Cleaning] = {}
        self._dropped_at: dict[int, float] = {}
        self._to_clean, self._dirty = trio.open_memory_channel[int](LINKS * 2)

    def add(
        self,
        number: int,
        *,
        link_open: bool,
        unread: bool,
        open_due_until: float = 0.0,
        result_due: bool = False,
        foreign: bool = False,
        sending: bool = False,
        arrival: Arrival | None = None,
        tainted: bool = False,
        touched: bool = False,
    ) -> None:
        """Put a number in; one with nothing to clean is given back at once.

        Args:
            number: the link number.
            link_open: the module may still have the socket.
            unread: bytes may be left under the number.
            open_due_until: until when the late result of an open may come.
            result_due: the result of a send is still to come: it is not the next one's.
            foreign: the socket is a far client's, and not that open's.
            sending: a send of the last connection may be under way.
            arrival: the far client that the module has given the number to.
            tainted: bytes that are not for it may have been sent to it.
            touched: bytes of it may have been read.
        """
        cleaning = Cleaning(link_open, unread, open_due_until)
        if result_due:
            cleaning.result_due_until = trio.current_time() + _RESULT_LIMIT_S
        cleaning.foreign, cleaning.sending = foreign, sending
        cleaning.arrival, cleaning.tainted, cleaning.touched = arrival, tainted, touched
        if cleaning.done:
            self._give_back(number)
            return
        self._cleanings[number] = cleaning
        self._to_clean.send_nowait(number)

    def holds(self, number: int) -> bool:
        """Whether something is left to clean under the number."""
        return number in self._cleanings

    # -- what the module reports --------------------------------------------------------

    def note_closed(self, number: int) -> None:
        """The module says that the socket is closed."""
        if (cleaning := self._cleanings.get(number)) is not None:
            cleaning.note_closed()

    def note_far_close(self, number: int) -> None:
        """The far side closed the socket.

        A close of ours that is under way is not over with that: it would hit whoever has
        the number when it takes effect.
        """
        cleaning = self._cleanings.get(number)
        if cleaning is not None and cleaning.arrival is not None:
            cleaning.doubted = True
        elif cleaning is not None and not cleaning.close_due:
            cleaning.note_closed()

    def note_late_open(self, number: int, err: int) -> None:
        """The result of an open that nobody waits for any more: success is closed again."""
        if (cleaning := self._cleanings.get(number)) is not None:
            log.info("link %d: late result of an open: %s", number, tcpip_error_text(err))
            cleaning.note_late_open(err)

    def note_send_result(self, number: int) -> None:
        """``+CIPSEND: <link>,…`` of a connection that is over."""
        if (cleaning := self._cleanings.get(number)) is not None:
            cleaning.note_send_result()

    def note_arrival(self, number: int, arrival: Arrival) -> None:
        """``+CLIENT`` on a number in here: what was there before is gone."""
        if (cleaning := self._cleanings.get(number)) is not None:
            reading = self._context.scheduler.channel.reading(number)
            touched = reading or self.has_dropped(number, _LATE_REPORT_S)
            cleaning.note_arrival(arrival, touched=touched)

    def has_dropped(self, number: int, within_s: float) -> bool:
        """Whether bytes were dropped under a number less than so many seconds ago."""
        return trio.current_time() - self._dropped_at.get(number, -inf) < within_s

    # -- ghosts -------------------------------------------------------------------------

    async def close_ghost(self, number: int, *, link_open: bool = True) -> bool:
        """Close a socket that the module has and we do not; the number stays taken.

        Args:
            number: the link number.
            link_open: the module has a socket; else only bytes may be left.

        Returns:
            False when a far client came in under the number: it is the janitor's now.

        Cancelled, or failing: the janitor goes on with it.

        Raises:
            CommandError: the module did not answer.
            LineError: the line ended.
        """
        if link_open:
            log.warning("link %d was open in the module: closing the ghost", number)
        cleaning = self._cleanings[number] = Cleaning(link_open=link_open, unread=True)
        is_clean = False
        try:
            if link_open:
                await self._close(number, cleaning)
            await self._drop_unread(number, cleaning)
            is_clean = cleaning.arrival is None
        finally:
            if is_clean:
                del self._cleanings[number]
            else:
                self._to_clean.send_nowait(number)
        return is_clean

    # -- the janitor --------------------------------------------------------------------

    async def clean_forever(self) -> None:
        """Be the janitor: bring numbers out of quarantine until cancelled.

        Raises:
            LineError: the line ended.
        """
        async with trio.open_nursery() as nursery:
            async for number in self._dirty:
                nursery.start_soon(self._clean, number)

    async def _clean(self, number: int) -> None:
        cleaning = self._cleanings[number]
        while not cleaning.done:
            try:
                await self._bring_on(number, cleaning)
            except CommandError as error:
                log.debug("link %d: %s", number, error)
                await trio.sleep(_RETRY_S)
        del self._cleanings[number]
        if cleaning.adopted is None:
            self._give_back(number)
        else:
            self._adopt(number, cleaning.adopted)

    async def _bring_on(self, number: int, cleaning: Cleaning) -> None:
        """Do the next thing that is left to do."""
        if cleaning.arrival is None and cleaning.dirty:
            await self._clean_once(number, cleaning)
        elif cleaning.result_due_until:
            with trio.move_on_at(cleaning.result_due_until):
                await cleaning.answered.wait()
            cleaning.result_due_until = 0.0
        elif cleaning.arrival is not None:
            await self._judge(number, cleaning, cleaning.arrival)

    async def _clean_once(self, number: int, cleaning: Cleaning) -> None:
        if cleaning.link_open:
            await self._close(number, cleaning)
        if cleaning.open_due_until > trio.current_time():
            with trio.move_on_at(cleaning.open_due_until):
                await cleaning.opened.wait()
                return
        cleaning.open_due_until = 0.0
        if cleaning.unread and not cleaning.link_open:
            await self._drop_unread(number, cleaning)

    async def _judge(self, number: int, cleaning: Cleaning, arrival: Arrival) -> None:
        """Let a far client have the number, if the socket and all its bytes are its own."""
        cleaning.doubted = False
        why = await why_not(Inquiry(self._execute, number), cleaning, arrival)
        if cleaning.doubted or cleaning.arrival is not arrival:
            return  # something has happened meanwhile: once more
        if why:
            peer = arrival.peer
            self._context.journal.record(FarClientRefused(arrival.server, peer, why))
            cleaning.refuse()
        else:
            cleaning.let_in()

    # -- closing and dropping -----------------------------------------------------------

    async def _close(self, number: int, cleaning: Cleaning) -> None:
        """Close in the module; done when it says so, or its list of links does."""
        of_ours = cleaning.begin_close()
        was_opened = cleaning.opened.is_set()
        try:
            await self._execute(CloseLink(number))
            cleaning.sending = False  # one thing at a time is on the line
            if of_ours:
                cleaning.open_due_until = 0.0  # an open under way is over with this
            await self._wait_closed(number, cleaning)
        except Refused:
            # +CIPCLOSE: n,4: closed already, or not open yet (unless it opened just then)
            cleaning.link_open = cleaning.opened.is_set() and not was_opened
        finally:
            cleaning.close_due = False

    async def _wait_closed(self, number: int, cleaning: Cleaning) -> None:
        with trio.move_on_after(_CLOSE_LIMIT_S):
            while cleaning.link_open:
                with trio.move_on_after(_CLOSE_POLL_S):
                    await cleaning.closed.wait()
                    return
                if cleaning.arrival is not None:
                    return  # the number had become free
                states = await self._execute(QueryLinks(self._context.habits.links))
                cleaning.link_open = number < len(states) and states[number]

    async def _is_taken(self, number: int, cleaning: Cleaning) -> bool:
        """Whether a far client has the number, whose report is late or lost."""
        return self.far_clients and await is_taken(Inquiry(self._execute, number), cleaning)

    async def _drop_unread(self, number: int, cleaning: Cleaning) -> None:
        """Bytes of the last connection must not be the next one's first.

        Nor must a far client's be dropped: none are, once it has been announced.
        """
        try:
            while await self._execute(QueryUnread(number)):
                cleaning.sending = False
                if cleaning.arrival is not None or await self._is_taken(number, cleaning):
                    return
                cleaning.reading = True
                await self._execute(ReadData(number, CHUNK))
                self._dropped_at[number] = trio.current_time()
                cleaning.reading = False
        except Refused:
            pass  # no such link, no data: as good as empty
        finally:
            cleaning.reading = False
        cleaning.unread = cleaning.touched

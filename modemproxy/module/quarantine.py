"""Quarantine: numbers whose socket may still exist in the module, and the way out of it.

The janitor closes the socket, waits for the module's word on it, waits for the late
result of an open that was given up, drops unread bytes, and only then gives the number
back. It never gives up: a number that cannot be cleaned stays here until the session ends.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from modemproxy.at.results import Refused, tcpip_error_text
from modemproxy.at.tcpip import LINKS, CloseLink, QueryLinks
from modemproxy.at.transfer import MAX_READ, QueryUnread, ReadData
from modemproxy.errors import CommandError
from modemproxy.module.life import LineContext

log = logging.getLogger(__name__)

_CLOSE_LIMIT_S: Final = 120.0
_CLOSE_POLL_S: Final = 5.0
_RETRY_S: Final = 1.0


@dataclass(slots=True)
class _Cleaning:
    """A number in quarantine.

    Attributes:
        link_open: the module may still have the socket.
        unread: bytes may be left under the number.
        open_due_until: a late result of an open may come until then.
        close_due: a close of ours was accepted, and its result is still to come.
    """

    link_open: bool
    unread: bool
    open_due_until: float = 0.0
    close_due: bool = False
    closed: trio.Event = field(default_factory=trio.Event)
    opened: trio.Event = field(default_factory=trio.Event)


class Quarantine:
    """Brings link numbers back to the state in which they may be used again."""

    def __init__(self, context: LineContext, give_back: Callable[[int], None]) -> None:
        """Args: give_back: called with every number that is clean."""
        self._context = context
        self._give_back = give_back
        self._cleanings: dict[int, _Cleaning] = {}
        self._to_clean, self._dirty = trio.open_memory_channel[int](LINKS * 2)

    def add(
        self, number: int, *, link_open: bool, unread: bool, open_due_until: float = 0.0
    ) -> None:
        """Put a number in; one with nothing to clean is given back at once.

        Args:
            number: the link number.
            link_open: the module may still have the socket.
            unread: bytes may be left under the number.
            open_due_until: until when the late result of an open may come.
        """
        if not link_open and not unread:
            self._give_back(number)
            return
        self._cleanings[number] = _Cleaning(link_open, unread, open_due_until)
        self._to_clean.send_nowait(number)

    def holds(self, number: int) -> bool:
        """Whether something is left to clean under the number."""
        return number in self._cleanings

    def note_closed(self, number: int) -> None:
        """The module says that the socket is closed."""
        if (cleaning := self._cleanings.get(number)) is not None:
            cleaning.link_open = False
            cleaning.closed.set()

    def note_far_close(self, number: int) -> None:
        """The far side closed the socket.

        A close of ours that is under way is not over with that: it would hit whoever has
        the number when it takes effect.
        """
        cleaning = self._cleanings.get(number)
        if cleaning is not None and not cleaning.close_due:
            self.note_closed(number)

    def note_late_open(self, number: int, err: int) -> None:
        """The result of an open that nobody waits for any more: success is closed again."""
        if (cleaning := self._cleanings.get(number)) is not None:
            log.info("link %d: late result of an open: %s", number, tcpip_error_text(err))
            cleaning.link_open = cleaning.unread = err == 0
            cleaning.open_due_until = 0.0
            cleaning.opened.set()
            if err or not cleaning.close_due:  # a second close would hit the next connection
                cleaning.closed.set()

    async def close_ghost(self, number: int) -> None:
        """Close a socket that the module has and we do not; the number stays taken."""
        log.warning("link %d was open in the module: closing the ghost", number)
        cleaning = _Cleaning(link_open=True, unread=True)
        self._cleanings[number] = cleaning
        await self._close(number, cleaning)
        await self._drop_unread(number)
        self._cleanings.pop(number, None)

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
        while cleaning.link_open or cleaning.unread or cleaning.open_due_until:
            try:
                await self._clean_once(number, cleaning)
            except CommandError as error:
                log.debug("link %d: %s", number, error)
                await trio.sleep(_RETRY_S)
        del self._cleanings[number]
        self._give_back(number)

    async def _clean_once(self, number: int, cleaning: _Cleaning) -> None:
        if cleaning.link_open:
            await self._close(number, cleaning)
        if cleaning.open_due_until > trio.current_time():
            with trio.move_on_at(cleaning.open_due_until):
                await cleaning.opened.wait()
            cleaning.open_due_until = 0.0
            return
        cleaning.open_due_until = 0.0
        if cleaning.unread and not cleaning.link_open:
            await self._drop_unread(number)
            cleaning.unread = False

    async def _close(self, number: int, cleaning: _Cleaning) -> None:
        """Close in the module; done when it says so, or its list of links does."""
        cleaning.closed = trio.Event()
        cleaning.link_open = cleaning.close_due = True
        was_opened = cleaning.opened.is_set()
        try:
            await self._context.scheduler.execute(CloseLink(number))
            cleaning.open_due_until = 0.0  # an open under way is over with this
            await self._wait_closed(number, cleaning)
        except Refused:
            # +CIPCLOSE: n,4: closed already, or not open yet (unless it opened just then)
            cleaning.link_open = cleaning.opened.is_set() and not was_opened
        finally:
            cleaning.close_due = False

    async def _wait_closed(self, number: int, cleaning: _Cleaning) -> None:
        with trio.move_on_after(_CLOSE_LIMIT_S):
            while cleaning.link_open:
                with trio.move_on_after(_CLOSE_POLL_S):
                    await cleaning.closed.wait()
                    return
                states = await self._context.scheduler.execute(QueryLinks())
                cleaning.link_open = number < len(states) and states[number]

    async def _drop_unread(self, number: int) -> None:
        """Bytes of the last connection must not be the next one's first."""
        execute = self._context.scheduler.execute
        try:
            while await execute(QueryUnread(number)):
                await execute(ReadData(number, MAX_READ))
        except Refused:
            return  # no such link, no data: as good as empty

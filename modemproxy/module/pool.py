"""The ten link numbers: who has which, opening, and getting them back.

A number is free, in use, or in quarantine. It leaves quarantine only when the module has
confirmed that its socket is closed and nothing unread is left under it: a late
``+CIPOPEN: 5,0`` of an open that was given up, or bytes of the last connection, must
never meet the next one. The janitor task does that work; nobody's ``aclose()`` waits for it.

Outgoing links take the highest free number: the module gives the lowest to far clients.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import trio

from modemproxy.at.results import Refused, TcpipErr, tcpip_error_text
from modemproxy.at.tcpip import (
    LINKS,
    MAX_TIMEOUT_S,
    MIN_TIMEOUT_S,
    OpenLink,
)
from modemproxy.errors import CommandError, LinkRefused, NoFreeLink
from modemproxy.module.life import LineContext
from modemproxy.module.link import Link
from modemproxy.module.opens import OpenRecord
from modemproxy.module.quarantine import Quarantine

log = logging.getLogger(__name__)

_LATE_OPEN_MARGIN_S: Final = 5.0
_OK_LIMIT_S: Final = 9.0
#: A number that the module is stuck with is taken last, for a while.
_NUMBERS_TRIED: Final = 2
_AVOID_S: Final = 60.0


@dataclass(slots=True)
class _Opening:
    """An open under way: the link that will be, and the module's word on it."""

    link: Link
    done: trio.Event = field(default_factory=trio.Event)
    err: int | None = None
    since: float = field(default_factory=trio.current_time)


@dataclass(slots=True, eq=False)
class _Waiter:
    """A client in the queue for a number."""

    granted: trio.Event = field(default_factory=trio.Event)
    number: int | None = None


class LinkPool:
    """Owns the link numbers of one session."""

    def __init__(self, context: LineContext, *, open_limit_s: float) -> None:
        """Args: open_limit_s: the module's own bound on an open (CIPTIMEOUT), seconds."""
        self._context = context
        self._open_limit_s = min(MAX_TIMEOUT_S, max(MIN_TIMEOUT_S, open_limit_s))
        self._free = set(range(LINKS))
        self._links: dict[int, Link] = {}
        self._openings: dict[int, _Opening] = {}
        self._waiters: list[_Waiter] = []
        self._avoided: dict[int, float] = {}
        self.quarantine = Quarantine(context, self._give_back)
        self._ended: str | None = None
        self.opens = OpenRecord()

    @property
    def links(self) -> dict[int, Link]:
        """The links in use, by number."""
        return self._links

    @property
    def in_use(self) -> int:
        """How many numbers are not free."""
        return LINKS - len(self._free)

    @property
    def settled(self) -> bool:
        """No socket is open, opening or closing in the module."""
        return len(self._free) == LINKS

    # -- opening ----------------------------------------------------------------------

    @asynccontextmanager
    async def open(
        self, host: str, port: int, *, weight: float, queue_s: float
    ) -> AsyncIterator[Link]:
        """Open a TCP link and close it in the end.

        The caller bounds the whole with its own deadline; an open that is given up is
        closed behind its back.

        Args:
            host: name or address for the module to connect to; already validated.
            port: the far port.
            weight: its share of the line relative to others.
            queue_s: how long to wait for a free number, seconds.

        Raises:
            NoFreeLink: none became free in time, or the session ended.
            LinkRefused: the module could not open it.
            LineError: the line ended.
        """
        link = await self._open_somewhere(host, port, weight, queue_s)
        try:
            log.info("link %d -> %s open", link.number, link.target)
            yield link
        finally:
            link.abort()

    async def _open_somewhere(
        self, host: str, port: int, weight: float, queue_s: float
    ) -> Link:
        """Open a link under a number that the module lets us have.

        Its answer is the same for a number it is stuck with and for a far side that
        refuses: only another number can tell, and is tried once.
        """
        stuck: list[int] = []
        for _ in range(_NUMBERS_TRIED):
            number = await self._acquire(queue_s)
            link = Link(number, f"{host}:{port}", self._context, weight)
            link.on_close(self._release)
            command = OpenLink(number, host, port, self._open_limit_s)
            is_open = False
            try:
                is_open = await self._open_with_retry(link, command, ghost=not stuck)
            finally:
                if not is_open:
                    link.abort()
            if is_open:
                for other in stuck:
                    log.warning("link %d: the module neither opens nor closes it", other)
                return link
            stuck.append(number)
            self._avoided[number] = trio.current_time() + _AVOID_S
        code = TcpipErr.NOT_SUPPORTED.value
        raise LinkRefused(link.target, tcpip_error_text(code), code)

    async def _open_with_retry(self, link: Link, command: OpenLink, *, ghost: bool) -> bool:
        """A number the module thinks is open is a ghost: close it, then once more.

        Returns:
            False when that does not help: the module is stuck with this number.
        """
        err = await self._open_once(link, command)
        if err is None and ghost:
            await self.quarantine.close_ghost(link.number)
            err = await self._open_once(link, command)
        if err:
            raise LinkRefused(link.target, tcpip_error_text(err), err)
        return err is not None

    async def _open_once(self, link: Link, command: OpenLink) -> int | None:
        """Return the module's ``<err>``, or None if it said at once that it is open."""
        opening = _Opening(link)
        self._openings[link.number] = opening
        try:
            limit_s = _OK_LIMIT_S if self._context.habits.link_ok_first else None
            await self._context.scheduler.execute(command, limit_s=limit_s)
        except Refused as error:
            self._openings.pop(link.number, None)
            if error.failure.is_network_closed:
                self._context.on_network_closed(str(error))
            self.opens.note(link.target, error.code)
            if error.failure.is_err(TcpipErr.NOT_SUPPORTED):
                return None
            raise LinkRefused(link.target, error.reason, error.code) from error
        except CommandError as error:
            if opening.err is None:  # else its result is here, and only the OK was lost
                raise LinkRefused(link.target, error.reason) from error
        await opening.done.wait()
        if self._ended is not None:
            raise LinkRefused(link.target, self._ended)
        self.opens.note(link.target, opening.err)
        if opening.err == TcpipErr.NOT_OPENED:
            self._context.on_network_closed("CIPOPEN: network not opened")
        return opening.err

    async def _acquire(self, queue_s: float) -> int:
        await trio.lowlevel.checkpoint()
        self._check_running()
        if self._free and not self._waiters:
            return self._take()
        waiter = _Waiter()
        self._waiters.append(waiter)
        try:
            with trio.move_on_after(queue_s):
                await waiter.granted.wait()
        except trio.Cancelled:
            if waiter.number is not None:
                self._give_back(waiter.number)
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        self._check_running()
        if waiter.number is None:
            raise NoFreeLink(f"all {LINKS} links are in use (waited {queue_s:g} s)")
        return waiter.number

    def _take(self) -> int:
        now = trio.current_time()
        usable = {number for number in self._free if self._avoided.get(number, now) <= now}
        number = max(usable or self._free)
        self._free.remove(number)
        return number

    def _give_back(self, number: int) -> None:
        self._free.add(number)
        while self._waiters and self._free:
            waiter = self._waiters.pop(0)
            waiter.number = self._take()
            waiter.granted.set()

    def _check_running(self) -> None:
        if self._ended is not None:
            raise NoFreeLink(self._ended)

    # -- what the module reports --------------------------------------------------------

    def note_opened(self, number: int, err: int) -> None:
        """``+CIPOPEN: <link>,<err>``."""
        opening = self._openings.pop(number, None)
        if opening is not None:
            if not self._context.scheduler.channel.opening(number):
                self._context.habits.link_ok_first = True
            elif err == 0:
                self._context.habits.link_ok_first = False
            if err == 0:
                self._links[number] = opening.link
                opening.link.start()
            opening.err = err
            opening.done.set()
        else:
            self.quarantine.note_late_open(number, err)
            if err == 0:
                self._close_stranger(number)

    def note_far_close(self, number: int, reason: int) -> None:
        """``+IPCLOSE: <link>,<reason>``."""
        if (link := self._links.get(number)) is not None:
            link.note_far_close(reason)
        else:
            self.quarantine.note_far_close(number)

    def note_far_client(self, number: int) -> None:
        """``+CLIENT`` on a number: no server of ours runs, so it is closed again."""
        self._close_stranger(number)

    def _close_stranger(self, number: int) -> None:
        """A socket came up under a number that nobody has."""
        if number in self._free:
            self._free.remove(number)
            self.quarantine.add(number, link_open=True, unread=True)

    # -- getting numbers back -----------------------------------------------------------

    def _release(self, link: Link) -> None:
        number = link.number
        opened = self._links.pop(number, None) is not None
        opening = self._openings.pop(number, None)
        if self._ended is not None:
            return
        if opened:
            self.quarantine.add(number, link_open=not link.far_closed, unread=not link.drained)
        elif opening is not None:
            now = trio.current_time()
            self.opens.note_given_up(link.target, after_s=now - opening.since)
            due = now + self._open_limit_s + _LATE_OPEN_MARGIN_S
            self.quarantine.add(number, link_open=True, unread=True, open_due_until=due)
        elif self.quarantine.holds(number):  # a ghost, and its close was given up
            self.quarantine.add(number, link_open=True, unread=True)
        else:
            self._give_back(number)

    # -- the end ------------------------------------------------------------------------

    def fail_all(self, reason: str) -> None:
        """The session is over: break every link and wake everyone who waits for one."""
        if self._ended is not None:
            return
        self._ended = reason
        for opening in self._openings.values():
            opening.done.set()
        for link in list(self._links.values()):
            link.fail(reason)
        for waiter in self._waiters:
            waiter.granted.set()

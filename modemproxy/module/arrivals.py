"""Whose a socket is, and whose the bytes under its number are: asked where it is in doubt.

The module gives a number to a far client the moment it is free there, which may be before
we are done with the connection that had it. Then ``+CIPOPEN?`` says who has it now. Bytes
of the last connection may be left in front of the far client's: ``CIPACK`` counts what the
stack received on this connection (protocol.md 8), so what is unread on top of that is not
its own.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from modemproxy.at.commands import Command
from modemproxy.at.results import Refused
from modemproxy.at.servers import OpenRow, QueryOpen
from modemproxy.at.transfer import CHUNK, QueryAck, QueryUnread, ReadData
from modemproxy.module.cleaning import Cleaning
from modemproxy.module.servers import Arrival

#: Pauses between tries to count stale bytes while the far client is sending.
_PAUSES_S: Final = (0.05, 0.2, 0.5, 0.0)

Execute = Callable[[Command[Any]], Awaitable[Any]]


class Inquiry:
    """Questions to the module about one number."""

    def __init__(self, execute: Execute, number: int) -> None:
        """Args: execute: has a command done; number: the link number."""
        self._execute = execute
        self._number = number

    async def row(self) -> OpenRow | None:
        """Who has the number in the module; None when nobody has.

        Raises:
            CommandError: this firmware does not say.
            LineError: the line ended.
        """
        rows: dict[int, OpenRow] = await self._execute(QueryOpen())
        return rows.get(self._number)

    async def is_clear(self, *, untouched: bool) -> bool:
        """See that a far client's own bytes, all of them, come first; drop what does not.

        Args:
            untouched: nothing was read under the number since it came in: then an empty
                buffer says enough.

        Raises:
            CommandError: the module did not answer.
            LineError: the line ended.
        """
        try:
            if untouched and not await self._execute(QueryUnread(self._number)):
                return True
            stale = await self._count_stale()
            return stale is not None and await self._drop(stale)
        except Refused:
            return False

    async def _count_stale(self) -> int | None:
        """How many unread bytes are not this connection's; None: it cannot be told.

        What it received must not change meanwhile. Less unread than received means that
        bytes wait in the second stage, or that we have taken some: no count either.
        """
        for pause_s in _PAUSES_S:
            before: int = (await self._execute(QueryAck(self._number))).received
            unread: int = await self._execute(QueryUnread(self._number))
            after: int = (await self._execute(QueryAck(self._number))).received
            if before < 0:
                return None
            if before == after and unread >= before:
                return unread - before
            await trio.sleep(pause_s)
        return None

    async def _drop(self, count: int) -> bool:
        """Read exactly so many bytes; whether they all came."""
        while count > 0:
            reply = await self._execute(ReadData(self._number, min(count, CHUNK)))
            if not reply.data:
                return False
            count -= len(reply.data)
        return True


def is_same(row: OpenRow | None, arrival: Arrival) -> bool:
    """Whether a line of ``+CIPOPEN?`` is about this far client.

    The index of the server is not compared: one note prints another than ``+CLIENT`` had.
    """
    if row is None or row.server < 0:
        return False
    return (row.host.strip("[]"), row.port) == (arrival.host, arrival.port)


async def why_not(inquiry: Inquiry, cleaning: Cleaning, arrival: Arrival) -> str:
    """Say why a far client can not have its number; nothing when it can.

    What is found out on the way (it has left, or another one has come) is noted.

    Args:
        inquiry: about its number.
        cleaning: what is known about the number.
        arrival: the far client.

    Raises:
        CommandError: the module did not answer.
        LineError: the line ended.
    """
    if cleaning.tainted:
        return "bytes for the last connection may have reached it"
    if cleaning.open_due_until:
        return "an open of ours may come up under its number"
    try:
        row = await inquiry.row()
    except Refused:
        return "the module does not say whose its number is"
    if cleaning.arrival is not arrival:
        return ""  # another one has it already
    if not is_same(row, arrival):
        _note_other(cleaning, row)
    elif cleaning.unread and not await inquiry.is_clear(untouched=not cleaning.touched):
        return "bytes of the last connection can not be told from its own"
    return ""


def _note_other(cleaning: Cleaning, row: OpenRow | None) -> None:
    """The far client has left; somebody else may have its number."""
    cleaning.forget()
    cleaning.link_open = row is not None
    if row is not None and row.server >= 0:
        cleaning.note_arrival(Arrival.of(row))


async def is_taken(inquiry: Inquiry, cleaning: Cleaning) -> bool:
    """Whether a far client has a number that is being cleaned; its report may be late."""
    try:
        row = await inquiry.row()
    except Refused:
        return False
    if row is not None and row.server >= 0 and cleaning.arrival is None:
        cleaning.note_arrival(Arrival.of(row))
    return cleaning.arrival is not None

"""Questions that the module's resolver cannot be asked, passed on to a name server.

Over a UDP link of the module that is opened when there is a question and closed when none
has come for a while; an answer that is too long for a datagram is fetched over a
connection of its own. Nothing is sent twice: who asked asks again.
"""

import logging
import secrets
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Final

import trio

from modemproxy.config import Endpoint
from modemproxy.errors import ModemProxyError, first_error
from modemproxy.module.datagram_link import DatagramLink
from modemproxy.surfaces.dial import Dialer, Nobody
from modemproxy.surfaces.guard import contained
from modemproxy.surfaces.proxying.dnspassing import answers, frame, question_for_server
from modemproxy.surfaces.proxying.dnswire import Query

log = logging.getLogger(__name__)

#: From a question to giving up on it; clients ask again after about 5 s.
ANSWER_S: Final = 5.0
_IDLE_S: Final = 30.0
_MOST_PENDING: Final = 32

_Sender = trio.MemorySendChannel[bytes]
_Receiver = trio.MemoryReceiveChannel[bytes]


class NoAnswer(Exception):
    """The server gave no answer; the text says why."""


@dataclass(slots=True)
class _Asked:
    """A question under way."""

    query: Query
    message: bytes
    done: trio.Event = field(default_factory=trio.Event)
    reply: bytes | None = None


class Upstream:
    """The name server behind the module."""

    def __init__(self, server: Endpoint, dialer: Dialer) -> None:
        """Args:
        server: its address and port.
        dialer: opens links to it.
        """
        self._server = server
        self._dialer = dialer
        self._pending: dict[int, _Asked] = {}
        self._send: _Sender | None = None

    async def ask(self, query: Query, tasks: trio.Nursery) -> bytes:
        """Return the server's answer to a question, under an identifier of ours.

        Args:
            query: a client's question.
            tasks: where the link is kept.

        Raises:
            NoAnswer: none came in time, or too many questions wait.
        """
        if len(self._pending) >= _MOST_PENDING:
            raise NoAnswer(f"{_MOST_PENDING} questions wait for {self._server} already")
        ident = self._new_ident()
        asked = _Asked(query, question_for_server(query, ident))
        self._pending[ident] = asked
        try:
            self._pass_on(asked.message, tasks)
            with trio.move_on_after(ANSWER_S):
                await asked.done.wait()
        finally:
            del self._pending[ident]
        if asked.reply is None:
            raise NoAnswer(f"no answer from {self._server}")
        return asked.reply

    def _new_ident(self) -> int:
        while (ident := secrets.randbelow(65536)) in self._pending:
            pass
        return ident

    def _pass_on(self, message: bytes, tasks: trio.Nursery) -> None:
        """Hand a question to the task that keeps the link, which begins with it."""
        if self._send is None:
            self._send, questions = trio.open_memory_channel[bytes](_MOST_PENDING)
            tasks.start_soon(self._keep_link, self._send, questions)
        with suppress(trio.WouldBlock):  # it is not taking them: nothing is, at the moment
            self._send.send_nowait(message)

    async def _keep_link(self, send: _Sender, questions: _Receiver) -> None:
        """Open a link, and use it until nothing is asked any more or it breaks."""
        try:
            with contained(f"dns: {self._server}"), send, questions:
                await self._use_link(questions)
        finally:
            if self._send is send:
                self._send = None
                for asked in self._pending.values():  # nobody will hear the answers
                    asked.done.set()

    async def _use_link(self, questions: _Receiver) -> None:
        server = self._server
        try:
            async with AsyncExitStack() as stack:
                dialer = self._dialer
                link = await dialer.open_datagrams(stack, Nobody(), server.host, server.port)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._take_replies, link)
                    await self._send_questions(link, questions)
                    nursery.cancel_scope.cancel()
        except* (ModemProxyError, trio.BrokenResourceError) as group:
            log.info("dns: %s: %s", server, first_error(group))

    async def _send_questions(self, link: DatagramLink, questions: _Receiver) -> None:
        while True:
            with trio.move_on_after(_IDLE_S) as idle:
                await link.send(await questions.receive())
            if idle.cancelled_caught:
                self._send = None  # the next question gets a link of its own
                return

    async def _take_replies(self, link: DatagramLink) -> None:
        while True:
            reply = await link.receive()
            ident = int.from_bytes(reply[:2], "big")
            asked = self._pending.get(ident)
            if asked is not None and answers(reply, asked.query, ident):
                asked.reply = reply
                asked.done.set()

    async def ask_over_tcp(self, query: Query) -> bytes:
        """Return the server's answer to a question, however long it is.

        Raises:
            NoAnswer: none came in time.
        """
        ident = secrets.randbelow(65536)
        message = frame(question_for_server(query, ident))
        reply = b""
        with trio.move_on_after(2 * ANSWER_S):
            try:
                reply = await self._exchange(message)
            except (ModemProxyError, trio.BrokenResourceError) as error:
                log.info("dns: %s over TCP: %s", self._server, error)
        if not answers(reply, query, ident):
            raise NoAnswer(f"no answer from {self._server} over TCP")
        return reply

    async def _exchange(self, message: bytes) -> bytes:
        """Send a message over a connection of its own; return the first that comes back."""
        server = self._server
        async with AsyncExitStack() as stack:
            link = await self._dialer.open(
                stack, _Patient(), Nobody(), server.host, server.port
            )
            await link.send_all(message)
            got = b""
            while len(got) < 2 or len(got) < 2 + int.from_bytes(got[:2], "big"):
                data = await link.receive_some()
                if not data:
                    return b""
                got += data
            return got[2 : 2 + int.from_bytes(got[:2], "big")]


class _Patient:
    """Nobody to watch while a link is opened."""

    broken = False

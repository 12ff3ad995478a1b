"""A module of a few lines that knows only sockets, and whose bytes are whose.

It stands where the line would (``AtChannel``), under the real scheduler, pool and links.
Every socket speaks records of its own, numbered; so a reader can tell whether each byte is
from its own far side, and whether one is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from types import SimpleNamespace
from typing import TypeVar, cast

import trio

from modemproxy.at.commands import Command
from modemproxy.at.results import Dialect, Failure, Refused
from modemproxy.at.servers import OpenRow, QueryOpen
from modemproxy.at.tcpip import CloseLink, OpenLink, QueryLinks
from modemproxy.at.transfer import (
    AckReply,
    QueryAck,
    QueryUnread,
    ReadData,
    ReadReply,
    SendData,
)
from modemproxy.at.urcs import SendConfirmed
from modemproxy.module.pool import LinkPool

ReplyT = TypeVar("ReplyT")

OPEN_LIMIT_S = 30.0
PEER = "192.0.2.1"
_NOT_SUPPORTED = Failure(Dialect.TAGGED, 4, "operation not supported")
_NO_DATA = Failure(Dialect.IP_ERROR, 22, "No data")
_NO_LINK = Failure(Dialect.IP_ERROR, 11, "Connection is not created")
_ERROR = Failure(Dialect.BARE, None, "ERROR")


def words(port: int, count: int) -> bytes:
    """What the far side with that port says, from its first byte on."""
    return b"".join(b"%05d%03d" % (port, number) for number in range(count))


@dataclass(eq=False)
class Socket:
    """A socket: its far side is told apart by its port."""

    port: int
    server: int = -1
    told: bool = False
    state: str = "open"
    unread: bytearray = field(default_factory=bytearray)
    said: int = 0
    received: int = 0
    heard: bytearray = field(default_factory=bytearray)

    def speak(self, count: int) -> None:
        """The far side sends so many records."""
        news = words(self.port, self.said + count)[8 * self.said :]
        self.said += count
        self.received += len(news)
        self.unread += news


class FakeModule:
    """Ten numbers.

    Attributes:
        sockets: by number.
        stale: bytes left under numbers by sockets that are gone.
        pending: opens under way, by number: their far side's port, and since when.
        keeps_stale, cipack, lists: the firmware's ways.
        takes_pending: it gives numbers of pending opens to far clients.
        refuses_early_close: CIPCLOSE before the result of an open is an error.
        slow_closes: their results come when ``finish_closes`` says so.
        loses_close_results: never.
        holds_results: those of sends come when ``tell_results`` says so.
        step_s: how long a command takes, before it has its effect and after.
    """

    def __init__(self) -> None:
        self.sockets: dict[int, Socket] = {}
        self.stale: dict[int, bytes] = {}
        self.pending: dict[int, tuple[int, float]] = {}
        self.closing: set[int] = set()
        self.keeps_stale = False
        self.cipack = True
        self.lists = True
        self.takes_pending = False
        self.refuses_early_close = False
        self.slow_closes = False
        self.loses_close_results = False
        self.holds_results = False
        self.results: list[SendConfirmed] = []
        self.step_s = 0.005
        self.asked = 0
        self.latency = SimpleNamespace(seconds=0.005, byte_s=0.0)
        self.damaged_at = -inf
        self.pool: LinkPool
        self.all: list[Socket] = []
        self._in_flight: object = None
        self._met: Socket | None = None

    # -- as the line --

    def reading(self, link: int) -> bool:
        """As ``AtChannel``."""
        return isinstance(self._in_flight, ReadData) and self._in_flight.link == link

    def header_due(self, link: int) -> bool:
        """As ``AtChannel``."""
        return self.reading(link)

    def sending(self, link: int) -> bool:
        """As ``AtChannel``."""
        return isinstance(self._in_flight, SendData) and self._in_flight.link == link

    @property
    def handed_over(self) -> bool:
        """As ``AtChannel``."""
        return True

    def opening(self, link: int) -> bool:
        """As ``AtChannel``."""
        return isinstance(self._in_flight, OpenLink) and self._in_flight.link == link

    async def roundtrip(
        self,
        command: Command[ReplyT],
        *,
        limit_s: float | None = None,
        on_reply: Callable[[ReplyT, float], None] | None = None,
    ) -> ReplyT:
        """Do a command: half of its time before it takes effect, half after."""
        assert self._in_flight is None, "one at a time"
        self.asked += 1
        assert self.asked < 50_000, f"asked again and again, as {command.shown}"
        self._in_flight = command
        self._met = self.sockets.get(getattr(command, "link", -1))
        try:
            with trio.CancelScope(shield=True):
                await trio.sleep(self.step_s)
                reply = self._do(command)
                await trio.sleep(self.step_s)
        finally:
            self._in_flight = None
        if isinstance(reply, Failure):
            raise Refused(command.shown, reply)
        if on_reply is not None:
            on_reply(cast(ReplyT, reply), trio.current_time())
        return cast(ReplyT, reply)

    def _do(self, command: object) -> object:
        match command:
            case OpenLink():
                return self._open(command)
            case CloseLink():
                return self._close(command.link)
            case QueryLinks():
                return tuple(number in self.sockets for number in range(10))
            case QueryOpen():
                return self._rows() if self.lists else _ERROR
            case QueryUnread():
                return len(self._unread(command.link))
            case QueryAck():
                socket = self.sockets.get(command.link)
                if socket is None or not self.cipack:
                    return _NO_LINK
                return AckReply(len(socket.heard), len(socket.heard), socket.received)
            case ReadData():
                return self._read(command)
            case SendData():
                return self._send(command)
        raise AssertionError(command)

    def _rows(self) -> dict[int, OpenRow]:
        return {
            number: OpenRow(number, "TCP", PEER, socket.port, socket.server)
            for number, socket in self.sockets.items()
        }

    def _unread(self, number: int) -> bytes:
        socket = self.sockets.get(number)
        return self.stale.get(number, b"") + bytes(socket.unread if socket else b"")

    def _read(self, command: ReadData) -> object:
        number, unread = command.link, self._unread(command.link)
        if not unread:
            return _NO_DATA
        data, stale = unread[: command.size], self.stale.get(number, b"")
        self.stale[number] = stale[len(data) :]
        if number in self.sockets:
            del self.sockets[number].unread[: max(0, len(data) - len(stale))]
        return ReadReply(data, len(unread) - len(data))

    def _send(self, command: SendData) -> object:
        socket = self.sockets.get(command.link)
        if socket is None or socket is not self._met:  # it ended behind the prompt
            return _NOT_SUPPORTED
        socket.heard += command.data
        size = len(command.data)
        self.results.append(SendConfirmed(command.link, size, size))
        if not self.holds_results:
            self.tell_results()
        return None

    def _open(self, command: OpenLink) -> object:
        number = command.link
        if number in self.sockets or number in self.pending:
            self.pool.note_opened(number, 4)
            return _NOT_SUPPORTED
        self.pending[number] = command.port, trio.current_time()
        return None

    def _close(self, number: int) -> object:
        early = number in self.pending and number not in self.sockets
        if early and not self.refuses_early_close:
            del self.pending[number]
            self.pool.quarantine.note_closed(number)
            return None
        if number not in self.sockets:
            self.pool.quarantine.note_closed(number)  # +CIPCLOSE: n,4 stands before ERROR
            return _NOT_SUPPORTED
        self.closing.add(number)
        if not self.slow_closes:
            self.finish_closes()
        return None

    # -- what happens in it --

    def tell_results(self) -> None:
        """The results of all sends."""
        while self.results:
            self.pool.note_send_result(self.results.pop(0))

    def _gone(self, number: int) -> None:
        socket = self.sockets.pop(number)
        socket.state = "closed"
        self.closing.discard(number)
        self.stale[number] = self.stale.get(number, b"") + bytes(socket.unread)

    def finish_closes(self) -> None:
        """Closes that were accepted take effect."""
        for number in list(self.closing):
            self._gone(number)
            if not self.keeps_stale:
                self.stale[number] = b""
            if not self.loses_close_results:
                self.pool.quarantine.note_closed(number)

    def _up(self, number: int, socket: Socket) -> Socket:
        if not self.keeps_stale:
            self.stale[number] = b""
        self.sockets[number] = socket
        self.all.append(socket)
        return socket

    def answer_open(self, number: int, err: int) -> None:
        """The result of an open."""
        port, _ = self.pending.pop(number)
        if number in self.sockets:
            err = 4
        if not err:
            self._up(number, Socket(port)).speak(1)
        self.pool.note_opened(number, err)

    def time_out_opens(self) -> None:
        """The module's own bound on opens."""
        for number, (_, since) in list(self.pending.items()):
            if trio.current_time() >= since + OPEN_LIMIT_S:
                self.answer_open(number, 10)

    def far_close(self, number: int) -> None:
        """A far side closes; what it said can still be read."""
        self._gone(number)
        self.pool.note_far_close(number, 1)

    def can_accept(self, number: int) -> bool:
        """Whether a far client may come in under a number."""
        busy = number in self.pending and not self.takes_pending
        return number not in self.sockets and not busy

    def accept(self, number: int, port: int, *, says: int = 2, told: bool = True) -> Socket:
        """A far client comes in under a number, and speaks."""
        socket = self._up(number, Socket(port, server=0))
        if told:
            self.tell_client(number, port)
        socket.speak(says)
        return socket

    def tell_client(self, number: int, port: int) -> None:
        """``+CLIENT``."""
        self.sockets[number].told = True
        self.pool.note_far_client(number, 0, f"{PEER}:{port}")

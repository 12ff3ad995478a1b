"""Connections: a client program, a far program, and a record of what both saw."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import trio

from modemproxy.emulator.far_stream import FarStream
from tests.matrix.roles import HOSTILE, PIECE, Role, content, download, echo, upload
from tests.soak.host import ClientSocket, Reset

__all__ = ["HOSTILE", "Connection", "FarEnd", "Role", "content", "download", "echo", "upload"]

#: How an end of a connection ended: orderly, by a reset, or because its program left.
Ending = Literal["FIN", "RST", "left"]


@dataclass
class FarEnd:
    """One connection as its far host saw it.

    Attributes:
        reached: all that the module handed to the network for it, wanted or not.
        received: what the far program read.
        sent: how many bytes the far program got rid of.
        end: how it ended, None while it goes on.
    """

    reached: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)
    sent: int = 0
    end: Ending | None = None


class Connection:
    """A connection, and both its programs.

    Attributes:
        name: its role, with a number where there are several.
        victim: the fault is meant for it.
        up, down: all bytes of either direction.
        received: what the client read.
        sent: how many bytes the client's kernel took.
        round_s: how long each round took that is over, seconds.
        fars: the far ends; more than one when an open was repeated.
        end: how the client's end ended; ``ended_at`` when, seconds.
        number: of the connection, and part of its far port.
    """

    def __init__(
        self,
        number: int,
        name: str,
        role: Role,
        *,
        victim: bool = False,
        payload: Callable[[int, str, int], bytes] = content,
    ) -> None:
        self.number = number
        self.name = name
        self.role = role
        self.victim = victim
        self.up = payload(number, "up", role.up)
        self.down = payload(number, "down", role.down)
        self.received = bytearray()
        self.sent = 0
        self.round_s: list[float] = []
        self.fars: list[FarEnd] = []
        self.end: Ending | None = None
        self.opened_at = trio.current_time()
        self.ended_at = trio.current_time()
        self.over = trio.Event()
        self.client_may_read = _Gate()
        self.far_may_read = _Gate()
        self.socket: ClientSocket
        self.find_link: Callable[[], int | None] = lambda: None
        self._changed = trio.Event()

    @property
    def link(self) -> int:
        """The module's link number; it must be open."""
        number = self.find_link()
        assert number is not None, f"{self.name} has no link"
        return number

    @property
    def whole(self) -> bool:
        """Every byte of both directions arrived."""
        up = bool(self.fars) and bytes(self.fars[-1].received) == self.up
        return up and bytes(self.received) == self.down

    @property
    def duration_s(self) -> float:
        """From the client's connect to its end, seconds."""
        return self.ended_at - self.opened_at

    async def moved(self, *, up: int = 0, down: int = 0) -> None:
        """Wait until so many bytes have arrived at the far side and at the client."""
        await self.wait(lambda: self._arrived >= up and len(self.received) >= down)

    @property
    def _arrived(self) -> int:
        return len(self.fars[-1].received) if self.fars else 0

    async def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something about this connection is so, or it is over."""
        await trio.lowlevel.checkpoint()
        while not (condition() or self.end is not None):
            await self._changed.wait()

    def notify(self) -> None:
        """Let everyone look again."""
        self._changed.set()
        self._changed = trio.Event()

    def note_end(self, end: Ending) -> None:
        """The client's end is over."""
        if self.end is None:
            self.end = end
            self.ended_at = trio.current_time()
        self.notify()

    # -- the client's program --

    async def run_client(self, socket: ClientSocket) -> None:
        """Be the client, until its end."""
        self.socket = socket
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._client_acts, nursery.cancel_scope)
            await self._client_reads()
            nursery.cancel_scope.cancel()

    async def _client_reads(self) -> None:
        try:
            while data := await self.socket.receive(PIECE):
                self.received += data
                self.notify()
                await self.client_may_read.wait()
        except Reset:
            self.note_end("RST")
        else:
            self.note_end("FIN")
            self.socket.finish()

    async def _client_acts(self, scope: trio.CancelScope) -> None:
        due_up = due_down = 0
        try:
            for up, down in self.role.rounds:
                due_up, due_down = due_up + up, due_down + down
                began = trio.current_time()
                while self.sent < due_up:
                    self.sent += await self.socket.send_some(self.up[self.sent : due_up])
                await self.wait(lambda due=due_down: len(self.received) >= due)  # type: ignore[misc]
                self.round_s.append(trio.current_time() - began)
                await trio.sleep(self.role.pause_s)
        except Reset:
            return  # the reader reports it
        if self.role.closes == "client":
            self.note_end("left")
            scope.cancel()
            self.socket.close()

    # -- the far program --

    async def run_far(self, stream: FarStream) -> None:
        """Be the far host."""
        far = FarEnd()
        self.fars.append(far)
        _keep_what_reaches(stream, far.reached)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._far_acts, stream, far, nursery.cancel_scope)
                await self._far_reads(stream, far)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            far.end = far.end or "RST"
        self.notify()

    async def _far_reads(self, stream: FarStream, far: FarEnd) -> None:
        while True:
            await self.far_may_read.wait()
            data = await stream.receive_some(PIECE)
            if not data:
                break
            far.received += data
            self.notify()
        far.end = far.end or "FIN"

    async def _far_acts(self, stream: FarStream, far: FarEnd, scope: trio.CancelScope) -> None:
        due_up = due_down = 0
        for up, down in self.role.rounds:
            due_up, due_down = due_up + up, due_down + down
            while len(far.received) < due_up:  # not ``wait``: the client's end is no end here
                await self._changed.wait()
            await trio.sleep(self.role.think_s)
            while far.sent < due_down:
                piece = self.down[far.sent : min(due_down, far.sent + self.role.piece)]
                await stream.send_all(piece)
                far.sent += len(piece)
                await trio.sleep(self.role.piece_s)
        if self.role.closes == "far":
            far.end = "left"
            scope.cancel()


class _Gate:
    """Open, or shut for a while: whoever comes waits."""

    def __init__(self) -> None:
        self._open = trio.Event()
        self._open.set()

    def shut(self) -> None:
        """Let nobody pass."""
        self._open = trio.Event()

    def reopen(self) -> None:
        """Let everyone pass."""
        self._open.set()

    async def wait(self) -> None:
        """Pass, or wait."""
        await self._open.wait()


def _keep_what_reaches(stream: FarStream, kept: bytearray) -> None:
    take = stream.from_module

    def taken(data: bytes) -> None:
        kept.extend(data)
        take(data)

    stream.from_module = taken  # type: ignore[method-assign]

"""The programs at both ends of a connection, playing a Plan and writing it down."""

from collections.abc import Callable

import trio

from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.tcp import TcpLink
from tests.soak.history import FIN, LEFT, RST, Connection, End
from tests.soak.host import ClientSocket, Reset
from tests.soak.plan import Plan, Side
from tests.soak.stream import Direction, stream

#: Longer than the proxy waits for a client's FIN before it takes the end for a clean one.
_LINGER_S = 6.0
_FAR_PIECE = 4096


class _Progress:
    """What one program knows of itself; lets its parts wait for each other."""

    def __init__(self, end: End) -> None:
        self.end = end
        self._changed = trio.Event()
        self.over = False

    def notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        await trio.lowlevel.checkpoint()
        while not condition():
            await self._changed.wait()


async def run_client(socket: ClientSocket, plan: Plan, connection: Connection) -> None:
    """Be the client until its connection is over; ``done_at`` says that it is."""
    client = _Client(socket, plan, connection.client)
    try:
        await client.run()
    finally:
        connection.done_at = trio.current_time()


class _Client:
    def __init__(self, socket: ClientSocket, plan: Plan, end: End) -> None:
        self._socket = socket
        self._plan = plan
        self._side = plan.client
        self._end = end
        self._progress = _Progress(end)
        self._data = stream(plan.number, Direction.UP, sum(r.size for r in plan.client.rounds))

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._act, nursery.cancel_scope)
            if self._side.finish == "abort":
                nursery.start_soon(self._abort, nursery.cancel_scope)
            await self._read()
            if self._end.end == FIN and self._plan.lingers:
                with trio.move_on_after(_LINGER_S):
                    await self._socket.wait_reset()
            self._end.reset_after_fin = self._socket.was_reset and self._end.end == FIN
            if self._end.end == FIN and not self._plan.lingers:
                self._end.left_at_once = True
            nursery.cancel_scope.cancel()
        self._socket.close()

    async def _read(self) -> None:
        side, end = self._side, self._end
        while side.stops_at is None or len(end.received) < side.stops_at:
            try:
                data = await self._socket.receive(side.read_size)
            except Reset:
                end.note_end(RST, trio.current_time())
                return
            if not data:
                end.note_end(FIN, trio.current_time())
                self._progress.notify()
                return
            end.note_received(data, trio.current_time())
            self._progress.notify()
            if side.read_pause_s:
                await trio.sleep(side.read_pause_s)
        await self._socket.wait_reset()
        end.note_end(RST, trio.current_time())

    async def _act(self, scope: trio.CancelScope) -> None:
        """Send the rounds, then finish; a reset is the reader's to report."""
        side, end, socket = self._side, self._end, self._socket
        try:
            for part in side.rounds:
                await self._progress.wait_for(
                    lambda part=part: len(end.received) >= part.wait_for  # type: ignore[misc]
                )
                await trio.sleep(part.pause_s)
                if not await self._send(part.size):
                    return
        except Reset:
            return
        await self._progress.wait_for(lambda: len(end.received) >= side.finish_after)
        await trio.sleep_until(end.opened_at + side.finish_at)
        if end.end == FIN:
            return
        if side.finish == "fin":
            end.fin_at = trio.current_time()
            socket.finish()
        elif side.finish == "close":
            end.fin_at = trio.current_time()
            end.note_end(LEFT, trio.current_time())
            scope.cancel()

    async def _send(self, size: int) -> bool:
        """Send the next bytes; False when the far side has ended it all meanwhile."""
        end = self._end
        until = end.sent + size
        while end.sent < until:
            if end.end == FIN:
                return False
            end.offered = until
            count = await self._socket.send_some(self._data[end.sent : until])
            end.note_sent(count, trio.current_time())
        return True

    async def _abort(self, scope: trio.CancelScope) -> None:
        await trio.sleep_until(self._end.opened_at + self._side.finish_at)
        if self._end.end == FIN:
            return
        self._end.aborted_at = trio.current_time()
        self._end.note_end(LEFT, trio.current_time())
        self._socket.abort()
        scope.cancel()


async def run_far(far_stream: FarStream, plan: Plan, connection: Connection) -> None:
    """Be the far host for one connection of the module."""
    end = End(trio.current_time())
    connection.fars.append(end)
    _count_reached(far_stream, end)
    _note_landings(far_stream, end)
    far = _Far(far_stream, plan.number, plan.far, end)
    try:
        await far.run()
    except trio.BrokenResourceError:
        end.note_end(RST, trio.current_time())


def _count_reached(far_stream: FarStream, end: End) -> None:
    """Count what the module's stack hands to the network, wanted or not."""
    take = far_stream.from_module

    def counted(data: bytes) -> None:
        end.reached += len(data)
        take(data)

    far_stream.from_module = counted  # type: ignore[method-assign]


def _note_landings(far_stream: FarStream, end: End) -> None:
    """Note when bytes are in the module's buffer, where a read can find them."""
    link = far_stream._sink
    assert isinstance(link, TcpLink)
    report, landed = link.received, 0

    def received(*, was_empty: bool) -> None:
        nonlocal landed
        end.landings.append((trio.current_time(), link.received_total - landed))
        landed = link.received_total
        report(was_empty=was_empty)

    link.received = received  # type: ignore[method-assign]


class _Far:
    def __init__(self, far_stream: FarStream, number: int, side: Side, end: End) -> None:
        self._stream = far_stream
        self._side = side
        self._end = end
        self._progress = _Progress(end)
        self._data = stream(number, Direction.DOWN, sum(r.size for r in side.rounds))

    async def run(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._act, nursery.cancel_scope)
                if self._side.finish == "abort":
                    nursery.start_soon(self._abort, nursery.cancel_scope)
                await self._read()
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            self._end.note_end(RST, trio.current_time())

    async def _read(self) -> None:
        side, end = self._side, self._end
        while side.stops_at is None or len(end.received) < side.stops_at:
            data = await self._stream.receive_some(side.read_size)
            if not data:
                end.note_end(FIN, trio.current_time())
                return
            end.note_received(data, trio.current_time())
            self._progress.notify()
            if side.read_pause_s:
                await trio.sleep(side.read_pause_s)
        await trio.sleep_forever()

    async def _act(self, scope: trio.CancelScope) -> None:
        side, end = self._side, self._end
        for part in side.rounds:
            await self._progress.wait_for(
                lambda part=part: len(end.received) >= part.wait_for  # type: ignore[misc]
            )
            await trio.sleep(part.pause_s)
            await self._send(part.size)
        await self._progress.wait_for(lambda: len(end.received) >= side.finish_after)
        await trio.sleep_until(end.opened_at + side.finish_at)
        if side.finish == "fin":
            end.fin_at = trio.current_time()
            await self._stream.send_eof()
        elif side.finish == "close":
            end.fin_at = trio.current_time()
            end.note_end(LEFT, end.fin_at)
            scope.cancel()

    async def _send(self, size: int) -> None:
        end = self._end
        until = end.sent + size
        while end.sent < until:
            piece = self._data[end.sent : min(until, end.sent + _FAR_PIECE)]
            end.offered = end.sent + len(piece)
            await self._stream.send_all(piece)
            end.note_sent(len(piece), trio.current_time())

    async def _abort(self, scope: trio.CancelScope) -> None:
        await trio.sleep_until(self._end.opened_at + self._side.finish_at)
        self._end.aborted_at = trio.current_time()
        self._end.note_end(LEFT, self._end.aborted_at)
        self._stream.reset()
        scope.cancel()

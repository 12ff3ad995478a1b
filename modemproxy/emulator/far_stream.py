"""The far end of one TCP link in memory, as the far host's program sees it.

Each direction is one buffer with a window:

* module -> far: ``_inbox``, at most ``window`` bytes (acknowledged to the module when they
  get in there), and behind it ``_outbox``, which the module's send buffer accounts for;
* far -> module: nothing is kept here; ``send_all`` waits for room in the module.
"""

import trio

from modemproxy.emulator.internet import Sink


class FarStream(trio.abc.HalfCloseableStream):
    """A connection to the module, seen from the far host.

    Args:
        window_bytes: what is taken from the module before somebody reads here.

    Attributes:
        remote: the same connection as the module's stack holds it.
        was_reset: the module aborted it.
    """

    def __init__(self, window_bytes: int) -> None:
        self._window = window_bytes
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._finishing = False  # the module has closed; what it sent before still comes
        self._ended = False  # we have sent our FIN or RST
        self._closed = False
        self._arrival = trio.Event()
        self._space = trio.Event()
        self._sink: Sink | None = None
        self.was_reset = False
        self.remote = MemoryRemote(self)

    def attach(self, sink: Sink) -> None:
        """Learn whom to tell about what happens here."""
        self._sink = sink

    # -- for the far host --

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive bytes of the module; b"" after its orderly close.

        Raises:
            trio.BrokenResourceError: the module reset the connection.
            trio.ClosedResourceError: closed here.
        """
        await trio.lowlevel.checkpoint()
        while not self._inbox:
            self._check_open()
            if self._finishing and not self._outbox:
                return b""
            await self._arrival.wait()
        data = bytes(self._inbox[:max_bytes])
        del self._inbox[: len(data)]
        self._move()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes to the module, as far as its window allows.

        Raises:
            trio.BrokenResourceError: the module has closed or reset the connection.
            trio.ClosedResourceError: closed here, or after ``send_eof``.
        """
        await trio.lowlevel.checkpoint()
        rest = memoryview(bytes(data))
        while True:
            self._check_sendable()
            if not rest:
                return
            assert self._sink is not None
            room = self._sink.room()
            if room:
                self._sink.arrived(bytes(rest[:room]))
                rest = rest[room:]
            else:
                await self._space.wait()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the module has room."""
        await trio.lowlevel.checkpoint()
        self._check_sendable()
        while self._sink is not None and not self._sink.room():
            await self._space.wait()
            self._check_sendable()

    async def send_eof(self) -> None:
        """Send a FIN."""
        await trio.lowlevel.checkpoint()
        self._end(reset=False)

    async def aclose(self) -> None:
        """Close: a FIN if none was sent; bytes that still come are answered with RST."""
        self._end(reset=False)
        self._close()
        await trio.lowlevel.checkpoint()

    def reset(self) -> None:
        """Close with a RST."""
        self._end(reset=True)
        self._close()

    def _close(self) -> None:
        self._closed = True
        self._inbox.clear()
        self._outbox.clear()
        self.wake()

    def _end(self, *, reset: bool) -> None:
        if self._ended or self.was_reset:
            return
        self._ended = True
        if self._sink is not None:
            self._sink.ended(reset=reset)

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError
        if self.was_reset:
            raise trio.BrokenResourceError("reset by the module")

    def _check_sendable(self) -> None:
        self._check_open()
        if self._ended:
            raise trio.ClosedResourceError("a FIN was sent")
        if self._finishing:
            raise trio.BrokenResourceError("closed by the module")

    # -- for MemoryRemote --

    def wake(self) -> None:
        """Let everyone who waits look again."""
        self._arrival.set()
        self._space.set()
        self._arrival, self._space = trio.Event(), trio.Event()

    def from_module(self, data: bytes) -> None:
        """Take bytes that the module's stack sends; behind a RST nothing counts."""
        if self.was_reset:
            return
        if self._closed:
            self._ended = False
            self._end(reset=True)
            return
        self._outbox += data
        self._move()

    def module_finished(self) -> None:
        """Hear the module's FIN."""
        self._finishing = True
        self.wake()

    def module_aborted(self) -> None:
        """Hear the module's RST."""
        self.was_reset = True
        self._inbox.clear()
        self._outbox.clear()
        self.wake()

    def _move(self) -> None:
        """Take what fits the window; taken is acknowledged."""
        count = min(self._window - len(self._inbox), len(self._outbox))
        if count <= 0:
            return
        self._inbox += self._outbox[:count]
        del self._outbox[:count]
        self.wake()
        if self._sink is not None:
            self._sink.acked(count)


class MemoryRemote:
    """``internet.Remote`` on a FarStream."""

    def __init__(self, stream: FarStream) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Send to the far host."""
        self._stream.from_module(data)

    def resume(self) -> None:
        """Let the far host go on sending."""
        self._stream.wake()

    def finish(self) -> None:
        """Send a FIN behind everything written."""
        self._stream.module_finished()

    def abort(self) -> None:
        """Send a RST."""
        self._stream.module_aborted()

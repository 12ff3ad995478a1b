"""A cable in memory that can be pulled, and whose buffers can be full (for tests).

What ``pty.PtyPort`` is for a tty of this machine: the module is served on it, a DTE opens it,
it vanishes and comes back. Runs on virtual time.
"""

import errno
from collections.abc import Callable
from typing import Final

import trio

from modemproxy.emulator.module import EmulatedModule

#: What a kernel and a UART driver take before a write blocks.
BUFFER_BYTES: Final = 4096


class _Way:
    """One direction: a buffer with a bound, between two tasks.

    Attributes:
        gone: the cable was pulled.
        heard: somebody has the receiving end open; else what is put in is lost.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._data = bytearray()
        self._changed = trio.Event()
        self.gone = False
        self.heard = True

    def change(self) -> None:
        """Let both ends look again."""
        self._changed.set()
        self._changed = trio.Event()

    def clear(self) -> None:
        """Lose what is under way."""
        self._data.clear()
        self.change()

    def end(self) -> None:
        """Be gone, with what is under way."""
        self.gone = True
        self.clear()

    async def put(
        self, data: bytes | bytearray | memoryview, check: Callable[[], None]
    ) -> None:
        """Put bytes in as there is room; ``check`` raises when that makes no sense."""
        rest = memoryview(bytes(data))
        check()
        while rest and self.heard:
            room = self._capacity - len(self._data)
            if room <= 0:
                await self._changed.wait()
                check()
                continue
            self._data += rest[:room]
            rest = rest[room:]
            self.change()

    async def wait_room(self, check: Callable[[], None]) -> None:
        """Wait until ``put`` would not block."""
        check()
        while len(self._data) >= self._capacity:
            await self._changed.wait()
            check()

    async def take(self, size: int | None, check: Callable[[], None]) -> bytes:
        """Take bytes out, waiting for some; b"" when the cable was pulled."""
        check()
        while not self._data and not self.gone:
            await self._changed.wait()
            check()
        data = bytes(self._data[:size])
        del self._data[: len(data)]
        self.change()
        return data


class CableEnd(trio.abc.Stream):
    """One end of a cable that is plugged in.

    Pulling the cable is EIO for writers, and the end of the stream for readers.

    Attributes:
        closed: by its user.
    """

    def __init__(self, receive: _Way, send: _Way) -> None:
        self._receive = receive
        self._send = send
        self.closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; blocks while the buffer is full.

        Raises:
            trio.BrokenResourceError: the cable was pulled.
            trio.ClosedResourceError: closed here.
        """
        await trio.lowlevel.checkpoint()
        await self._send.put(data, self._check)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for room in the buffer."""
        await trio.lowlevel.checkpoint()
        await self._send.wait_room(self._check)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive bytes; b"" when the cable was pulled."""
        await trio.lowlevel.checkpoint()
        return await self._receive.take(max_bytes, self._check_closed)

    async def aclose(self) -> None:
        """Close this end; the module does not notice, as on a tty."""
        self.closed = True
        self._receive.heard = False
        self._receive.clear()
        self._send.change()
        await trio.lowlevel.checkpoint()

    def _check_closed(self) -> None:
        if self.closed:
            raise trio.ClosedResourceError

    def _check(self) -> None:
        self._check_closed()
        if self._send.gone:
            raise trio.BrokenResourceError("the cable was pulled")


class MemoryCable:
    """A module's port in memory, plugged in from the start.

    Args:
        module: the module; not owned.
        nursery: where it is served.
        pace: run the line at the module's speed.
        capacity: bytes of each direction's buffer; a write blocks when it is full.

    Attributes:
        name: changes with every ``plug_in_elsewhere``, as a device number does.
        speed: what the DTE has set its end to; None is always the module's.
    """

    def __init__(
        self,
        module: EmulatedModule,
        nursery: trio.Nursery,
        *,
        pace: bool = False,
        capacity: int = BUFFER_BYTES,
    ) -> None:
        self._module = module
        self._nursery = nursery
        self._pace = pace
        self._capacity = capacity
        self._ways: tuple[_Way, _Way] | None = None
        self._user: CableEnd | None = None
        self._scope = trio.CancelScope()
        self._number = 0
        self.speed: int | None = None
        module.dte_baudrate = lambda: self.speed
        self.plug_in()

    @property
    def name(self) -> str:
        """What the device is called now."""
        return f"/dev/ttyUSB{self._number}"

    def flush(self) -> None:
        """Lose what the module has not taken from the DTE, as tcflush does."""
        if self._ways is not None:
            self._ways[0].clear()

    def open(self) -> CableEnd:
        """Open the port as the DTE; what came before is gone.

        Raises:
            FileNotFoundError: it is unplugged.
            OSError: somebody else has it open (EBUSY).
        """
        if self._ways is None:
            raise FileNotFoundError(errno.ENOENT, "unplugged", self.name)
        if self._user is not None and not self._user.closed:
            raise OSError(errno.EBUSY, "in use", self.name)
        to_module, from_module = self._ways
        from_module.clear()
        from_module.heard = True
        self._user = CableEnd(from_module, to_module)
        return self._user

    def plug_in(self) -> None:
        """Make the device come back; harmless when it is there."""
        if self._ways is not None:
            return
        to_module, from_module = _Way(self._capacity), _Way(self._capacity)
        from_module.heard = False
        self._ways = to_module, from_module
        self._scope = trio.CancelScope()
        end = CableEnd(to_module, from_module)
        self._nursery.start_soon(self._serve, end, self._scope)

    def plug_in_elsewhere(self) -> None:
        """Make the device come back with another number."""
        if self._ways is None:
            self._number += 1
            self.plug_in()

    def unplug(self) -> None:
        """Make the device vanish; harmless when it has."""
        ways, self._ways = self._ways, None
        if ways is None:
            return
        self._user = None
        self._scope.cancel()
        for way in ways:
            way.end()

    async def _serve(self, end: CableEnd, scope: trio.CancelScope) -> None:
        with scope:
            await self._module.serve(end, pace=self._pace)

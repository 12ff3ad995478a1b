"""The serial line of a world, with the ways in which it can go wrong.

Two ends: a ``Port`` for the product and a trio stream for the emulated module. In between
bytes can be lost, held up, cut into pieces, refused (flow control on, but not wired), or the
whole line can be pulled out. Bytes are never changed here: AT has no checksum, a payload
byte that was changed could not be known by anybody.
"""

from collections.abc import Callable

import trio

from modemproxy.line.port import Port

#: Changes a chunk on its way: loses bytes, or returns it as it is.
Filter = Callable[[bytes], bytes]


def _as_it_is(data: bytes) -> bytes:
    return data


class _Way:
    """One direction: a buffer with a reader."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._arrived = trio.Event()
        self.closed = False
        self.held_until = 0.0
        self.slice: int | None = None
        self.filter: Filter = _as_it_is

    def put(self, data: bytes | bytearray | memoryview) -> None:
        self._buffer += self.filter(bytes(data))
        self._arrived.set()

    def close(self) -> None:
        self.closed = True
        self._arrived.set()

    async def take(self, max_bytes: int | None) -> bytes:
        """Take bytes; ``b""`` after the line was pulled out."""
        await trio.lowlevel.checkpoint()
        while not self.closed:
            now = trio.current_time()
            if now < self.held_until:
                with trio.move_on_at(self.held_until):
                    await self._closing()
            elif self._buffer:
                size = min(self.slice or len(self._buffer), max_bytes or len(self._buffer))
                data = bytes(self._buffer[:size])
                del self._buffer[:size]
                return data
            else:
                self._arrived = trio.Event()
                await self._arrived.wait()
        return b""

    async def _closing(self) -> None:
        while not self.closed:
            self._arrived = trio.Event()
            await self._arrived.wait()


class Wire:
    """A line between one product and one module, until it is pulled out.

    Attributes:
        to_module, to_host: the two directions, for faults.
        refusing_until: until when the host's writes wait (CTS low).
    """

    def __init__(self) -> None:
        self.to_module = _Way()
        self.to_host = _Way()
        self.refusing_until = 0.0
        self.port = WirePort(self)
        self.module_end = ModuleEnd(self)

    def pull_out(self) -> None:
        """Unplug: both ends hear of it."""
        self.to_module.close()
        self.to_host.close()


class WirePort(Port):
    """The product's end.

    Attributes:
        baudrate: the speed it was set to, None while nobody has set one.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.baudrate: int | None = None

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        await trio.lowlevel.checkpoint()
        self.baudrate = baudrate

    def send_nowait(self, data: bytes | memoryview) -> int:
        self._check()
        if trio.current_time() < self._wire.refusing_until:
            return 0
        self._wire.to_module.put(data)
        return len(data)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        while trio.current_time() < self._wire.refusing_until:
            self._check()
            await trio.sleep(0.05)
        self._check()
        self._wire.to_module.put(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.sleep_until(self._wire.refusing_until)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self._wire.to_host.take(max_bytes)

    async def aclose(self) -> None:
        self._wire.pull_out()
        await trio.lowlevel.checkpoint()

    def _check(self) -> None:
        if self._wire.to_module.closed:
            raise trio.BrokenResourceError("the device is gone")


class ModuleEnd(trio.abc.Stream):
    """The module's end."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self._wire.to_host.put(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self._wire.to_module.take(max_bytes)

    async def aclose(self) -> None:
        self._wire.pull_out()
        await trio.lowlevel.checkpoint()

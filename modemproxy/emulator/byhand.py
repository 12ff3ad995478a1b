"""A DTE played by hand, for tests: say bytes, see exactly what comes back.

``async with`` nothing, tasks none: a ByHand is the stream that a module serves. Use it under
trio's autojump clock, where "until nothing more happens" is a precise moment.
"""

from dataclasses import dataclass
from typing import Any

import trio
import trio.testing

from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile


class ByHand(trio.abc.Stream):
    """The line, with a hand at its other end."""

    def __init__(self) -> None:
        self._to_module = bytearray()
        self._said = bytearray()
        self._fed = trio.Event()
        self._ended = False

    # -- the hand --

    async def ask(self, data: bytes) -> bytes:
        """Say bytes and return everything that is answered without time passing."""
        self._to_module += data
        self._fed.set()
        return await self.heard()

    async def heard(self, after_s: float = 0) -> bytes:
        """Return what was said since the last look, ``after_s`` seconds from now."""
        if after_s:
            await trio.sleep(after_s)
        await trio.testing.wait_all_tasks_blocked()
        said = bytes(self._said)
        self._said.clear()
        return said

    async def pieces(self, data: bytes, size: int = 1) -> bytes:
        """Say bytes in pieces of ``size``, each taken before the next."""
        said = b""
        for start in range(0, len(data), size):
            said += await self.ask(data[start : start + size])
        return said

    async def ready(self) -> None:
        """Go as a driver does: echo off, buffer mode, network open; takes two seconds."""
        for line in (b"ATE0;+CIPRXGET=1\r", b"AT+NETOPEN\r"):
            await self.ask(line)
            await self.heard(1)

    def unplug(self) -> None:
        """End the stream."""
        self._ended = True
        self._fed.set()

    # -- the line --

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Give the module what the hand said."""
        await trio.lowlevel.checkpoint()
        while not self._to_module:
            if self._ended:
                return b""
            self._fed = trio.Event()
            await self._fed.wait()
        data = bytes(self._to_module[:max_bytes])
        del self._to_module[: len(data)]
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Note what the module says."""
        await trio.lowlevel.checkpoint()
        self._said += data

    async def wait_send_all_might_not_block(self) -> None:
        """Never block."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """End the stream."""
        self.unplug()
        await trio.lowlevel.checkpoint()


@dataclass(frozen=True, slots=True)
class Bench:
    """A module on a bench: its line in hand, the far side in memory."""

    dte: ByHand
    module: EmulatedModule
    internet: MemoryInternet


def bench(nursery: trio.Nursery, *, pace: bool = False, **options: Any) -> Bench:  # noqa: ANN401
    """Put a module on a bench; ``options`` are Profile fields.

    Args:
        nursery: where the module and its far hosts run.
        pace: run the line at the module's speed.
        options: what differs from the default profile.
    """
    internet = MemoryInternet(nursery)
    module = EmulatedModule(Profile(**options), internet=internet)
    dte = ByHand()

    async def serve() -> None:
        await module.serve(dte, pace=pace)

    nursery.start_soon(serve)
    return Bench(dte, module, internet)

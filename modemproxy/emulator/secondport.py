"""The second AT port of an emulated module (protocol.md 15 and 18, line 60).

It sees the same links, network and settings as the first. Answers go to the port that asked,
unsolicited lines where AT+CATR says (by default to both). It is an interface of a USB device:
it has no speed to keep or to get wrong, and it goes and comes with the device.
"""

from collections.abc import Callable
from typing import Protocol

import trio

from modemproxy.emulator.dce import Dce
from modemproxy.emulator.pacing import Sleeper
from modemproxy.emulator.presence import Presence


class Owner(Protocol):
    """What this needs of ``module.EmulatedModule``."""

    dce: Dce
    presence: Presence
    after_step: Callable[[], None]

    @property
    def baudrate(self) -> int:
        """The module's own speed now."""

    async def keep_time(self, sleep_until: Sleeper) -> None:
        """Run the module's timers until cancelled."""


class SecondPort:
    """Another DTE's way into a module; ``EmulatedModule.second``.

    Args:
        module: whose it is.

    Attributes:
        port: the core's half, for tests that look inside.
        dte_baudrate: as that of the module, without effect here.
        trace: called with ``">"`` or ``"<"`` and the bytes, as they pass.
    """

    def __init__(self, module: Owner) -> None:
        self._module = module
        self._output = trio.Event()
        self._one_client = trio.Lock()
        self.port = module.dce.add_port(self._woken)
        self.dte_baudrate: Callable[[], int | None] = lambda: None
        self.trace: Callable[[str, bytes], None] = lambda _direction, _data: None

    @property
    def baudrate(self) -> int:
        """What a tty of this port is set to at first; any speed will do."""
        return self._module.baudrate

    def set_dtr(self, on: bool) -> None:
        """Change DTR; what a falling one does, AT&D says (transparent mode only)."""
        self.port.set_dtr(on)

    async def serve(
        self,
        stream: trio.abc.Stream,
        *,
        pace: bool = False,
        sleeper: Callable[[], Sleeper] = lambda: trio.sleep_until,
    ) -> None:
        """Plug a DTE in until its stream ends or breaks, or the device vanishes.

        Args:
            stream: the line; it is not closed.
            pace: ignored: USB passes bytes as they come.
            sleeper: for the module's timers.

        Cancellation: unplugs at any byte. A second client waits for the first to leave.
        """
        out = self.port.out
        async with self._one_client:
            out.clear()
            out.plugged = True
            try:
                with self._module.presence.while_here():
                    await self._serve(stream, sleeper)
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the client left: an end like any other
            finally:
                out.plugged = False

    async def _serve(self, stream: trio.abc.Stream, sleeper: Callable[[], Sleeper]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._module.keep_time, sleeper())
            nursery.start_soon(self._send, stream)
            await self._receive(stream)
            nursery.cancel_scope.cancel()

    async def _receive(self, stream: trio.abc.Stream) -> None:
        while data := await stream.receive_some():
            self.trace(">", bytes(data))
            self.port.receive(bytes(data))
            self._module.after_step()

    async def _send(self, stream: trio.abc.Stream) -> None:
        while True:
            if not len(self.port.out):
                self._output = trio.Event()
                await self._output.wait()
            data = self.port.take_output()
            if data:
                self.trace("<", data)
                await stream.send_all(data)

    def _woken(self) -> None:
        self._output.set()

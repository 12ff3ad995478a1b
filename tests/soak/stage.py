"""What a world is made of: the product's lifecycle, a line, a module, and its internet."""

import contextlib
import ctypes
import gc
import os
import random
import resource
from pathlib import Path
from typing import Final

import trio

from modemproxy.config import Config, ModemConfig, Timeouts
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.errors import LineClosed
from modemproxy.module.lifecycle import Lifecycle
from tests.soak.dialects import draw_profile
from tests.soak.history import Levels
from tests.soak.line import Wire, WirePort
from tests.soak.state import MemoryState

_STOP_LIMIT_S: Final = 20.0


def _trim() -> None:
    """Have the C library give back what is free (glibc's does not do it by itself)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


class Stage:
    """Everything but the connections. It is the cable of the emulator's faults, too.

    Args:
        nursery: where far hosts and the module run.
        rng: decides about the module and the time-outs.
        seed: of the module's own dice, and the ladder's.
        calm: a module that leads to no reset without a fault.

    Attributes:
        module, internet: emulated.
        wire: the line in use; None before the first.
        lifecycle: the product.
        timeouts: its configuration.
        problem: how the supervisor ended before it was told to, or "".
        left: the supervisor has returned.
    """

    def __init__(
        self, nursery: trio.Nursery, rng: random.Random, seed: int, *, calm: bool
    ) -> None:
        self._nursery = nursery
        profile = draw_profile(rng, benign=calm)
        window = rng.choice((4096, 16384, 65536))
        self.internet = MemoryInternet(nursery, window_bytes=window)
        self.module = EmulatedModule(profile, internet=self.internet, seed=seed)
        self.module.dte_baudrate = self._speed
        self.wire: Wire | None = None
        self._unplugged = False
        self.timeouts = Timeouts(
            connect_s=rng.choice((10.0, 30.0)),
            queue_s=5.0,
            stall_s=rng.choice((20.0, 60.0)),
            shutdown_s=4,
        )
        config = Config(
            modem=ModemConfig(port="/dev/emulated"),
            timeouts=self.timeouts,
            forwards=(),
            path=Path("soak.yaml"),
        )
        self.lifecycle = Lifecycle(config, state=MemoryState(), open_port=self._open_port)
        self.lifecycle._recovery.ladder.rng = random.Random(f"ladder {seed}")
        self.problem = ""
        self.left = False
        self._stopping = False

    # -- the line --

    async def _open_port(self) -> WirePort:
        await trio.lowlevel.checkpoint()
        if self._unplugged:
            raise LineClosed("/dev/emulated: no such device")
        self.wire = Wire()
        self._nursery.start_soon(self.module.serve, self.wire.module_end)
        return self.wire.port

    def _speed(self) -> int | None:
        return None if self.wire is None else self.wire.port.baudrate

    def unplug(self) -> None:
        """Pull the line out."""
        self._unplugged = True
        if self.wire is not None:
            self.wire.pull_out()

    def plug_in(self) -> None:
        """Put it back."""
        self._unplugged = False

    # -- the product --

    async def supervise(self) -> None:
        """Run the supervisor; note an end that nobody asked for."""
        try:
            await self.lifecycle.supervise()
        except Exception as error:
            self.problem = f"raised {error!r}"
            raise
        if not self._stopping:
            self.problem = "returned"
        self.left = True

    async def stop(self) -> float | None:
        """Tell the supervisor to end; say how long it took, None if it does not."""
        self._stopping = True
        self.lifecycle.stop()
        started = trio.current_time()
        with trio.move_on_after(_STOP_LIMIT_S):
            while not self.left:  # noqa: ASYNC110
                await trio.sleep(0.1)
            return trio.current_time() - started
        return None

    # -- what is to be seen --

    @property
    def settled(self) -> bool:
        """In service, and no socket is open, opening or closing."""
        session = self.lifecycle.gate.session
        closed = not self.module.dce.stack.any_open()
        return session is not None and session.pool.settled and closed

    @property
    def full(self) -> bool:
        """In service, and all numbers are in use."""
        session = self.lifecycle.gate.session
        return session is not None and not session.pool.numbers.free

    def levels(self) -> Levels:
        """Count what must not grow; memory without what only the allocator has."""
        gc.collect()
        _trim()
        with open("/proc/self/statm") as statm:
            memory = int(statm.read().split()[1]) * resource.getpagesize()
        return Levels(
            tasks=trio.lowlevel.current_statistics().tasks_living,
            links=len(self.module.dce.stack.any_open()),
            descriptors=len(os.listdir("/proc/self/fd")),
            memory_bytes=memory,
        )

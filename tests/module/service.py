"""A lifecycle on an emulated module, with a line that can be plugged in again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
import trio.testing

from modemproxy.config import Config, ModemConfig, Timeouts
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.errors import LineClosed
from modemproxy.line.port import StreamPort
from modemproxy.module.lifecycle import Lifecycle
from modemproxy.module.session import Session
from modemproxy.module.state import StateStore

from .rig import FAR, echo


class Service:
    """A module, and the line to it as often as somebody opens it."""

    def __init__(self, nursery: trio.Nursery, state: StateStore, **options: Any) -> None:
        options.setdefault("command_latency_s", 0.005)
        self._nursery = nursery
        self.state = state
        self.internet = MemoryInternet(nursery)
        self.internet.listen_tcp(FAR, 7, echo)
        self.module = EmulatedModule(Profile(**options), internet=self.internet)
        self.opened = 0
        self.missing = False
        self.far_end: trio.StapledStream[Any, Any]
        self.lifecycle: Lifecycle

    async def open_port(self) -> StreamPort:
        """Plug in."""
        await trio.lowlevel.checkpoint()
        self.opened += 1
        if self.missing:
            raise LineClosed("no such device")
        ours, self.far_end = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self.module.serve, self.far_end)
        return StreamPort(ours)

    def config(self, **modem: Any) -> Config:
        """A configuration without forwards."""
        return Config(
            modem=ModemConfig(port="/dev/emulated", **modem),
            timeouts=Timeouts(shutdown_s=4),
            forwards=(),
            path=Path("test.yaml"),
        )

    async def session(self, limit_s: float) -> Session:
        """Wait for a session."""
        with trio.fail_after(limit_s):
            return await self.lifecycle.gate.wait_session()

    def mute(self, *, on: bool = True) -> None:
        """Have the module say nothing."""
        self.module.dce.out.tap = (lambda piece, data: b"") if on else None


@asynccontextmanager
async def serving(
    directory: Path, modem: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Service]:
    """Run a lifecycle; stop it in the end, which must come to an end."""
    async with trio.open_nursery() as nursery:
        service = Service(nursery, StateStore(directory, "/dev/emulated"), **options)
        service.lifecycle = Lifecycle(
            service.config(**(modem or {})), state=service.state, open_port=service.open_port
        )
        async with trio.open_nursery() as supervisor:
            supervisor.start_soon(service.lifecycle.supervise)
            yield service
            service.lifecycle.stop()
        nursery.cancel_scope.cancel()

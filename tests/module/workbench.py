"""A module that outlives its hosts, for bring-up after bring-up."""

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from modemproxy.config import ModemConfig
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.errors import BringUpFailed, first_error
from modemproxy.line.channel import open_channel
from modemproxy.line.port import StreamPort
from modemproxy.module.bringup import Readiness, bring_up
from modemproxy.module.habits import Habits
from modemproxy.module.state import StateStore


class SpeedPort(StreamPort):
    """A line with a speed."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__(stream)
        self.baudrate = 0
        self.rtscts = False

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Note it."""
        await trio.lowlevel.checkpoint()
        self.baudrate = baudrate
        self.rtscts = rtscts


class Workbench:
    """A module that outlives its hosts, and a state directory.

    Attributes:
        habits: what hosts know of it from before; None: each one is new.
    """

    def __init__(self, nursery: trio.Nursery, directory: Path, **options: Any) -> None:
        options.setdefault("command_latency_s", 0.005)
        self._nursery = nursery
        self._directory = directory
        self.internet = MemoryInternet(nursery)
        self.module = EmulatedModule(Profile(**options), internet=self.internet)
        self.said = bytearray()
        self.habits: Habits | None = None
        self.port: SpeedPort
        self.module.trace = self._trace

    def _trace(self, way: str, data: bytes) -> None:
        if way == ">":
            self.said += data

    @property
    def state(self) -> StateStore:
        """The marks, read anew."""
        return StateStore(self._directory, "/dev/emulated")

    async def run(self, **modem: Any) -> Readiness:
        """Be a host that starts; raise what it raises."""
        self.said.clear()
        ours, theirs = trio.testing.memory_stream_pair()
        self.port = SpeedPort(ours)
        self.module.dte_baudrate = lambda: self.port.baudrate
        self._nursery.start_soon(self.module.serve, theirs)
        config = ModemConfig(port="/dev/emulated", **modem)
        try:
            async with open_channel(self.port) as channel:
                return await bring_up(
                    channel, config, connect_s=30, state=self.state, habits=self.habits
                )
        except BaseExceptionGroup as group:
            raise first_error(group) from None

    async def fails(self, step: str, match: str, **modem: Any) -> None:
        """Start; it must fail in a step that it names."""
        with pytest.raises(BringUpFailed, match=match) as caught:
            await self.run(**modem)
        assert caught.value.step == step


def is_up(bench: Workbench) -> bool:
    """The stack is open, in buffer mode, without echo, links or servers."""
    dce = bench.module.dce
    return (
        dce.stack.net
        and dce.settings.rxget == 1
        and not dce.settings.echo
        and not dce.stack.any_open()
        and not dce.stack.servers
    )

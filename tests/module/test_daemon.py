"""A daemon left alone for a day: all of it in its journal, and nothing of it left behind.

The network drops every ten minutes, told and untold; the module restarts twice without a
word; the cable is out for five minutes. A client looks in every ten minutes.
"""

import gc
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from modemproxy.config import Config, ModemConfig, Timeouts
from modemproxy.emulator.faults import Fault, FaultBox
from modemproxy.emulator.faults_cable import MemoryCable
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.errors import LineClosed
from modemproxy.journal import Entry, Event, Journal, ModuleDown, ModuleUp, RungTaken
from modemproxy.line.port import StreamPort
from modemproxy.module.lifecycle import Lifecycle
from modemproxy.module.state import StateStore

from .rig import FAR, HOSTILE, echo, exchange

HOUR: Final = 3600.0
DROP_EVERY_S: Final = 600.0
DROPS: Final = 143  # the 144th would fall on the last moment of the day
REBOOTS_AT: Final = (7 * HOUR + 150, 16 * HOUR + 200)
UNPLUGGED_AT: Final = 12 * HOUR + 100
UNPLUGGED_S: Final = 300.0
#: More than a day needs are not kept in this test: the oldest have to give way.
KEPT: Final = 100


class CablePort(StreamPort):
    """The DTE's end of a cable in memory."""

    def __init__(self, cable: MemoryCable) -> None:
        super().__init__(cable.open())
        self._cable = cable

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Set this end's speed."""
        await trio.lowlevel.checkpoint()
        self._cable.speed = baudrate


class Day:
    """A lifecycle on a cable, its faults, and everything it ever said of itself."""

    def __init__(self, nursery: trio.Nursery, directory: Path) -> None:
        internet = MemoryInternet(nursery)
        internet.listen_tcp(FAR, 7, echo)
        self.module = EmulatedModule(Profile(command_latency_s=0.005), internet=internet)
        self.cable = MemoryCable(self.module, nursery)
        self.faults = FaultBox(self.module, self.cable)
        nursery.start_soon(self.faults.run)
        self.journal = Journal(trio.current_time, kept=KEPT)
        self.said: list[Entry] = []
        self.journal.listen(self.said.append)
        self.lifecycle = Lifecycle(
            Config(
                modem=ModemConfig(port="/dev/emulated"),
                timeouts=Timeouts(shutdown_s=4),
                forwards=(),
                path=Path("test.yaml"),
            ),
            state=StateStore(directory, "/dev/emulated"),
            open_port=self._open_port,
            journal=self.journal,
        )

    async def _open_port(self) -> CablePort:
        await trio.lowlevel.checkpoint()
        try:
            return CablePort(self.cable)
        except OSError as error:
            raise LineClosed(str(error)) from error

    def events(self, after: float = 0.0) -> list[Event]:
        """What happened since a moment."""
        return [entry.event for entry in self.said if entry.at >= after]

    def plan(self) -> None:
        """Have the day's faults happen; the drops are told and untold in turn."""
        twice = 2 * DROP_EVERY_S
        self.faults.add(Fault("lose_network", at_s=DROP_EVERY_S, every_s=twice))
        self.faults.add(Fault("lose_network", at_s=twice, every_s=twice, urc=False))
        for at_s in REBOOTS_AT:
            self.faults.add(Fault("reboot", at_s=at_s, banner="none"))
        self.faults.add(
            Fault("vanish", at_s=UNPLUGGED_AT, for_s=UNPLUGGED_S, elsewhere=True)
        )

    async def look_in(self, limit_s: float = 30.0) -> None:
        """Be a client: bytes go there and back, whatever they look like."""
        with trio.fail_after(limit_s):
            session = await self.lifecycle.gate.wait_session()
            async with session.open_link(FAR, 7, traffic_class="normal", queue_s=5) as link:
                assert await exchange(link, HOSTILE) == HOSTILE


@asynccontextmanager
async def a_day(directory: Path) -> AsyncIterator[Day]:
    """Run a daemon; stop it in the end, which must come to an end."""
    async with trio.open_nursery() as nursery:
        day = Day(nursery, directory)
        async with trio.open_nursery() as supervisor:
            supervisor.start_soon(day.lifecycle.supervise)
            yield day
            day.lifecycle.stop()
        nursery.cancel_scope.cancel()


#: Into each ten minutes: after the drop is over, and noticed where nobody told of it.
LOOKS_AFTER_S: Final = 450.0
#: A drop that nobody told of is noticed within a minute and some seconds.
NOTICED_S: Final = 90.0


def things_in_memory() -> int:
    """Objects that the collector knows, garbage excluded."""
    gc.collect()
    return len(gc.get_objects())


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


def reasons(events: list[Event]) -> Counter[str]:
    """Why service ended, by the first words."""
    downs = [event.reason for event in events if isinstance(event, ModuleDown)]
    return Counter(" ".join(reason.split()[:5]) for reason in downs)


@pytest.mark.timeout(60)
async def test_a_day_alone(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "modemproxy")  # a day of records is not the daemon's
    async with a_day(tmp_path) as day:
        await day.look_in()
        started = trio.current_time()
        day.plan()
        levels = []
        for visit in range(int(24 * HOUR / DROP_EVERY_S)):
            await trio.sleep_until(started + visit * DROP_EVERY_S + LOOKS_AFTER_S)
            await day.look_in()
            if visit in (3, 140):  # both a while after a drop
                await trio.sleep(60)
                levels.append((things_in_memory(), tasks()))
        await trio.sleep_until(started + 24 * HOUR + NOTICED_S)
        await day.look_in()
        print(day.said[-4:], levels, reasons(day.events()), day.module.commands)


test_a_day_alone.time_limited = True  # type: ignore[attr-defined]  # a day is longer than most

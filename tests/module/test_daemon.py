"""A daemon left alone for a day: all of it in its journal, and nothing of it left behind.

The network drops every ten minutes, told and untold; the module restarts twice without a
word; the cable is out for five minutes. A client looks in every ten minutes.
"""

import gc
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
from modemproxy.journal import (
    KEPT,
    Event,
    Journal,
    ModuleDown,
    ModuleUp,
    RestartLoop,
    RungTaken,
)
from modemproxy.line.port import StreamPort
from modemproxy.module.ladder import STABLE_S
from modemproxy.module.lifecycle import Lifecycle
from modemproxy.module.state import StateStore

from .rig import CLAIM, FAR, HOSTILE, echo, exchange

HOUR: Final = 3600.0
DROP_EVERY_S: Final = 600.0
DROPS: Final = 144
REBOOTS_AT: Final = (7 * HOUR + 150, 16 * HOUR + 200)
BOOT_S: Final = 3.0
UNPLUGGED_AT: Final = 12 * HOUR + 100
UNPLUGGED_S: Final = 300.0
#: Into each ten minutes: after everything is over, and noticed where nobody told of it.
LOOKS_AFTER_S: Final = 450.0
SETTLED_AFTER_S: Final = 590.0
#: A drop that nobody told of is noticed within a minute and some seconds.
NOTICED_S: Final = 90.0
#: The bottom of the ladder begins at once.
NO_PAUSE_S: Final = 0.5


class CablePort(StreamPort):
    """The DTE's end of a cable in memory."""

    def __init__(self, cable: MemoryCable) -> None:
        super().__init__(cable.open())
        self._cable = cable

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Set this end's speed."""
        await trio.lowlevel.checkpoint()
        self._cable.speed = baudrate


@dataclass(frozen=True)
class Said:
    """What the journal was told: when, since the start of the day, and what."""

    at_s: float
    event: Event


def is_resync(event: Event) -> bool:
    """R1 comes before any end of service that a command met."""
    return isinstance(event, RungTaken) and event.rung == "R1"


class Day:
    """A lifecycle on a cable, its faults, and what it says of itself."""

    def __init__(self, nursery: trio.Nursery, directory: Path) -> None:
        internet = MemoryInternet(nursery)
        internet.listen_tcp(FAR, 7, echo)
        self.module = EmulatedModule(
            Profile(command_latency_s=0.005, boot_delay_s=BOOT_S), internet=internet
        )
        self.cable = MemoryCable(self.module, nursery)
        self.faults = FaultBox(self.module, self.cable)
        nursery.start_soon(self.faults.run)
        self.journal = Journal(trio.current_time)
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
        self.started = trio.current_time()

    async def _open_port(self) -> CablePort:
        await trio.lowlevel.checkpoint()
        try:
            return CablePort(self.cable)
        except OSError as error:
            raise LineClosed(str(error)) from error

    def plan(self) -> None:
        """Have the day's faults happen; the drops are told and untold in turn."""
        twice = 2 * DROP_EVERY_S
        self.faults.add(Fault("lose_network", at_s=DROP_EVERY_S, every_s=twice))
        self.faults.add(Fault("lose_network", at_s=twice, every_s=twice, urc=False))
        for at_s in REBOOTS_AT:
            self.faults.add(Fault("reboot", at_s=at_s, banner="none"))
        self.faults.add(Fault("vanish", at_s=UNPLUGGED_AT, for_s=UNPLUGGED_S, elsewhere=True))

    async def until(self, at_s: float) -> None:
        """Wait for a time of the day."""
        await trio.sleep_until(self.started + at_s)

    def journal_from(self, at_s: float) -> list[Said]:
        """What the journal has from a time of the day on."""
        said = [Said(entry.at - self.started, entry.event) for entry in self.journal]
        return [each for each in said if each.at_s >= at_s]

    async def look_in(self, limit_s: float = 30.0) -> None:
        """Be a client: bytes go there and back, whatever they look like."""
        with trio.fail_after(limit_s):
            session = await self.lifecycle.gate.wait_session()
            async with session.open_link(FAR, 7, claim=CLAIM, queue_s=5) as link:
                assert await exchange(link, HOSTILE) == HOSTILE

    def assert_told(
        self, at_s: float, within_s: float, reason: str, rung: str, back_s: float
    ) -> None:
        """One fault is in the journal: what, the first rung for it, and the way back.

        Args:
            at_s: when it happened.
            within_s: the end of service is told within so many seconds of that.
            reason: words of it.
            rung: the first that was taken, without a pause.
            back_s: service is back within so many seconds of the fault.
        """
        said = [each for each in self.journal_from(at_s)[:20] if not is_resync(each.event)]
        down, step = said[0], said[1]
        assert isinstance(down.event, ModuleDown), (at_s, said)
        assert reason in down.event.reason, (at_s, said)
        assert down.at_s <= at_s + within_s, (at_s, said)
        assert isinstance(step.event, RungTaken), (at_s, said)
        assert step.event.rung == rung, (at_s, said)
        assert step.event.pause_s < NO_PAUSE_S, (at_s, said)
        up = next(each for each in said if isinstance(each.event, ModuleUp))
        assert up.at_s <= at_s + back_s, (at_s, said)


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


def kept_by(day: Day) -> tuple[int, int]:
    """Tasks, and objects in memory without those of the journal and the faults' log."""
    day.faults.log.clear()
    gc.collect()
    kept = 2 * len(list(day.journal))
    return trio.lowlevel.current_statistics().tasks_living, len(gc.get_objects()) - kept


@pytest.mark.timeout(90)
async def test_a_day_alone(
    autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "modemproxy")  # pytest would keep a day of records
    async with a_day(tmp_path) as day:
        await day.look_in()
        day.plan()
        levels = []
        for visit in range(DROPS):
            await day.until(visit * DROP_EVERY_S + LOOKS_AFTER_S)
            await day.look_in()
            if visit in (2, DROPS - 1):
                await day.until(visit * DROP_EVERY_S + SETTLED_AFTER_S)
                levels.append(kept_by(day))
        await day.until(24 * HOUR + NOTICED_S)
        await day.look_in()

        assert_all_told(day)
        (tasks, objects), (tasks_later, objects_later) = levels
        assert tasks_later == tasks
        assert objects_later - objects < 100
        await assert_at_the_bottom(day)


test_a_day_alone.time_limited = True  # type: ignore[attr-defined]  # a day is longer than most


def assert_all_told(day: Day) -> None:
    """Every fault of the day is in the journal, once, and nothing else."""
    for count in range(1, DROPS + 1):
        told = count % 2 == 1
        day.assert_told(
            count * DROP_EVERY_S,
            1.0 if told else NOTICED_S - 10,
            "lost its network" if told else "network is closed",
            "R4",
            back_s=10.0 if told else NOTICED_S,
        )
    for at_s in REBOOTS_AT:
        limit_s = BOOT_S + 15
        day.assert_told(at_s, limit_s, "restarted silently", "R3", back_s=limit_s)
    day.assert_told(UNPLUGGED_AT, 1.0, "hung up", "R3", back_s=UNPLUGGED_S + 5)

    counts = Counter(type(said.event) for said in day.journal_from(0))
    faults = DROPS + len(REBOOTS_AT) + 1
    assert counts[ModuleUp] == 1 + faults
    assert counts[ModuleDown] == faults + 1  # the cable: hung up, and then: not there
    assert counts[RestartLoop] == 0
    assert len(list(day.journal)) < KEPT


async def assert_at_the_bottom(day: Day) -> None:
    """The ladder has forgotten the day: it begins with the first rung of each way."""
    await trio.sleep(2 * STABLE_S)
    for fault, rung in (("lose_network", "R4"), ("reboot", "R3")):
        at_s = trio.current_time() - day.started
        day.faults.inject(fault)
        await trio.sleep(2 * STABLE_S)
        day.assert_told(at_s, BOOT_S + 1, "", rung, back_s=BOOT_S + 10)
    await day.look_in()


def test_the_journal_forgets_the_oldest() -> None:
    journal = Journal(kept=100)
    for number in range(1000):
        journal.record(ModuleDown(str(number)))
    assert [event.text for event in journal.events()] == [
        f"not in service: {number}" for number in range(900, 1000)
    ]

"""A pause after the line itself has failed: it is spent listening, too."""

from math import inf
from pathlib import Path

import pytest
import trio

from modemproxy.emulator.faults import Fault
from modemproxy.emulator.faults_cable import MemoryCable
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.journal import Event, ModuleUp, RestartLoop, RungTaken
from modemproxy.module.ladder import Rung, Step, Trouble, _Way
from modemproxy.module.vigil import sit_out

from .recovery_bench import CablePort, RecoveryBench, recovering

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("autojump_clock")]

#: The bring-up; and a poll of five seconds, a second to settle, looking every two seconds.
BRING_UP_S = 4.0
NOTICED_S = 5.0 + 1.0 + 2.0 + BRING_UP_S


def opens_again(event: Event) -> bool:
    """It is what the line's failure is answered with."""
    return isinstance(event, RungTaken) and event.rung == "R3"


def climbed(b: RecoveryBench, trouble: Trouble, tries: int) -> None:
    """Have had some failures in a row."""
    b.lifecycle._recovery.ladder._ways[trouble] = _Way(tries)


async def silent_for(b: RecoveryBench, seconds: float) -> None:
    """Fall silent in service, with a pause of 64 to 96 s as the answer to it."""
    session = await b.session(60)
    climbed(b, Trouble.SILENT, 15)
    b.faults.inject("deaf", for_s=seconds, keep=False)
    await b.ended(session, 60)
    assert b.events(RungTaken)[-1].pause_s >= 64


async def up_again(b: RecoveryBench, limit_s: float) -> float:
    """Wait for the next session; return how long that took."""
    began = trio.current_time()
    up = len(b.events(ModuleUp))
    await b.until(lambda: len(b.events(ModuleUp)) > up, limit_s)
    return trio.current_time() - began


async def test_a_silent_module_that_speaks_again_ends_the_pause(tmp_path: Path) -> None:
    async with recovering(tmp_path) as b:
        await silent_for(b, 50)
        assert await up_again(b, 120) <= 50 + NOTICED_S
        await b.served(10)


async def test_a_module_that_restarts_in_the_pause_ends_it(tmp_path: Path) -> None:
    async with recovering(tmp_path) as b:
        await silent_for(b, 500)
        await trio.sleep(10)
        b.faults.clear()
        b.faults.inject("reboot", banner="RDY", boot_s=1.0)
        assert await up_again(b, 120) <= 1 + NOTICED_S


async def test_a_module_that_answers_all_along_has_its_pause(tmp_path: Path) -> None:
    """Only in sessions it falls silent: that it answers now is no change."""
    async with recovering(tmp_path) as b:
        session = await b.session(60)
        climbed(b, Trouble.SILENT, 15)
        deaf = b.faults.add(Fault("deaf", keep=False))
        b.journal.listen(lambda entry: deaf.lift() if opens_again(entry.event) else None)
        await b.ended(session, 60)
        pause_s = b.events(RungTaken)[-1].pause_s
        assert pause_s >= 64
        assert pause_s <= await up_again(b, 120) <= pause_s + BRING_UP_S
        assert "+CPIN?" in b.commands("+CPIN?")  # it was asked how it is


async def test_a_device_that_vanishes_in_the_pause_is_looked_for(tmp_path: Path) -> None:
    async with recovering(tmp_path) as b:
        await silent_for(b, 500)
        opened = len(b.opened)
        b.faults.inject("vanish", for_s=20, elsewhere=True)
        await trio.sleep(21)
        b.faults.clear()
        assert await up_again(b, 120) <= NOTICED_S
        assert b.opened[opened:] == ["/dev/ttyUSB1"] * (len(b.opened) - opened)
        assert len(b.opened) <= opened + 2


@pytest.mark.parametrize("quiet_s", [0.0, 16.0, 100.0])
async def test_nothing_is_said_while_a_payload_may_be_pending(quiet_s: float) -> None:
    """What is said to a module that waits for payload reaches the far side as data."""
    async with trio.open_nursery() as nursery:
        module = EmulatedModule(Profile(), internet=MemoryInternet(nursery))
        cable = MemoryCable(module, nursery)
        heard_at: list[float] = []
        module.trace = lambda direction, data: heard_at.append(trio.current_time())

        async def open_port() -> CablePort:
            await trio.lowlevel.checkpoint()
            return CablePort(cable)

        began = trio.current_time()
        await sit_out(
            Step(Rung.REOPEN, 60.0),
            open_port,
            silent_until=began + quiet_s,
            baudrate=115200,
        )
        assert trio.current_time() == pytest.approx(began + 60)
        first_at = min(heard_at, default=inf)
        assert quiet_s <= first_at - began <= quiet_s + 1 if quiet_s < 60 else not heard_at
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("step", [Step(Rung.REOPEN, 4.0), Step(Rung.POWER, 60.0)])
async def test_a_short_pause_and_one_before_the_power_is_cut_keep_the_port_closed(
    step: Step,
) -> None:
    async def open_port() -> CablePort:
        await trio.lowlevel.checkpoint()
        pytest.fail("opened")

    began = trio.current_time()
    await sit_out(step, open_port, silent_until=-inf, baudrate=115200)
    assert trio.current_time() == pytest.approx(began + step.pause_s)


# -- a module that restarts in a loop --


async def into_a_loop(b: RecoveryBench, banner: str, every_s: float, for_s: float) -> None:
    """Restart again and again, and be left alone for 240 to 360 s for it."""
    await b.session(60)
    b.lifecycle._recovery.ladder._loop = 60
    b.lifecycle._recovery.ladder._restarts.extend([trio.current_time()] * 3)
    b.faults.inject("boot_loop", period_s=every_s, for_s=for_s, boot_s=1.0, banner=banner)
    await b.until(lambda: b.events(RestartLoop), 60)


@pytest.mark.parametrize("banner", ["RDY", "none"])
async def test_a_restart_loop_that_is_over_ends_its_long_pause(
    tmp_path: Path, banner: str
) -> None:
    """The pause is of 240 to 360 s, a fifth of it has to be without a restart."""
    async with recovering(tmp_path) as b:
        await into_a_loop(b, banner, 8, 60)
        assert 30 + 48 <= await up_again(b, 400) <= 60 + 72 + NOTICED_S
        await b.served(10)


@pytest.mark.parametrize("banner", ["RDY", "none"])
async def test_a_restart_loop_that_goes_on_has_its_pause(tmp_path: Path, banner: str) -> None:
    async with recovering(tmp_path) as b:
        await into_a_loop(b, banner, 21, 600)
        assert await up_again(b, 500) >= 240

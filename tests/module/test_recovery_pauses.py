"""The pauses between the rungs: short at first, ended by good news, long where need be."""

import logging
from pathlib import Path
from typing import Any

import pytest
import trio

from modemproxy.emulator.faults import Fault
from modemproxy.emulator.profile import DEFAULT
from modemproxy.journal import Event, ModuleDown, ModuleUp, RestartLoop, RungTaken
from modemproxy.module import subscriber

from .recovery_bench import RecoveryBench, recovering

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("autojump_clock")]

#: Poll of five seconds, a second to settle; what is beyond it is the bring-up.
NOTICED_S = 6.0 + 0.5


async def into_a_long_pause(b: RecoveryBench, at_least_s: float, limit_s: float) -> None:
    """Wait for the beginning of a pause of so many seconds."""
    with trio.fail_after(limit_s):
        while True:
            seen = b.events(RungTaken)
            if seen and seen[-1].pause_s >= at_least_s:
                return
            await trio.sleep(0.5)


async def assert_cut_short(b: RecoveryBench, bring_up_s: float = 4.0) -> None:
    """Service is back long before the pause would have been over."""
    up = len(b.events(ModuleUp))
    began = trio.current_time()
    await b.served(60)
    assert trio.current_time() - began <= NOTICED_S + bring_up_s
    assert len(b.events(ModuleUp)) == up + 1


# -- good news --


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("after", ["READY", "SIM PIN"])
async def test_a_sim_that_is_inserted_ends_a_long_pause(
    tmp_path: Path, told: bool, after: Any
) -> None:
    modem = {"pin": DEFAULT.pin}
    async with recovering(tmp_path, modem, sim=after) as b:
        gone = b.faults.inject("sim", state="NOT INSERTED", urc=told)
        await into_a_long_pause(b, 60, 500)
        await trio.sleep(13)
        gone.lift()
        await assert_cut_short(b)


@pytest.mark.parametrize("told", [False, True])
async def test_a_registration_that_is_back_ends_a_long_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    monkeypatch.setattr(subscriber, "REGISTRATION_LIMIT_S", 5.0)
    async with recovering(tmp_path) as b:
        away = b.faults.inject("registration", state="denied", urc=told)
        await into_a_long_pause(b, 30, 500)
        assert "denied" in b.events(ModuleDown)[-1].reason
        await trio.sleep(13)
        away.lift()
        await assert_cut_short(b)


@pytest.mark.parametrize("banner", ["profile", "RDY", "none"])
async def test_a_module_that_starts_ends_a_long_pause(tmp_path: Path, banner: str) -> None:
    """Also one that says nothing when it does: it is called now and then."""
    async with recovering(tmp_path) as b:
        await b.session(60)
        off = b.faults.inject("deaf", keep=False)
        await into_a_long_pause(b, 60, 500)
        await trio.sleep(13)
        off.lift()
        b.faults.inject("reboot", banner=banner)
        await assert_cut_short(b, 4.0 + DEFAULT.boot_delay_s)


@pytest.mark.parametrize("baudrate", [115200, 921600])
async def test_a_module_that_starts_at_either_likely_speed_ends_a_long_pause(
    tmp_path: Path, baudrate: int
) -> None:
    async with recovering(tmp_path, {"baudrate": 921600}) as b:
        await b.session(60)
        off = b.faults.inject("deaf", keep=False)
        await into_a_long_pause(b, 60, 500)
        await trio.sleep(13)
        off.lift()
        b.faults.inject("reboot", banner="none", baudrate=baudrate)
        await assert_cut_short(b, 4.0 + DEFAULT.boot_delay_s)
        assert b.module.baudrate == 921600


async def test_a_bearer_that_is_back_ends_a_long_pause(tmp_path: Path) -> None:
    async with recovering(tmp_path) as b:
        down = b.faults.inject("netopen_fails", times=0)
        await into_a_long_pause(b, 30, 500)
        await trio.sleep(13)
        down.lift()
        b.faults.inject("say", text="+CGEV: EPS PDN ACT 1")
        await assert_cut_short(b)


async def test_no_news_is_no_reason_to_hurry(tmp_path: Path) -> None:
    async with recovering(tmp_path) as b:
        b.faults.inject("netopen_fails", times=0)
        await into_a_long_pause(b, 30, 500)
        rungs = b.rungs
        b.faults.add(Fault("say", every_s=3, text="+CGEV: NW MODIFY 1,1"))
        b.faults.add(Fault("say", every_s=4, text="+CEREG: 2"))
        await trio.sleep(25)
        assert b.rungs == rungs
        assert b.commands("+CPIN?", "+CEREG?")[-2:] == ["+CPIN?", "+CEREG?"]
        b.faults.clear()


async def test_the_first_pause_is_short_whatever_it_was(tmp_path: Path) -> None:
    for fault in ("lose_network", "reboot", "vanish"):
        async with recovering(tmp_path) as b:
            session = await b.session(60)
            b.faults.inject(fault)
            await b.ended(session, 5)
            assert b.events(RungTaken)[0].pause_s <= 0.25
            b.faults.clear()


# -- only the user can help --

#: What only asks, or sets what every bring-up sets before it asks for the SIM.
_ASKING = ("", "E0", "Q0", "V1", "+CMEE=2", "+CEREG=1", "+CSCLK=0", "+IFC=0,0", "+CFUN?")
_HARMLESS = (*_ASKING, "+CATR?", "+CGMM", "+CGMR", "+CPIN?", "+CEREG?")


@pytest.mark.parametrize(
    ("sim", "modem", "words"),
    [
        ("SIM PUK", {}, "locked"),
        ("SIM PUK", {"pin": "1234"}, "locked"),
        ("SIM PIN", {}, "asks for a PIN"),
    ],
)
async def test_a_sim_that_needs_the_user_is_only_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sim: Any, modem: Any, words: str
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.journal")
    modem |= {"power_command": ("/bin/false",)}
    async with recovering(tmp_path, modem, sim=sim) as b:
        await trio.sleep(550)
        assert set(b.commands("")) <= set(_HARMLESS)
        assert set(b.rungs.split()) == {"R0"}
        assert len(b.rungs.split()) <= 10
        assert b.events(RungTaken)[-1].pause_s >= 60
        [down] = b.events(ModuleDown)
        assert words in down.reason
        assert len(b.opened) == 1
        assert b.module.dce.radio.pin_left == 3
    assert b.module.complaints == []


async def test_a_pin_that_was_refused_is_sent_once(tmp_path: Path) -> None:
    async with recovering(tmp_path, {"pin": "9999"}, sim="SIM PIN") as b:
        await trio.sleep(550)
        assert b.commands("+CPIN=") == ['+CPIN="9999"']
        assert set(b.rungs.split()) == {"R0"}
        assert b.commands("+CFUN=", "+CRESET", "+NETCLOSE") == []


async def test_a_sim_that_was_unlocked_elsewhere_ends_the_pause(tmp_path: Path) -> None:
    async with recovering(tmp_path, {"pin": DEFAULT.pin}) as b:
        locked = b.faults.inject("sim", state="SIM PUK", urc=False)
        await into_a_long_pause(b, 60, 1000)
        await trio.sleep(7)
        locked.lift()
        await assert_cut_short(b)


# -- a module that restarts again and again --


def loops(b: RecoveryBench) -> list[int]:
    """The counts that were told."""
    return [each.restarts for each in b.events(RestartLoop)]


async def test_a_restart_loop_is_said_and_waited_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.journal")
    async with recovering(tmp_path) as b:
        await b.served(10)
        b.faults.inject("boot_loop", period_s=8, for_s=120, boot_s=0.5)
        await trio.sleep(121)
        assert loops(b)[0] == 4
        assert len(loops(b)) <= 3
        assert len(b.events(Event)) <= 40
        assert b.commands("+CFUN=", "+CRESET") == []
        assert set(b.rungs.split()) <= {"R3"}
        await b.served(30)
    words = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert len(words) == len(loops(b))
    assert "power supply" in words[0]


async def test_a_restart_now_and_then_is_no_loop(tmp_path: Path) -> None:
    async with recovering(tmp_path) as b:
        for _ in range(5):
            await b.session(60)
            await trio.sleep(105)
            b.faults.inject("reboot", boot_s=0.5)
            await trio.sleep(0.6)
        await b.served(20)
        assert loops(b) == []
        assert all(each.pause_s <= 0.25 for each in b.events(RungTaken))

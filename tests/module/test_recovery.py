"""Each rung of the ladder does what it says to the emulated module, and says so once."""

import logging
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.faults import Fault
from modemproxy.journal import FlowControlDropped, ModuleDown, ModuleUp, RungTaken

from .recovery_bench import RecoveryBench, recovering

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("autojump_clock")]


def lines_of(caplog: pytest.LogCaptureFixture, start: str) -> list[str]:
    """What the log says, of that which begins like this."""
    return [
        text for record in caplog.records if (text := record.getMessage()).startswith(start)
    ]


async def no_network(b: RecoveryBench, *, times: int = 0) -> None:
    """In service once; from now on NETOPEN fails so often, 0 for ever."""
    await b.session(60)
    b.faults.inject("netopen_fails", times=times)
    b.faults.inject("lose_network")


# -- R3 --


async def test_r3_opens_the_port_again_by_its_stable_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.journal")
    async with recovering(tmp_path) as b:
        session = await b.session(60)
        b.cable.unplug()
        b.cable.plug_in_elsewhere()
        await b.ended(session, 1)
        assert await b.served(5) <= 2
        assert b.opened == ["/dev/ttyUSB0", "/dev/ttyUSB1"]
        assert b.rungs == "R3"
        assert [type(each) for each in b.journal.events()] == [
            ModuleUp,
            ModuleDown,
            RungTaken,
            ModuleUp,
        ]
    [line] = lines_of(caplog, "recovery R3")
    assert "opening the port again" in line
    assert "hung up" in line


async def test_r3_finds_the_speed_and_sets_all_up_again(tmp_path: Path) -> None:
    async with recovering(tmp_path, {"baudrate": 460800}) as b:
        session = await b.session(60)
        assert b.module.baudrate == 460800
        since = trio.current_time()
        b.faults.inject("reboot", banner="RDY", baudrate=9600)
        await b.ended(session, 3 + 20)
        await b.served(10)
        assert b.rungs == "R3"
        assert b.module.baudrate == 460800
        told = b.commands("E0", "+IPR=", "+CIPRXGET=1", "+NETOPEN", since=since)
        told = [each for each in dict.fromkeys(told) if "?" not in each]
        assert told == ["E0", "+IPR=460800", "+CIPRXGET=1", "+NETOPEN"]


async def test_a_device_that_is_gone_for_long_is_looked_for_without_a_word_each_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.journal")
    async with recovering(tmp_path) as b:
        await b.session(60)
        b.faults.inject("vanish", for_s=300, elsewhere=True)
        await trio.sleep(300)
        assert len(b.opened) == 1
        assert len(b.rungs.split()) <= 20
        assert await b.served(5) <= 5
    assert len(lines_of(caplog, "recovery R3")) == len(b.rungs.split())


# -- R4 and R5 --


@pytest.mark.parametrize("says", [0, 1])
async def test_r4_opens_the_network_again_on_the_same_port(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, says: int
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.journal")
    async with recovering(tmp_path) as b:
        await b.session(60)
        since = trio.current_time()
        b.faults.inject("lose_network", netopen_says=says)
        await trio.sleep(0.1)
        assert await b.served(10) <= 5
        assert b.rungs == "R4"
        assert len(b.opened) == 1
        told = b.commands("+NETCLOSE", "+NETOPEN", since=since)
        closing = ["+NETCLOSE"] if says else []
        assert [each for each in told if "?" not in each] == [*closing, "+NETOPEN"]
        assert b.commands("+CFUN=", "+CRESET") == []
    [line] = lines_of(caplog, "recovery R4")
    assert "closing and opening the module's network" in line
    assert "CIPEVENT" in line


async def test_r4_tolerates_a_netclose_that_fails(tmp_path: Path) -> None:
    async with recovering(tmp_path) as b:
        await b.session(60)
        b.faults.inject("answer", command="+NETCLOSE", final="ERROR", times=1)
        b.faults.inject("lose_network", netopen_says=1)
        await trio.sleep(0.1)
        await b.served(10)
        assert b.rungs in ("R4", "R4 R4")


async def test_r5_switches_the_radio_off_and_on_after_three_r4_have_failed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.journal")
    async with recovering(tmp_path) as b:
        await no_network(b, times=9)  # three tries of three NETOPENs each
        await b.until(lambda: b.rungs.endswith("R5"), 60)
        assert b.commands("+CFUN=") == []
        assert b.rungs == "R4 R4 R4 R5"
        since, rung = b.rung_at("R5")
        assert "NETOPEN failed 3 times" in rung.reason
        await b.served(60)
        assert b.commands("+CFUN=", since=since) == ["+CFUN=0", "+CFUN=1"]
        off, on = (at for at, line in b.heard if "+CFUN=" in line)
        assert on - off == pytest.approx(10, abs=0.5)
        assert len(b.opened) == 1
        assert b.commands("+CRESET") == []
    [line] = lines_of(caplog, "recovery R5")
    assert "radio off and on" in line


async def test_r5_tolerates_a_radio_that_refuses(tmp_path: Path) -> None:
    async with recovering(tmp_path) as b:
        b.faults.inject("answer", command="+CFUN", final="+CME ERROR: 4", times=2)
        await no_network(b, times=9)
        await trio.sleep(0.1)
        await b.served(120)
        assert b.rungs == "R4 R4 R4 R5"


# -- R6 --


async def until_reset(b: RecoveryBench) -> None:
    """The network comes back only with a reset of the module."""
    await b.session(60)
    rule = b.faults.add(Fault("netopen_fails", times=0))
    b.faults.inject("lose_network")
    await b.until(lambda: b.commands("+CRESET", "+CFUN=1,1"), 120)
    rule.lift()


@pytest.mark.parametrize("usb", [False, True])
async def test_r6_resets_the_module_after_two_r5_have_failed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, usb: bool
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.journal")
    async with recovering(tmp_path, usb=usb, boot_delay_s=12.0) as b:
        await until_reset(b)
        assert b.rungs == "R4 R4 R4 R5 R5 R6"
        since = trio.current_time()
        await b.served(60)
        assert trio.current_time() - since <= 12 + (9 if usb else 0) + 10
        assert b.commands("+CRESET") == ["+CRESET"]
        assert set(b.rungs.split()[6:]) == ({"R3"} if usb else set())
        assert (len(b.opened) > 1) is usb
    [line] = lines_of(caplog, "recovery R6")
    assert "resetting the module" in line
    assert "NETOPEN failed" in line


async def test_r6_has_another_way_where_creset_is_unknown(tmp_path: Path) -> None:
    async with recovering(tmp_path) as b:
        b.faults.inject("answer", command="+CRESET", final="ERROR", times=0)
        await until_reset(b)
        since = trio.current_time()
        await b.served(40)
        assert b.commands("+CRESET", "+CFUN=1,1") == ["+CRESET", "+CFUN=1,1"]
        assert trio.current_time() - since <= 15


async def test_r6_follows_a_module_that_comes_back_at_another_speed(tmp_path: Path) -> None:
    async with recovering(tmp_path, {"baudrate": 921600}) as b:
        await until_reset(b)
        await b.served(40)
        assert b.module.baudrate == 921600
        assert b.rungs == "R4 R4 R4 R5 R5 R6"


# -- the way up, and down again --


async def test_no_rung_is_taken_more_than_three_times_and_rounds_get_rarer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.journal")
    async with recovering(tmp_path) as b:
        await no_network(b)
        await trio.sleep(550)
        one_round = "R4 R4 R4 R5 R5 R6 R6"
        assert b.rungs.startswith(f"{one_round} {one_round} {one_round}")
        pauses = [each.pause_s for each in b.events(RungTaken)]
        assert pauses[0] <= 0.25
        assert max(pauses[1:7]) <= 1.25
        assert 4 <= pauses[7] <= 6
        assert 8 <= pauses[14] <= 12
        assert len(b.opened) == 1
        same = [each.reason for each in b.events(ModuleDown)]
        assert len(same) == 2  # how it began, and what it has been since
    assert len(lines_of(caplog, "recovery R")) == len(pauses)
    b.faults.clear()


async def test_a_minute_in_service_is_the_way_down(tmp_path: Path) -> None:
    async with recovering(tmp_path) as b:
        await no_network(b, times=6)
        await b.session(60)
        await trio.sleep(30)  # not long enough
        b.faults.inject("lose_network")
        await trio.sleep(0.1)
        assert b.rungs == "R4 R4 R4 R5"
        await b.session(60)
        await trio.sleep(61)
        b.faults.inject("lose_network")
        await trio.sleep(0.1)
        assert b.rungs == "R4 R4 R4 R5 R4"
        assert b.events(RungTaken)[-1].pause_s <= 0.25


# -- flow control --


async def test_flow_control_that_is_not_wired_is_dropped_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modemproxy.journal")
    async with recovering(tmp_path, {"flow_control": "rtscts"}, capacity=1) as b:
        session = await b.session(60)
        assert b.commands("+IFC=") == ["+IFC=2,2"]
        b.faults.inject("blocked", for_s=60)
        since = trio.current_time()
        await b.ended(session, 30)
        assert 12 <= trio.current_time() - since <= 12 + 11  # health asks every ten seconds
        assert len(b.events(FlowControlDropped)) == 1
        await trio.sleep_until(since + 60)
        await b.served(30)
        assert b.commands("+IFC=")[1:] == ["+IFC=0,0"]
        assert len(b.events(FlowControlDropped)) == 1
    assert len(lines_of(caplog, "the module took no byte although")) == 1


async def test_a_minute_of_silence_is_no_reason_to_drop_flow_control(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with recovering(tmp_path, {"flow_control": "rtscts"}) as b:
        session = await b.session(60)
        b.faults.inject("deaf", for_s=60, keep=False)
        await b.ended(session, 40)
        await b.served(120)
        assert b.events(FlowControlDropped) == []
        assert b.commands("+IFC=")[-1] == "+IFC=2,2"

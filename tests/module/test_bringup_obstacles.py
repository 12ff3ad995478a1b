"""What can be in the way of bring-up: each failure names its step, secrets stay secret."""

import logging
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from modemproxy.emulator.output import Piece
from modemproxy.errors import ModemProxyError
from modemproxy.module.habits import Habits
from modemproxy.module.subscriber import PinRefusedForGood

from .workbench import Workbench, is_up

pytestmark = pytest.mark.timeout(20)


# -- what can be in the way ----------------------------------------------------------------


async def test_no_module_fails_the_step_answer(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path)
    bench.module.dce.switch_off()
    await bench.fails("answer", "no answer to AT at any speed")


async def test_echo_that_cannot_be_switched_off_fails_the_step_echo(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path)
    bench.module.dce.input.tap = lambda data: data.replace(b"ATE0", b"ATE1")
    await bench.fails("echo", "keeps echoing")


async def test_a_pin_is_entered_when_the_sim_asks_and_again_after_a_reboot(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, sim="SIM PIN", pin_delay_s=2.0)
    for _ in range(2):
        await bench.run(pin="1234")
        assert is_up(bench)
        assert bench.said.count(b'+CPIN="1234"') == 1
        bench.module.reboot()
        await trio.sleep(10)
    assert not bench.state.pin_refused("1234")


async def test_a_refused_pin_is_never_sent_again_and_a_changed_one_is(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, sim="SIM PIN")
    await bench.fails("SIM", "was refused", pin="9999")
    assert bench.said.count(b'AT+CPIN="') == 1
    for _ in range(3):
        await bench.fails("SIM", "refused before", pin="9999")
        assert bench.said.count(b'AT+CPIN="') == 0
    await bench.run(pin="1234")
    assert is_up(bench)
    marks = [path.read_text() for path in tmp_path.iterdir()]  # noqa: ASYNC240
    assert not any("9999" in mark for mark in marks)


async def test_a_refused_pin_that_cannot_be_remembered_is_a_failure_of_its_own(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    bench = Workbench(nursery, Path("/proc/none"), sim="SIM PIN")
    with pytest.raises(PinRefusedForGood):
        await bench.run(pin="9999")


async def test_a_sim_that_asks_for_a_pin_nobody_gave_fails_the_step_sim(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, sim="SIM PIN")
    await bench.fails("SIM", "set modem.pin")


async def test_a_locked_sim_gets_no_pin(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, sim="SIM PUK")
    await bench.fails("SIM", "locked", pin="1234")
    assert b'AT+CPIN="' not in bench.said


async def test_a_missing_sim_fails_the_step_sim(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, sim="NOT INSERTED")
    await bench.fails("SIM", "SIM not inserted", pin="1234")


@pytest.mark.parametrize(("stat", "why"), [(3, "denied"), (2, "stat 2"), (0, "stat 0")])
async def test_no_registration_fails_its_step_and_is_tried_again(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, stat: int, why: str
) -> None:
    bench = Workbench(nursery, tmp_path, cereg=stat, cgreg=stat)
    await bench.fails("registration", why)
    assert trio.current_time() > 90
    bench.module.set_profile(cereg=1, cgreg=1)
    await bench.run()
    assert is_up(bench)


async def test_a_registration_that_comes_late_is_waited_for(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, cereg=3, cgreg=3)

    async def relent() -> None:
        await trio.sleep(60)
        bench.module.set_profile(cereg=1, cgreg=1)

    nursery.start_soon(relent)
    await bench.run()
    assert is_up(bench)


@pytest.mark.parametrize("code", [1, 5, None])
async def test_a_network_that_does_not_open_in_three_tries_fails_its_step(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, code: int | None
) -> None:
    bench = Workbench(nursery, tmp_path, netopen_fail_first=3, netopen_fail_code=code)
    await bench.fails("network", "3 times")
    await bench.run()
    assert is_up(bench)


async def test_a_network_that_says_nothing_fails_its_step_in_bounded_time(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, netopen_mute=True)
    await bench.fails("network", "no result")
    assert trio.current_time() < 600


async def test_a_module_that_was_quick_is_asked_again_soon(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """Its report can be lost, and the network with it; the third try has all the time."""
    bench = Workbench(nursery, tmp_path, netopen_delay_s=0.5)
    bench.habits = Habits()
    await bench.run()
    bench.module.set_profile(netopen_mute=True)
    began = trio.current_time()
    await bench.fails("network", "no result within 150 s")
    assert 240 < trio.current_time() - began < 260
    bench.module.reboot()
    await trio.sleep(10)
    bench.module.set_profile(netopen_mute=False, netopen_delay_s=140.0)
    began = trio.current_time()
    await bench.run()
    assert is_up(bench)
    assert trio.current_time() - began < 250


async def test_firmware_without_sockets_is_named(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, sockets_present=False)
    await bench.fails("sockets", "no TCP/IP socket commands.*10.84.17.161")


async def test_a_reboot_during_bring_up_ends_it(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, netopen_reboots=True, banner=((0.0, "RDY"),))
    with pytest.raises(ModemProxyError):
        await bench.run()


async def test_a_line_that_hangs_up_ends_it(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, registration_delay_s=60)

    async def hang_up() -> None:
        await trio.sleep(5)
        await bench.port.aclose()

    nursery.start_soon(hang_up)
    with pytest.raises(ModemProxyError):
        await bench.run()
    assert trio.current_time() < 10


# -- APN, credentials, DNS -----------------------------------------------------------------


async def test_an_apn_is_written_only_when_it_is_another_one(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path, apn="internet")
    await bench.run(apn="internet")
    assert b"+CGDCONT=" not in bench.said
    await bench.run(apn="other.apn", ip_type="IPV4V6")
    assert b'+CGDCONT=1,"IPV4V6","other.apn"' in bench.said
    await bench.run(apn="other.apn", ip_type="IPV4V6")
    assert b"+CGDCONT=" not in bench.said
    await bench.run()
    assert b"CGDCONT" not in bench.said


async def test_a_password_and_a_pin_never_stand_in_the_log(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "modemproxy")
    bench = Workbench(nursery, tmp_path, sim="SIM PIN", pin="8642")
    await bench.run(apn="x", auth="chap", username="alice", password="s3cr3t", pin="8642")
    assert b"s3cr3t" in bench.said
    assert b'"8642"' in bench.said
    assert "CGAUTH" in caplog.text
    assert "s3cr3t" not in caplog.text
    assert "8642" not in caplog.text
    saved = bench.module.dce.saved.contexts[1]
    assert (saved.auth, saved.user, saved.password) == (2, "alice", "s3cr3t")


async def test_name_servers_are_set(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path)
    await bench.run(dns=("9.9.9.9", "1.1.1.1"))
    assert b'AT+CDNSCFG="9.9.9.9","1.1.1.1"\r' in bench.said


async def test_prompt_texts_before_bring_up_do_not_matter(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path)
    bench.module.dce.out.put(Piece.RAW, b"\r\n> OK\r\nERROR\r\n+CIPRXGET: 2,0,1400,0\r\n")
    await bench.run()
    assert is_up(bench)

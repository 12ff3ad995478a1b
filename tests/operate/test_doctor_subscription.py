"""The doctor on modules whose SIM, signal or registration is not well."""

from pathlib import Path

import pytest
import trio

from tests.operate.clinic import Clinic

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_no_sim(nursery: trio.Nursery, tmp_path: Path) -> None:
    report = await Clinic(nursery, tmp_path, sim="NOT INSERTED").examine()
    report.fails("SIM", "there is no SIM", "put the SIM in")


async def test_a_sim_that_asks_for_a_pin_nobody_configured(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    report = await Clinic(nursery, tmp_path, sim="SIM PIN").examine()
    report.fails("SIM", "the configuration has none (3 attempts left)", "set modem.pin")


async def test_a_configured_pin_is_not_tried(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path, sim="SIM PIN")
    report = await clinic.examine(pin="9999")
    report.fails("SIM", "doctor spends no attempt", "modemproxy doctor --enter-pin")
    assert clinic.module.dce.radio.pin_left == 3


async def test_a_pin_is_entered_when_the_user_says_so(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    clinic = Clinic(nursery, tmp_path, sim="SIM PIN")
    report = await clinic.examine(pin="1234", enter_pin=True)
    assert report.code == 0
    assert report.steps["SIM"].found == "ready: the PIN was accepted"


async def test_a_wrong_pin_is_entered_once_for_ever(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    clinic = Clinic(nursery, tmp_path, sim="SIM PIN")
    report = await clinic.examine(pin="9999", enter_pin=True)
    report.fails("SIM", "modem.pin was refused", "put the right PIN")
    report = await clinic.examine(pin="9999", enter_pin=True)
    report.fails("SIM", "refused before (2 attempts left)", "three wrong ones lock the SIM")
    assert clinic.module.dce.radio.pin_left == 2


async def test_a_sim_that_wants_its_puk(nursery: trio.Nursery, tmp_path: Path) -> None:
    report = await Clinic(nursery, tmp_path, sim="SIM PUK").examine(pin="1234")
    report.fails("SIM", "it wants its PUK", "unlock it in a phone")


async def test_a_radio_that_is_off_is_on_only_meanwhile(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    clinic = Clinic(nursery, tmp_path)
    clinic.module.dce.radio.set_fun(4)
    report = await clinic.examine()
    report.warns("radio", "flight mode (AT+CFUN=4)", "the proxy switches it on")
    assert clinic.module.dce.radio.fun == 4


async def test_a_weak_signal(nursery: trio.Nursery, tmp_path: Path) -> None:
    report = await Clinic(nursery, tmp_path, csq=5).examine()
    report.warns("signal", "weak, -103 dBm (CSQ 5 of 31)", "antenna")


async def test_no_cell_is_heard(nursery: trio.Nursery, tmp_path: Path) -> None:
    report = await Clinic(nursery, tmp_path, registration_delay_s=1000.0).examine()
    report.fails("registration", "searching for a network for 60 s (stat 2)", "antenna")
    assert report.steps["signal"].found == "not known (99): the module hears no cell"


@pytest.mark.parametrize(
    ("stat", "found", "advice"),
    [
        (3, "the network denies registration (stat 3)", "is the SIM activated"),
        (4, "out of coverage (stat 4)", "have LTE here"),
        (0, "not registered, and not searching either", "AT+CGATT=0"),
        (6, "registered for SMS only", "this SIM has no data service"),
    ],
)
async def test_the_network_does_not_take_us(
    nursery: trio.Nursery, tmp_path: Path, stat: int, found: str, advice: str
) -> None:
    clinic = Clinic(nursery, tmp_path, creg=stat, cgreg=stat, cereg=stat)
    report = await clinic.examine()
    report.fails("registration", found, advice)
    assert report.steps["context"].found == "needs: registration"


async def test_roaming_is_no_mistake(nursery: trio.Nursery, tmp_path: Path) -> None:
    report = await Clinic(nursery, tmp_path, creg=5, cgreg=5, cereg=5).examine()
    assert report.code == 0
    assert report.steps["registration"].found.startswith("registered, roaming (Emulated)")


async def test_a_registration_that_takes_a_moment(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    report = await Clinic(nursery, tmp_path, registration_delay_s=30.0).examine()
    assert report.code == 0
    report.warns("signal", "not known")

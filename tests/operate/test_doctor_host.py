"""The doctor on hosts with one thing wrong each: port, rights, holders, listeners."""

import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from modemproxy.errors import LineClosed
from modemproxy.line.port import Port
from modemproxy.operate.doctor import host
from modemproxy.operate.doctor.command import doctor
from modemproxy.operate.doctor.finding import Grade
from modemproxy.operate.doctor.machine import Machine, SerialDevice
from tests.operate.clinic import Clinic

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    async with trio.open_nursery() as nursery:
        yield Clinic(nursery, tmp_path)
        nursery.cancel_scope.cancel()


# -- the configuration ----------------------------------------------------------------------


def test_a_wrong_configuration_ends_it_with_every_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "modemproxy.yaml"
    file.write_text("modem: {prot: /dev/ttyUSB2}\nforwards: []\n")
    assert doctor(str(file), {}, as_json=False, pin=False) == 2
    shown = capsys.readouterr().out
    assert "FAILED   configuration" in shown
    assert "modem.prot" in shown
    assert f"                        {file}:1: modem.port: missing" in shown
    assert "modemproxy check shows it again" in shown
    assert "skipped  proxy, port, permission, holder, opening, answer" in shown


def test_no_configuration_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("modemproxy.config._USUAL", (Path("modemproxy.yaml"),))
    assert doctor(None, {}, as_json=True, pin=False) == 2
    assert "modemproxy init" in capsys.readouterr().out


# -- the port -------------------------------------------------------------------------------


async def test_a_port_that_is_not_there_with_the_module_under_another_name(
    clinic: Clinic, tmp_path: Path
) -> None:
    for tty, interface in (("ttyUSB4", "04"), ("ttyUSB5", "05")):
        clinic.add_device(tty)
        clinic.add_usb(tty, "1e0e:9011", interface)
    clinic.add_usb("ttyUSB2", "0403:6001", "00", at="1-2")
    by_id = tmp_path / "dev/serial/by-id"
    by_id.mkdir(parents=True)
    (by_id / "usb-SimTech-if04").symlink_to(tmp_path / "dev/ttyUSB4")
    report = await clinic.examine(port="/dev/serial/by-id/usb-SimTech-if01")
    report.fails(
        "port",
        "there is no /dev/serial/by-id/usb-SimTech-if01",
        f"set modem.port to {by_id}/usb-SimTech-if04",
    )
    advice = report.steps["port"].advice
    assert f"{tmp_path}/dev/ttyUSB4 (SIMCom 1e0e:9011, interface 04: its AT port)" in advice
    assert f"{tmp_path}/dev/ttyUSB5 (SIMCom 1e0e:9011, interface 05: the PPP port)" in advice
    assert f"{tmp_path}/dev/ttyUSB2 (USB 0403:6001, interface 00)" in advice
    assert clinic.opened == 0
    assert report.steps["answer"].grade is Grade.SKIPPED


async def test_a_stable_name_of_a_module_that_was_unplugged(
    clinic: Clinic, tmp_path: Path
) -> None:
    link = tmp_path / "usb-SimTech-if04"
    link.symlink_to(tmp_path / "dev/ttyUSB9")
    report = await clinic.examine(port=str(link))
    report.fails("port", "ttyUSB9, which is not there", "no serial device at all")


async def test_other_adapters_are_listed_when_none_is_the_module(clinic: Clinic) -> None:
    clinic.add_usb("ttyUSB2", "0403:6001", "00")
    report = await clinic.examine(port="/dev/ttyUSB77")
    report.fails("port", "there is no /dev/ttyUSB77", "none of them is a SIMCom module on USB")


async def test_a_file_is_no_port(clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    report = await clinic.examine(port=str(file))
    report.fails("port", "is there, but it is no device", "set modem.port")


async def test_ports_of_a_pc_that_are_not_really_there_are_not_listed(
    clinic: Clinic, tmp_path: Path
) -> None:
    for tty, kind in (("ttyS0", "4"), ("ttyS1", "0")):
        shown = tmp_path / "sys/class/tty" / tty
        (shown / "device").mkdir(parents=True)
        (shown / "type").write_text(kind + "\n")
    assert clinic.machine.serial_devices() == [SerialDevice(str(tmp_path / "dev/ttyS0"))]


# -- rights ---------------------------------------------------------------------------------


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who may not use the device of another group."""
    monkeypatch.setattr(host, "may_use", lambda path: False)
    monkeypatch.setattr(host, "user_name", lambda: "alice")


@pytest.mark.usefixtures("forbidden")
async def test_a_user_who_is_not_in_the_group(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "owner_and_group", lambda path: ("root", "dialout"))
    report = await clinic.examine()
    report.fails(
        "permission",
        "alice may not use",
        "sudo usermod -aG dialout alice, then log in again",
    )
    assert "it belongs to root:dialout" in report.steps["permission"].found
    assert clinic.opened == 0


@pytest.mark.usefixtures("forbidden")
async def test_a_user_who_has_not_logged_in_since(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "owner_and_group", lambda path: ("root", "dialout"))
    monkeypatch.setattr(host, "is_listed_in", lambda user, group: True)
    report = await clinic.examine()
    report.fails("permission", "alice may not use", "not in this session: log in again")


@pytest.mark.usefixtures("forbidden")
async def test_a_device_that_is_roots_alone(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "owner_and_group", lambda path: ("root", "root"))
    report = await clinic.examine()
    report.fails("permission", "root:root", "a udev rule must give it to dialout")


# -- holders --------------------------------------------------------------------------------


async def test_modemmanager_has_the_port(clinic: Clinic) -> None:
    clinic.add_process(812, "ModemManager", "/dev/null", "socket:[17]")
    report = await clinic.examine()
    report.fails("holder", "ModemManager (pid 812) has", 'ENV{ID_MM_DEVICE_IGNORE}="1"')
    assert clinic.opened == 0
    assert report.steps["opening"].found == "needs: holder"


async def test_a_login_console_has_the_port(clinic: Clinic) -> None:
    clinic.add_process(400, "agetty", "/dev/null")
    report = await clinic.examine()
    report.fails("holder", "agetty (pid 400)", "systemctl disable --now serial-getty@null")


async def test_some_programs_have_the_port(clinic: Clinic) -> None:
    clinic.add_process(77, "picocom", "/dev/null")
    clinic.add_process(78, "python3", "/dev/null", command="python3 -u /home/a/sms.py -v")
    report = await clinic.examine()
    report.fails("holder", "picocom (pid 77), sms.py (pid 78) have", "sudo kill 77 78")


async def test_modemmanager_is_running_and_not_told_to_keep_off(
    clinic: Clinic, tmp_path: Path
) -> None:
    clinic.add_process(812, "ModemManager", "/dev/tty1")
    clinic.add_usb("ttyUSB2", "1e0e:9011", "04")
    report = await clinic.examine()
    report.warns("holder", "ModemManager (pid 812) is running and probes", "70-modemproxy")
    number = os.stat("/dev/null").st_rdev
    (tmp_path / "udev").mkdir()
    entry = tmp_path / "udev" / f"c{os.major(number)}:{os.minor(number)}"
    entry.write_text("S:serial/by-id/x\nE:ID_MM_DEVICE_IGNORE=1\n")
    report = await clinic.examine()
    assert report.graded(Grade.WARNING) == []


async def test_the_port_is_held_by_somebody_who_cannot_be_seen(clinic: Clinic) -> None:
    async def refuse() -> Port:
        await trio.lowlevel.checkpoint()
        raise LineClosed(f"{clinic.tty}: in use by another process (root can see which)")

    report = await clinic.examine(open_port=refuse)
    report.fails("opening", "is in use by another process", "sudo fuser -v /dev/null")


async def test_a_device_that_is_no_tty(clinic: Clinic) -> None:
    async def refuse() -> Port:
        await trio.lowlevel.checkpoint()
        raise LineClosed(f"{clinic.tty}: not a serial device")

    report = await clinic.examine(open_port=refuse)
    report.fails("opening", "not a serial device", "set modem.port")


# -- a running proxy ------------------------------------------------------------------------


async def test_a_running_proxy_is_not_disturbed(clinic: Clinic, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "admin.sock"))
        listener.listen()
        report = await clinic.examine()
    report.fails("proxy", f"a proxy is running (pid {os.getpid()})", "modemproxy status")
    assert clinic.opened == 0
    assert report.steps["host ports"].found == "the running proxy has them"


async def test_a_proxy_on_another_module_does_not_count(clinic: Clinic, tmp_path: Path) -> None:
    clinic.add_process(os.getpid(), "modemproxy", "/dev/ttyUSB7")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "admin.sock"))
        listener.listen()
        report = await clinic.examine()
    assert report.code == 0


async def test_a_socket_that_a_dead_proxy_left_does_not_count(
    clinic: Clinic, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "admin.sock"))
    report = await clinic.examine()
    assert report.code == 0


async def test_a_proxy_of_somebody_else(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_call", lambda place: (13, 0))
    command = "python3 /usr/bin/modemproxy run --config /etc/modemproxy.yaml"
    clinic.add_process(900, "modemproxy", command=command)
    report = await clinic.examine()
    report.fails(
        "proxy", "a proxy of another user is running (pid 900)", "sudo modemproxy status"
    )
    assert clinic.opened == 0


async def test_a_folder_that_may_not_be_entered_is_no_proxy(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_call", lambda place: (13, 0))
    clinic.add_process(900, "modemproxy", command="python3 /usr/bin/modemproxy emulate")
    report = await clinic.examine()
    assert report.code == 0


def test_the_real_machine_can_be_looked_at() -> None:
    """Whatever there is here: no folder of it may upset the doctor."""
    devices = Machine().serial_devices()
    assert all(device.path.startswith("/dev/tty") for device in devices)
    assert Machine().find("/dev/null") is None


def test_an_interruption_is_heard_from_the_first_step_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever task runs first: what opens the port is never ended in the midst of it."""
    file = tmp_path / "modemproxy.yaml"
    file.write_text(
        f"modem: {{port: {tmp_path}/none}}\nforwards: [{{listen: 127.0.0.1:1, connect: a:1}}]\n"
    )

    async def interrupted(*_: object, **__: object) -> int:
        signal.raise_signal(signal.SIGTERM)
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr("modemproxy.operate.doctor.command.examine", interrupted)
    assert doctor(str(file), {}, as_json=False, pin=False) == 128 + signal.SIGTERM

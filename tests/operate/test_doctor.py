"""The doctor on a healthy module, and on modules with one thing wrong each."""

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from modemproxy.line.port import Port, StreamPort
from modemproxy.operate.doctor.examination import EVERYTHING
from modemproxy.operate.doctor.finding import Grade
from tests.operate.clinic import BROKER, Clinic, Report

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_a_healthy_module_is_well_and_left_as_it_was_found(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    clinic = Clinic(nursery, tmp_path, cmee=1)
    dce = clinic.module.dce
    report = await clinic.examine()
    assert (report.code, report.verdict) == (0, "All is well.")
    assert list(report.steps) == ["configuration", *(step.name for step in EVERYTHING)]
    assert report.graded(Grade.OK) == list(report.steps)
    assert report.steps["answer"].found == "the module answers AT at 115200 baud"
    assert "A7670E-FASE" in report.steps["model"].found
    assert report.steps["names"].found == f"{BROKER} is 203.0.113.1"
    assert dce.settings.echo
    assert not dce.stack.net
    assert dce.settings.one("+CMEE") == 1
    assert clinic.module.complaints == []


async def test_a_network_that_was_open_stays_open(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    clinic = Clinic(nursery, tmp_path, boot_echo=False)
    clinic.module.preset.ghost_links(2)
    report = await clinic.examine()
    assert report.code == 0
    assert "left so" in report.steps["network"].found
    assert clinic.module.dce.stack.net
    assert len(clinic.module.dce.stack.any_open()) == 2
    assert not clinic.module.dce.settings.echo


# -- the line -------------------------------------------------------------------------------


async def test_a_module_that_is_off(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path)
    clinic.module.dce.switch_off()
    report = await clinic.examine()
    report.fails("answer", "silent: no answer to AT at any speed", "powered and switched on")
    assert report.steps["SIM"].found == "needs: radio"
    assert report.steps["names"].grade is Grade.SKIPPED
    assert report.steps["host ports"].grade is Grade.OK
    assert report.verdict == "1 failed: answer. Begin with it."


async def test_the_wrong_interface_of_the_module_is_silent(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    clinic = Clinic(nursery, tmp_path)
    clinic.module.dce.switch_off()
    clinic.add_device("ttyUSB4")
    clinic.add_usb("ttyUSB2", "1e0e:9011", "02")
    clinic.add_usb("ttyUSB4", "1e0e:9011", "04")
    report = await clinic.examine()
    report.fails(
        "answer", "silent", f"set modem.port to {tmp_path}/dev/ttyUSB4: that is the AT"
    )


async def test_another_speed(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path, baudrate=9600)
    report = await clinic.examine(baudrate=921600)
    report.warns("answer", "answers at 9600 baud, not at 921600", "moves it to 921600")
    assert clinic.module.dce.baudrate == 9600


async def test_a_module_that_takes_its_time(nursery: trio.Nursery, tmp_path: Path) -> None:
    report = await Clinic(nursery, tmp_path, command_latency_s=0.15).examine()
    report.warns("turn-around", "150.0 ms for a command", "asleep")


async def test_an_adapter_that_keeps_bytes_back(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path)
    knob = tmp_path / "sys/bus/usb-serial/devices/null/latency_timer"
    knob.parent.mkdir(parents=True)
    knob.write_text("16\n")
    report = await clinic.examine()
    report.warns("turn-around", "keeps bytes back for 16 ms", 'ATTR{latency_timer}="1"')


class _Talker:
    """Something on a serial port that is no module: says a line now and then, or echoes."""

    def __init__(self, nursery: trio.Nursery, says: bytes = b"", *, echoes: bool) -> None:
        self._nursery = nursery
        self._says = says
        self._echoes = echoes

    async def open(self) -> Port:
        await trio.lowlevel.checkpoint()
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self._talk, theirs)
        self._nursery.start_soon(self._listen, theirs)
        return StreamPort(ours)

    async def _talk(self, stream: trio.abc.Stream) -> None:
        try:
            while self._says:
                await stream.send_all(self._says)
                await trio.sleep(1)
        except trio.BrokenResourceError:
            return

    async def _listen(self, stream: trio.abc.Stream) -> None:
        try:
            while data := await stream.receive_some():
                if self._echoes:
                    await stream.send_all(data)
        except trio.BrokenResourceError:
            return


NMEA = b"$GNRMC,,V,,,,,,,,,,N*4D\r\n$GPGSV,1,1,00*79\r\n"


@pytest.mark.parametrize(
    ("says", "found", "advice"),
    [
        (NMEA, "this port speaks NMEA, it is the GNSS interface", "the module's other ports"),
        (b"\r\nraspberrypi login: ", "a login prompt is at the other end", "modem.port"),
        (b"\x7e\x26\x00\xb1\x99\x7e", "speaks binary, a diagnostics port", "other ports"),
        (b"\xfe\x80\xe6\x18\x98\x60" * 9, "nothing that makes sense at any speed", "wiring"),
    ],
)
async def test_something_else_answers(
    nursery: trio.Nursery, tmp_path: Path, says: bytes, found: str, advice: str
) -> None:
    clinic = Clinic(nursery, tmp_path)
    report = await clinic.examine(open_port=_Talker(nursery, says, echoes=False).open)
    report.fails("answer", found, advice)


async def test_the_gnss_interface_names_the_right_one(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    clinic = Clinic(nursery, tmp_path)
    clinic.add_device("ttyUSB4")
    clinic.add_usb("ttyUSB2", "1e0e:9001", "01")
    clinic.add_usb("ttyUSB4", "1e0e:9001", "02")
    report = await clinic.examine(open_port=_Talker(nursery, NMEA, echoes=False).open)
    report.fails("answer", "NMEA", f"set modem.port to {tmp_path}/dev/ttyUSB4")
    assert "(SIMCom 1e0e:9001, interface 01: NMEA)" in report.steps["port"].found


async def test_only_our_own_characters_come_back(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path)
    report = await clinic.examine(open_port=_Talker(nursery, echoes=True).open)
    report.fails("answer", "our own characters come back", "TX and RX are joined")


async def test_a_line_that_is_lost_on_the_way(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path, registration_delay_s=1000.0)
    ends: list[trio.abc.Stream] = []

    async def open_port() -> Port:
        ours, theirs = trio.testing.memory_stream_pair()
        ends.append(theirs)
        clinic.module.dte_baudrate = lambda: 115200
        nursery.start_soon(clinic.module.serve, theirs)
        await trio.lowlevel.checkpoint()
        return StreamPort(ours)

    async def pull() -> None:
        await trio.sleep(20)
        await ends[0].aclose()

    nursery.start_soon(pull)
    report = await clinic.examine(open_port=open_port)
    report.fails("registration", "the device hung up", "look at the cable")
    assert report.steps["address"].grade is Grade.SKIPPED


async def test_a_module_that_restarts_when_it_sends(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    clinic = Clinic(nursery, tmp_path, netopen_reboots=True)
    report = await clinic.examine()
    report.fails("network", "the module restarted", "its supply is too weak")
    assert report.steps["names"].found == "needs: network"


# -- being interrupted ----------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"netopen_delay_s": 5.0}, {"dns_delay_s": 8.0}])
async def test_interrupted_it_leaves_the_module_as_it_was(
    nursery: trio.Nursery, tmp_path: Path, options: dict[str, Any]
) -> None:
    clinic = Clinic(nursery, tmp_path, cmee=1, **options)
    report = Report()
    with trio.move_on_after(4) as scope:
        await clinic.examine(report=report)
    assert scope.cancelled_caught
    assert not report.verdict
    assert clinic.module.dce.settings.echo
    assert clinic.module.dce.settings.one("+CMEE") == 1
    await trio.sleep(60)
    assert not clinic.module.dce.stack.net

"""Bring-up gets a module from any state to an open network, or names what is in the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from modemproxy.emulator.module import EmulatedModule
from modemproxy.errors import BringUpFailed

from .workbench import Workbench, is_up

pytestmark = pytest.mark.timeout(20)


def quiet(module: EmulatedModule) -> None:
    module.dce.out.quiet = True


def numeric(module: EmulatedModule) -> None:
    module.dce.out.verbose = False


def quiet_and_numeric(module: EmulatedModule) -> None:
    quiet(module)
    numeric(module)


def half_command(module: EmulatedModule) -> None:
    module.preset.half_command(b"AT+CIPS")


def half_garbage(module: EmulatedModule) -> None:
    module.preset.half_command(b"xyz")


def network_open(module: EmulatedModule) -> None:
    module.preset.network_open()


def ten_ghosts_and_four_servers(module: EmulatedModule) -> None:
    module.preset.ghost_links(10)
    for index in range(4):
        module.preset.server(8000 + index, index)


def dead_ghosts(module: EmulatedModule) -> None:
    module.preset.ghost_links(10, connected=False)


def everything_else_set(module: EmulatedModule) -> None:
    network_open(module)
    module.dce.settings.rxget = 0
    module.dce.settings.values["+CIPMODE"] = [1]
    module.dce.settings.values["+CIPSENDMODE"] = [1]
    module.dce.settings.values["+CMEE"] = [0]


PASTS: list[Callable[[EmulatedModule], None]] = [
    quiet,
    numeric,
    quiet_and_numeric,
    half_command,
    half_garbage,
    network_open,
    ten_ghosts_and_four_servers,
    dead_ghosts,
    everything_else_set,
]

FIRMWARES: list[dict[str, Any]] = [
    {},
    {"netopen_delay_s": 20.0},
    {"netopen_result_before_ok": True},
    {"netclose_delay_s": 5.0},
    {"netclose_closed_form": "text"},
    {"serverstop_result": "after_ok"},
    {"rxget_survives_netclose": False},
    {"cipccfg_fields": 7},
    {"cipcfg": False, "rxget_modes": 4},
    {"ctcpka": False, "cipsendmode": False},
    {"err_mode": 0},
    {"err_mode": 0, "cmee": 0},
    {"error_case": "lower"},
    {"cgpaddr_quoted": True},
    {"boot_echo": False},
    {"creg": 3},
    {"cgreg": 3},
    {"cereg": 3, "cgreg": 5},
    {"cereg": 11},
    {"registration_delay_s": 30.0},
    {"urc_everywhere": ("+CREG: 1", "+CGEV: NW DETACH", "+CIPRXGET: 1,0")},
    {"netopen_fail_first": 1},
    {"netopen_fail_first": 2, "netopen_fail_code": None},
]


@pytest.mark.parametrize("firmware", FIRMWARES, ids=str)
@pytest.mark.parametrize("past", [None, ten_ghosts_and_four_servers, everything_else_set])
async def test_every_firmware_is_brought_up_from_a_clean_and_a_dirty_state(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    tmp_path: Path,
    firmware: dict[str, Any],
    past: Callable[[EmulatedModule], None] | None,
) -> None:
    bench = Workbench(nursery, tmp_path, **firmware)
    if past is not None:
        past(bench.module)
    readiness = await bench.run()
    assert is_up(bench)
    assert readiness.address == "10.84.17.161"
    assert readiness.baudrate == 115200
    assert "A7670E-FASE" in readiness.model
    assert readiness.package_mode == (firmware.get("cipccfg_fields") != 7)
    assert bench.module.complaints == []


@pytest.mark.parametrize("past", PASTS)
async def test_every_past_is_overcome(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    tmp_path: Path,
    past: Callable[[EmulatedModule], None],
) -> None:
    bench = Workbench(nursery, tmp_path)
    past(bench.module)
    await bench.run()
    assert is_up(bench)
    assert all("xyz" in complaint for complaint in bench.module.complaints)


async def test_a_second_start_finds_what_the_first_one_left(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path)
    for _ in range(3):
        await bench.run()
        assert is_up(bench)
    assert bench.module.complaints == []


@pytest.mark.parametrize("size", [4, 100, 1460])
async def test_behind_a_session_that_was_cut_off_a_pending_payload_is_waited_for_in_silence(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, size: int
) -> None:
    bench = Workbench(nursery, tmp_path)
    bench.module.dce.settings.values["+CIPTIMEOUT"] = [120000, 30000, 15000]
    bench.module.preset.data_entry(0, size)
    await trio.sleep(0.1)
    bench.module.dce.advance()
    bench.state.note_session()
    ghost = bench.module.dce.stack.tcp(0)
    assert ghost is not None
    await bench.run()
    assert is_up(bench)
    assert trio.current_time() > 15
    assert ghost.sent_total == 0


async def test_a_pending_payload_that_nobody_told_us_of_is_survived(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path)
    bench.module.dce.settings.values["+CIPTIMEOUT"] = [120000, 30000, 15000]
    bench.module.preset.data_entry(0, 1460)
    await trio.sleep(0.1)
    bench.module.dce.advance()
    ghost = bench.module.dce.stack.tcp(0)
    for _ in range(3):
        try:
            await bench.run()
            break
        except BringUpFailed as error:
            assert error.step == "answer"  # noqa: PT017
    assert is_up(bench)
    assert ghost is not None
    assert ghost.sent_total == 0


# -- speed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("has", [9600, 57600, 115200, 230400, 921600, 3686400])
@pytest.mark.parametrize("wants", [115200, 921600])
@pytest.mark.parametrize("wrong_speed", ["garble", "ignore"])
async def test_the_module_is_found_at_its_speed_and_moved_to_ours(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    tmp_path: Path,
    has: int,
    wants: int,
    wrong_speed: str,
) -> None:
    bench = Workbench(nursery, tmp_path, wrong_speed=wrong_speed)
    bench.module.preset.baudrate(has)
    readiness = await bench.run(baudrate=wants)
    assert (readiness.baudrate, bench.module.baudrate, bench.port.baudrate) == (wants,) * 3
    assert is_up(bench)
    assert trio.current_time() < 30


async def test_a_speed_that_is_refused_is_warned_of_and_the_found_one_kept(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Workbench(nursery, tmp_path)
    bench.module.dce.input.tap = lambda data: data.replace(b"+IPR=921600", b"+IPR=1")
    readiness = await bench.run(baudrate=921600)
    assert (readiness.baudrate, bench.port.baudrate) == (115200, 115200)
    assert any(
        "refuses 921600" in r.message for r in caplog.records if r.levelname == "WARNING"
    )


async def test_a_speed_that_does_not_carry_is_taken_back(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path)
    # It says OK and stays where it is.
    bench.module.dce.input.tap = lambda data: data.replace(b"+IPR=921600", b"+IPR=115200")
    readiness = await bench.run(baudrate=921600)
    assert (readiness.baudrate, bench.port.baudrate) == (115200, 115200)
    assert is_up(bench)


async def test_flow_control_is_agreed_on_with_the_module_first(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path
) -> None:
    bench = Workbench(nursery, tmp_path)
    for flow_control, values in (("rtscts", [2, 2]), ("none", [0, 0])):
        await bench.run(flow_control=flow_control)
        assert bench.port.rtscts is (flow_control == "rtscts")
        assert bench.module.dce.settings.values["+IFC"] == values


@pytest.mark.parametrize("port", [0, 1, 2, 3])
async def test_the_module_reports_on_our_port_whichever_that_is(
    autojump_clock: MockClock, nursery: trio.Nursery, tmp_path: Path, port: int
) -> None:
    bench = Workbench(nursery, tmp_path, catr=port)
    await bench.run()
    assert bench.module.dce.settings.values["+CATR"] == [0]
    assert (b"AT+CATR=0\r" in bench.said) == (port != 0)


@pytest.mark.parametrize(("minutes", "values"), [(2, [1, 2, 5, 1]), (0, [0, 1, 5, 1])])
async def test_idle_connections_are_asked_after_unless_that_is_too_dear(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    tmp_path: Path,
    minutes: int,
    values: list[int],
) -> None:
    bench = Workbench(nursery, tmp_path)
    await bench.run(keepalive_min=minutes)
    assert bench.module.dce.settings.values["+CTCPKA"] == values
    assert bench.said.index(b"AT+NETOPEN\r") < bench.said.index(b"AT+CTCPKA=")

"""Bring-up gets a module from any state to an open network, or names what is in the way."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from modemproxy.config import ModemConfig
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.output import Piece
from modemproxy.emulator.profile import Profile
from modemproxy.errors import BringUpFailed, ModemProxyError, first_error
from modemproxy.line.channel import open_channel
from modemproxy.line.port import StreamPort
from modemproxy.module.bringup import Readiness, bring_up
from modemproxy.module.state import StateStore
from modemproxy.module.subscriber import PinRefusedForGood

pytestmark = pytest.mark.timeout(20)


class SpeedPort(StreamPort):
    """A line with a speed."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        super().__init__(stream)
        self.baudrate = 0
        self.rtscts = False

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Note it."""
        await trio.lowlevel.checkpoint()
        self.baudrate = baudrate
        self.rtscts = rtscts


class Workbench:
    """A module that outlives its hosts, and a state directory."""

    def __init__(self, nursery: trio.Nursery, directory: Path, **options: Any) -> None:
        options.setdefault("command_latency_s", 0.005)
        self._nursery = nursery
        self._directory = directory
        self.internet = MemoryInternet(nursery)
        self.module = EmulatedModule(Profile(**options), internet=self.internet)
        self.said = bytearray()
        self.port: SpeedPort
        self.module.trace = self._trace

    def _trace(self, way: str, data: bytes) -> None:
        if way == ">":
            self.said += data

    @property
    def state(self) -> StateStore:
        """The marks, read anew."""
        return StateStore(self._directory, "/dev/emulated")

    async def run(self, **modem: Any) -> Readiness:
        """Be a host that starts; raise what it raises."""
        self.said.clear()
        ours, theirs = trio.testing.memory_stream_pair()
        self.port = SpeedPort(ours)
        self.module.dte_baudrate = lambda: self.port.baudrate
        self._nursery.start_soon(self.module.serve, theirs)
        config = ModemConfig(port="/dev/emulated", **modem)
        try:
            async with open_channel(self.port) as channel:
                return await bring_up(channel, config, connect_s=30, state=self.state)
        except BaseExceptionGroup as group:
            raise first_error(group) from None

    async def fails(self, step: str, match: str, **modem: Any) -> None:
        """Start; it must fail in a step that it names."""
        with pytest.raises(BringUpFailed, match=match) as caught:
            await self.run(**modem)
        assert caught.value.step == step


def is_up(bench: Workbench) -> bool:
    """The stack is open, in buffer mode, without echo, links or servers."""
    dce = bench.module.dce
    return (
        dce.stack.net
        and dce.settings.rxget == 1
        and not dce.settings.echo
        and not dce.stack.any_open()
        and not dce.stack.servers
    )


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
    assert any("refuses 921600" in r.message for r in caplog.records if r.levelname == "WARNING")


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
    await bench.run(flow_control="rtscts")
    assert bench.port.rtscts
    assert bench.module.dce.settings.values["+IFC"] == [2, 2]
    await bench.run()
    assert not bench.port.rtscts
    assert bench.module.dce.settings.values["+IFC"] == [0, 0]


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
    assert not any("9999" in path.read_text() for path in tmp_path.iterdir())


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

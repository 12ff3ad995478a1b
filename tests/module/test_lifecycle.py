"""One session after the other: whatever breaks, links are reset and service comes back."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from modemproxy import app
from modemproxy.config import Config, ModemConfig, Timeouts
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.errors import LineClosed
from modemproxy.line.port import StreamPort
from modemproxy.module.lifecycle import Backoff, Lifecycle, SessionGate
from modemproxy.module.session import Session
from modemproxy.module.state import StateStore

from .rig import FAR, HOSTILE, echo, exchange

pytestmark = pytest.mark.timeout(30)


class Service:
    """A module, and the line to it as often as somebody opens it."""

    def __init__(self, nursery: trio.Nursery, state: StateStore, **options: Any) -> None:
        options.setdefault("command_latency_s", 0.005)
        self._nursery = nursery
        self.state = state
        self.internet = MemoryInternet(nursery)
        self.internet.listen_tcp(FAR, 7, echo)
        self.module = EmulatedModule(Profile(**options), internet=self.internet)
        self.opened = 0
        self.missing = False
        self.far_end: trio.StapledStream[Any, Any]
        self.lifecycle: Lifecycle

    async def open_port(self) -> StreamPort:
        """Plug in."""
        await trio.lowlevel.checkpoint()
        self.opened += 1
        if self.missing:
            raise LineClosed("no such device")
        ours, self.far_end = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self.module.serve, self.far_end)
        return StreamPort(ours)

    def config(self, **modem: Any) -> Config:
        """A configuration without forwards."""
        return Config(
            modem=ModemConfig(port="/dev/emulated", **modem),
            timeouts=Timeouts(shutdown_s=4),
            forwards=(),
            path=Path("test.yaml"),
        )

    async def session(self, limit_s: float) -> Session:
        """Wait for a session."""
        with trio.fail_after(limit_s):
            return await self.lifecycle.gate.wait_session()

    def mute(self, *, on: bool = True) -> None:
        """Have the module say nothing."""
        self.module.dce.out.tap = (lambda piece, data: b"") if on else None


@asynccontextmanager
async def serving(
    directory: Path, modem: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Service]:
    """Run a lifecycle; stop it in the end, which must come to an end."""
    async with trio.open_nursery() as nursery:
        service = Service(nursery, StateStore(directory, "/dev/emulated"), **options)
        service.lifecycle = Lifecycle(
            service.config(**(modem or {})), state=service.state, open_port=service.open_port
        )
        async with trio.open_nursery() as supervisor:
            supervisor.start_soon(service.lifecycle.supervise)
            yield service
            service.lifecycle.stop()
        nursery.cancel_scope.cancel()


async def assert_served(service: Service, limit_s: float) -> None:
    """A new client is served within a time."""
    session = await service.session(limit_s)
    async with session.open_link(FAR, 7, traffic_class="normal", queue_s=5) as link:
        assert await exchange(link, HOSTILE) == HOSTILE


async def assert_all_reset(service: Service, cause: Any, limit_s: float) -> str:
    """Three links, two idle and one busy, break within a time after ``cause()``."""
    session = await service.session(60)
    reasons = []

    async def idle() -> None:
        async with session.open_link(FAR, 7, traffic_class="normal", queue_s=5) as link:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await link.receive_some()
            reasons.append(str(caught.value))

    async def busy() -> None:
        async with session.open_link(FAR, 7, traffic_class="bulk", queue_s=5) as link:
            with pytest.raises(trio.BrokenResourceError) as caught:
                while True:
                    await link.send_all(b"x" * 100)
                    await link.receive_some()
            reasons.append(str(caught.value))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(idle)
        nursery.start_soon(idle)
        nursery.start_soon(busy)
        await trio.sleep(5)
        assert not reasons
        with trio.fail_after(limit_s):
            cause()
            while len(reasons) < 3:
                await trio.sleep(0.01)
    assert service.lifecycle.gate.session is not session
    assert all(reasons)
    return " | ".join(reasons)


async def test_a_lost_network_resets_all_and_is_back_in_ten_seconds(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        reason = await assert_all_reset(service, service.module.lose_network, 1)
        assert "network" in reason
        await assert_served(service, 10)
        assert service.module.complaints == []


@pytest.mark.parametrize("after_loss", [0, 1])
async def test_a_network_lost_without_a_word_is_noticed(
    autojump_clock: MockClock, tmp_path: Path, after_loss: int
) -> None:
    async with serving(tmp_path, netopen_after_loss=after_loss) as service:
        await assert_all_reset(service, lambda: service.module.lose_network(urc=False), 15)
        await assert_served(service, 10)


async def test_a_reboot_with_a_banner_resets_all_and_service_comes_back(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        await assert_all_reset(service, service.module.reboot, 8)
        await assert_served(service, 15)


async def test_a_silent_reboot_under_idle_links_is_noticed_in_15_seconds(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path, boot_delay_s=1.0) as service:
        session = await service.session(60)
        async with session.open_link(FAR, 7, traffic_class="normal", queue_s=5) as link:
            assert await exchange(link, HOSTILE) == HOSTILE
            await trio.sleep(100)
            service.module.reboot(banner=False)
            with trio.fail_after(16), pytest.raises(trio.BrokenResourceError):
                await link.receive_some()
        await assert_served(service, 15)


async def test_a_silent_reboot_without_any_link_is_noticed_too(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        session = await service.session(60)
        await trio.sleep(100)
        service.module.reboot(banner=False)
        with trio.fail_after(25):
            while service.lifecycle.gate.session is session:
                await trio.sleep(0.1)
        await assert_served(service, 15)


async def test_a_silent_reboot_under_traffic_resets_all(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        await assert_all_reset(service, lambda: service.module.reboot(banner=False), 22)
        await assert_served(service, 20)


async def test_a_reboot_to_another_speed_is_followed(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        speed = [0]

        class Fast(StreamPort):
            async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
                await trio.lowlevel.checkpoint()
                speed[0] = baudrate

        real = service.open_port

        async def open_port() -> StreamPort:
            port = await real()
            return Fast(port._stream)

        service.module.dte_baudrate = lambda: speed[0] or None
        service.lifecycle.stop()
        service.lifecycle = Lifecycle(
            service.config(baudrate=921600), state=service.state, open_port=open_port
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.lifecycle.supervise)
            await service.session(60)
            assert service.module.baudrate == 921600
            await assert_all_reset(service, service.module.reboot, 30)
            await assert_served(service, 30)
            assert service.module.baudrate == 921600
            service.lifecycle.stop()


async def test_a_line_that_hangs_up_is_opened_again(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        reason = await assert_all_reset(
            service, lambda: service.far_end.send_stream.close(), 1
        )
        assert "hung up" in reason or "line" in reason
        service.missing = True
        await trio.sleep(60)
        assert 20 <= service.opened <= 60  # looked for every two seconds
        service.missing = False
        await assert_served(service, 5)


async def test_a_mute_module_resets_all_and_service_comes_back_when_it_speaks(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        await assert_all_reset(service, service.mute, 45)
        await trio.sleep(30)
        assert service.lifecycle.gate.session is None
        service.mute(on=False)
        await assert_served(service, 60)


async def test_a_changed_address_ends_the_session(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        await assert_all_reset(
            service, lambda: service.module.set_profile(address="10.1.1.1"), 70
        )
        await assert_served(service, 10)
        session = service.lifecycle.gate.session
        assert session is not None
        assert session.readiness.address == "10.1.1.1"


async def test_echo_that_comes_back_is_looked_into_at_once(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:

        def reboot_unheard() -> None:
            service.module.dce.settings.echo = True
            service.module.dce.settings.rxget = 0

        session = await service.session(60)
        async with session.open_link(FAR, 7, traffic_class="normal", queue_s=5) as link:
            reboot_unheard()
            with trio.fail_after(2), pytest.raises(trio.BrokenResourceError):
                await link.send_all(b"hello")
                await link.receive_some()
        await assert_served(service, 10)


async def test_ten_reboots_in_a_row_are_survived(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        for _ in range(10):
            service.module.reboot()
            await trio.sleep(8)
        await assert_served(service, 60)


async def test_a_stop_closes_the_network_and_clears_the_mark(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        await service.session(60)
        assert service.state.cut_off
        before = service.module.commands["+NETCLOSE"]
    assert service.module.commands["+NETCLOSE"] == before + 1
    assert not service.module.dce.stack.net
    assert not service.state.cut_off
    assert service.module.complaints == []


async def test_a_stop_breaks_links_and_says_why(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        reason = await assert_all_reset(service, service.lifecycle.stop, 2)
        assert "stopping" in reason


async def test_a_broken_session_leaves_its_mark(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        await service.session(60)
        service.missing = True
        await service.far_end.aclose()
        await trio.sleep(5)
        assert service.state.cut_off


async def test_a_pin_that_was_refused_for_good_is_left_alone(
    autojump_clock: MockClock,
) -> None:
    async with serving(Path("/proc/none"), {"pin": "9999"}, sim="SIM PIN") as service:
        await trio.sleep(500)
        assert service.opened == 1
        assert service.module.dce.radio.pin_left == 2


async def test_a_pin_that_was_refused_is_not_sent_by_later_tries(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path, {"pin": "9999"}, sim="SIM PIN") as service:
        await trio.sleep(500)
        assert service.opened > 1
        assert service.module.dce.radio.pin_left == 2


# -- app.run: everything together, without clients -----------------------------------------


@pytest.mark.parametrize("when_s", [0.0, 0.5, 3.0, 30.0])
@pytest.mark.parametrize("mute", [True, False])
async def test_the_program_stops_in_time_whatever_the_module_does(
    autojump_clock: MockClock, tmp_path: Path, when_s: float, mute: bool
) -> None:
    async with trio.open_nursery() as nursery:
        service = Service(nursery, StateStore(tmp_path, "/dev/emulated"))
        service.mute(on=mute)
        stop = trio.Event()

        async def stop_later() -> None:
            await trio.sleep(when_s)
            stop.set()
            nursery.cancel_scope.deadline = trio.current_time() + 4

        nursery.start_soon(stop_later)
        await app.run(
            service.config(), open_port=service.open_port, state=service.state, stop=stop
        )
        assert trio.current_time() <= when_s + 4
        ended = True
        nursery.cancel_scope.cancel()
    assert ended
    if not mute and when_s >= 3:
        assert not service.module.dce.stack.net


async def test_the_program_stops_in_time_when_the_module_falls_silent(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with trio.open_nursery() as nursery:
        service = Service(nursery, StateStore(tmp_path, "/dev/emulated"))
        stop = trio.Event()

        async def stop_later() -> None:
            await trio.sleep(30)
            service.mute()
            await trio.sleep(2)
            stop.set()

        nursery.start_soon(stop_later)
        await app.run(
            service.config(), open_port=service.open_port, state=service.state, stop=stop
        )
        assert trio.current_time() <= 36
        nursery.cancel_scope.cancel()


# -- the gate and the pauses ---------------------------------------------------------------


async def test_the_gate_lets_everyone_in_who_waited(autojump_clock: MockClock) -> None:
    gate = SessionGate()
    session: Session = object.__new__(Session)
    came: list[Session] = []

    async def client() -> None:
        came.append(await gate.wait_session())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(client)
        await trio.testing.wait_all_tasks_blocked()
        assert came == []
        with gate.opened(session):
            assert gate.session is session
            await trio.testing.wait_all_tasks_blocked()
            assert came == [session] * 3
            nursery.start_soon(client)
        assert gate.session is None
        await trio.testing.wait_all_tasks_blocked()
        assert len(came) == 3  # it came a moment too late, and waits for the next
        with gate.opened(session):
            await trio.testing.wait_all_tasks_blocked()
    assert len(came) == 4


def test_pauses_double_up_to_five_minutes_and_are_forgotten_when_stable() -> None:
    random.seed(1)
    backoff = Backoff()
    pauses = [backoff.next_pause(device_missing=False, up_for_s=1) for _ in range(14)]
    for pause, want in zip(pauses, [0.5 * 2**n for n in range(10)] + [300] * 4, strict=True):
        assert 0.8 * min(want, 300) <= pause <= 1.2 * min(want, 300)
    assert len({pause / want for pause, want in zip(pauses[10:], [300] * 4, strict=True)}) > 1
    assert backoff.next_pause(device_missing=False, up_for_s=61) <= 0.6


def test_a_missing_device_is_looked_for_every_two_seconds() -> None:
    backoff = Backoff()
    pauses = [backoff.next_pause(device_missing=True, up_for_s=1) for _ in range(20)]
    assert max(pauses) <= 2.4

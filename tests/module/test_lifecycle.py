"""One session after the other: whatever breaks, links are reset and service comes back."""

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from modemproxy.line.port import StreamPort
from modemproxy.module.lifecycle import Lifecycle
from modemproxy.module.link import Link

from .rig import CLAIM, FAR, HOSTILE, exchange, until
from .service import Service, serving

pytestmark = pytest.mark.timeout(30)


async def assert_served(service: Service, limit_s: float) -> None:
    """A new client is served within a time."""
    session = await service.session(limit_s)
    async with session.open_link(FAR, 7, claim=CLAIM, queue_s=5) as link:
        assert await exchange(link, HOSTILE) == HOSTILE


async def talk_for_ever(link: Link) -> None:
    """Keep an echo busy."""
    while True:
        await link.send_all(b"x" * 100)
        await link.receive_some()


async def assert_all_reset(service: Service, cause: Any, limit_s: float) -> str:
    """Three links, two idle and one busy, break within a time after ``cause()``."""
    session = await service.session(60)
    reasons = []

    async def idle() -> None:
        async with session.open_link(FAR, 7, claim=CLAIM, queue_s=5) as link:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await link.receive_some()
            reasons.append(str(caught.value))

    async def busy() -> None:
        async with session.open_link(FAR, 7, claim=CLAIM, queue_s=5) as link:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await talk_for_ever(link)
            reasons.append(str(caught.value))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(idle)
        nursery.start_soon(idle)
        nursery.start_soon(busy)
        await trio.sleep(5)
        assert not reasons
        cause()
        await until(lambda: len(reasons) == 3, limit_s)
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
        async with session.open_link(FAR, 7, claim=CLAIM, queue_s=5) as link:
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
        await until(lambda: service.lifecycle.gate.session is not session, 25)
        await assert_served(service, 15)


async def test_a_silent_reboot_under_traffic_resets_all(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        await assert_all_reset(service, lambda: service.module.reboot(banner=False), 19)
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
        reason = await assert_all_reset(service, lambda: service.far_end.send_stream.close(), 1)
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
        async with session.open_link(FAR, 7, claim=CLAIM, queue_s=5) as link:
            reboot_unheard()
            with trio.fail_after(2), pytest.raises(trio.BrokenResourceError):
                await talk_for_ever(link)
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


@pytest.mark.parametrize("sending", [True, False])
async def test_a_session_that_ends_inside_a_send_leaves_its_mark(
    autojump_clock: MockClock, tmp_path: Path, sending: bool
) -> None:
    async with serving(tmp_path, prompt_latency_s=3.0) as service:
        session = await service.session(60)
        service.missing = True
        async with session.open_link(FAR, 7, claim=CLAIM, queue_s=5) as link:
            if sending:
                await link.send_all(b"payload")
                await trio.sleep(1)  # the command is out, its prompt is not here yet
            await service.far_end.aclose()
            await trio.sleep(1)
        assert service.state.cut_off is sending


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
        assert service.module.commands["+CPIN"] > 10
        assert service.module.dce.radio.pin_left == 2

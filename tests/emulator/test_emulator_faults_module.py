"""Faults of the module as a whole, and of the line."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.emulator.faultbench import OK, PROMPT, fault_bench


@pytest.mark.parametrize(
    ("banner", "said"),
    [
        ("none", b""),
        ("RDY", b"\x00\r\nRDY\r\n"),
        ("*ATREADY: 1", b"\x00\r\n*ATREADY: 1\r\n"),
    ],
)
async def test_a_restart_sets_everything_back(
    autojump_clock: MockClock, nursery: trio.Nursery, banner: str, said: bytes
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("reboot", banner=banner, boot_s=2)
    assert await b.ask("AT") == b""
    assert await b.dte.heard(2.5) == said
    assert await b.ask("AT+CIPRXGET?") == b"AT+CIPRXGET?\r\r\n+CIPRXGET: 0\r\n" + OK
    assert b"+NETOPEN: 0" in await b.ask("AT+NETOPEN?")
    assert b.far[0].was_reset


async def test_a_restart_says_the_banner_of_the_profile(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery)
    b.faults.inject("reboot")
    said = await b.dte.heard(10)
    assert said.startswith(b"\x00\r\n*ATREADY: 1\r\n")
    assert said.endswith(b"PB DONE\r\n")


async def test_a_restart_at_another_speed(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery)
    b.module.dce.baudrate = 921600
    b.faults.inject("reboot", baudrate=9600)
    assert b.module.baudrate == 9600


async def test_a_boot_loop(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery, boot_delay_s=1)
    b.faults.inject("boot_loop", period_s=8, for_s=120)
    said = await b.dte.heard(200)
    assert said.count(b"*ATREADY") == 15
    assert await b.ask("AT") == b"AT\r" + OK


async def test_off_and_on(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("power_off", for_s=60)
    assert await b.ask("AT", after_s=59) == b""
    assert b"*ATREADY: 1" in await b.dte.heard(10)


@pytest.mark.parametrize("keep", [True, False])
async def test_deaf_for_a_while(
    autojump_clock: MockClock, nursery: trio.Nursery, keep: bool
) -> None:
    b = await fault_bench(nursery)
    b.faults.inject("deaf", keep=keep, for_s=15)
    assert await b.ask("AT", after_s=5) == b""
    assert await b.ask("AT+CSQ", after_s=5) == b""
    late = OK + b"\r\n+CSQ: 22,0\r\n" + OK
    assert await b.dte.heard(6) == (late if keep else b"")
    assert await b.ask("AT") == OK


@pytest.mark.parametrize("keep", [True, False])
async def test_mute_for_a_while(
    autojump_clock: MockClock, nursery: trio.Nursery, keep: bool
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("mute", keep=keep, for_s=15)
    assert await b.send(b"abcd") == b""
    assert await b.dte.heard(16) == (PROMPT if keep else b"")
    assert await b.dte.ask(b"abcd") == OK + b"\r\n+CIPSEND: 0,4,4\r\n"


async def test_everything_is_slow(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery, command_latency_s=0.01)
    b.faults.inject("slow", factor=10, add_s=0.5, for_s=60)
    assert await b.ask("AT", after_s=0.55) == b""
    assert await b.dte.heard(0.1) == OK
    await trio.sleep(60)
    assert await b.ask("AT", after_s=0.02) == OK


async def test_another_speed(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery)
    b.module.dte_baudrate = lambda: 115200
    b.faults.inject("speed", baudrate=9600)
    assert await b.ask("AT") == b""
    assert b.module.baudrate == 9600


async def test_another_process_gives_a_command(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery)
    b.faults.inject("foreign_command")
    assert await b.settled() == OK
    b.faults.inject("foreign_command", text="ATI")
    assert b"Manufacturer" in await b.settled()


# -- bytes --


async def test_bytes_from_the_module_are_lost_at_random(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("overrun", per_mb=20)
    sent = heard = 0
    for _ in range(700):
        before = b.module.bytes_out
        await b.far_sends(bytes(1000))
        said = await b.read()
        sent += 1000 + len(b"\r\n+CIPRXGET: 2,0,1000,0\r\n" + OK)
        heard += len(said)
        assert b.module.bytes_out - before >= len(said)
    hits = len(b.faults.log)
    assert 5 <= hits <= 30
    assert hits <= sent - heard <= 64 * hits


@pytest.mark.parametrize(
    ("where", "hit"), [("payload", "payload"), ("header", "header"), ("lines", "line")]
)
async def test_only_a_part_of_what_is_said_is_changed(
    autojump_clock: MockClock, nursery: trio.Nursery, where: str, hit: str
) -> None:
    b = await fault_bench(nursery, 0)
    await b.far_sends(b"0123456789")
    b.faults.inject("garble_bytes", where=where, bits="all", times=1)
    header, payload, line = b"\r\n+CIPRXGET: 2,0,10,0\r\n", b"0123456789", OK
    said = await b.read()
    assert len(said) == len(header + payload + line)
    parts = {
        "header": said[: len(header)] != header,
        "payload": said[len(header) : -len(line)] != payload,
        "line": said[-len(line) :] != line,
    }
    assert [name for name, changed in parts.items() if changed] == [hit]


async def test_one_bit_is_flipped(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery)
    b.faults.inject("garble_bytes", times=1)
    said = await b.ask("AT")
    flipped = [x ^ y for x, y in zip(said, OK, strict=True) if x != y]
    assert len(flipped) == 1
    assert flipped[0].bit_count() == 1


@pytest.mark.parametrize("name", ["lose_bytes", "garble_bytes"])
async def test_commands_are_hit_and_payloads_are_not(
    autojump_clock: MockClock, nursery: trio.Nursery, name: str
) -> None:
    b = await fault_bench(nursery, 0)
    await b.dte.ask(b"AT+CIPSEND=0,4\r")
    b.faults.inject(name, direction="in", where="header", times=1, least=2, most=2)
    assert await b.dte.ask(b"abcd") == OK + b"\r\n+CIPSEND: 0,4,4\r\n"
    assert await b.ask("AT") != OK
    assert bytes(b.got[0]) == b"abcd"
    assert b.struck() == [name]


async def test_what_is_said_comes_in_slices(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    sizes: list[int] = []
    real = b.dte.send_all

    async def note(data: Any) -> None:
        sizes.append(len(data))
        await real(data)

    b.dte.send_all = note  # type: ignore[method-assign]
    b.faults.inject("slicer", least=1, most=7, pause_s=0.001)
    await b.far_sends(bytes(500))
    await b.ask("AT+CIPRXGET=2,0,1460", after_s=1)
    assert 1 <= min(sizes) <= max(sizes) <= 7
    assert sum(sizes) >= 500
    b.faults.clear()
    sizes.clear()
    assert await b.ask("AT") == OK
    assert sizes == [6]

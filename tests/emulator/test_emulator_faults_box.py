"""The box of faults: dice, limits, the log, and how everything ends."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.faults import Fault, FaultBox, Struck
from tests.emulator.faultbench import BUSY, OK, PROMPT, fault_bench


async def test_rules_have_dice_of_their_own(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def run(*, other: bool) -> list[bool]:
        b = await fault_bench(nursery, 0)
        b.faults.inject("send_busy", probability=0.5)
        if other:
            b.faults.inject("lose_answer", command="+CSQ", probability=0.5)
        said = []
        for _ in range(20):
            await b.ask("AT+CSQ")
            said.append(await b.send(b"x") == BUSY)
        return said

    assert await run(other=False) == await run(other=True)


async def test_windows_of_the_dialect_may_overlap(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, short_reads=9)
    first = b.faults.inject("profile", set={"short_reads": 1, "cipack": False})
    second = b.faults.inject("profile", set={"short_reads": 2})
    third = b.faults.inject("profile", set={"short_reads": 3}, for_s=1)
    seen = [b.module.profile.short_reads]
    first.lift()
    seen.append(b.module.profile.short_reads)
    await trio.sleep(1.1)
    seen.append(b.module.profile.short_reads)
    second.lift()
    seen.append(b.module.profile.short_reads)
    assert seen == [3, 3, 2, 9]
    assert b.module.profile.cipack
    assert not third.standing


async def test_clear_lifts_everything_and_ends_all_rules(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    for name in ("send_busy", "deaf", "blocked", "mute", "network_dead", "slow", "slicer"):
        b.faults.inject(name)
    b.faults.add(Fault("reboot", at_s=5))
    b.faults.add(Fault("reboot", on_command="+CSQ"))
    assert len(b.faults.standing) == 7
    b.faults.clear()
    assert b.faults.standing == []
    await trio.sleep(10)
    await b.ask("AT+CSQ")
    assert await b.send(b"abcd") == PROMPT + OK + b"\r\n+CIPSEND: 0,4,4\r\n"
    assert "reboot" not in b.struck()


async def test_close_ends_a_window_and_lift_a_rule(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    rule = b.faults.add(Fault("send_busy", every_s=10, times=0))
    await trio.sleep(11)
    assert rule.armed
    rule.close()
    assert b"OK" in await b.send(b"x")
    await trio.sleep(10)
    assert await b.send(b"x") == BUSY
    rule.lift()
    await trio.sleep(20)
    assert b"OK" in await b.send(b"x")
    assert rule.strikes == 1


async def test_the_log_has_time_name_and_detail(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    heard: list[Struck] = []
    b.faults.on_strike = heard.append
    b.faults.inject("send_busy", times=1)
    b.faults.inject("reboot", banner="none")
    await b.send(b"x")
    assert [(name, detail) for _, name, detail in b.faults.log] == [("reboot", "banner none")]
    assert heard == b.faults.log
    assert heard[0].time == trio.current_time() - b.faults.started - 0.01


async def test_nothing_vanishes_without_a_port(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery)
    with pytest.raises(ValueError, match="nobody can unplug"):
        b.faults.inject("vanish")


async def test_a_box_without_rules_changes_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    FaultBox(b.module)
    assert await b.send(b"abcd") == PROMPT + OK + b"\r\n+CIPSEND: 0,4,4\r\n"
    await b.far_sends(b"hello")
    assert await b.read() == b"\r\n+CIPRXGET: 2,0,5,0\r\nhello\r\nOK\r\n"


async def test_what_cannot_happen_is_neither_counted_nor_told(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery)
    rule = b.faults.add(Fault("far_close", every_s=1, times=1))
    await trio.sleep(3.5)
    assert b.faults.log == []
    await b.open(0)
    await trio.sleep(3)
    assert [entry.detail for entry in b.faults.log] == ["0, code 1"]
    assert rule.strikes == 1


async def test_what_is_over_costs_nothing_any_more(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    kept = b.faults.inject("slow")
    for _ in range(50):
        b.faults.inject("send_busy", times=1)
        assert b.faults.standing == ["slow", "send_busy"]
        assert (await b.send(b"x")).endswith(BUSY)
        b.faults.inject("deaf", for_s=0.1)
        b.faults.inject("echo_on")
        await trio.sleep(0.2)
        assert b.faults.standing == ["slow"]
    b.faults.inject("echo_on")
    assert len(b.faults._rules) <= 3
    kept.lift()
    assert b.faults.standing == []


async def test_a_restart_empties_what_a_deaf_module_has_heard(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, boot_echo=False)
    b.faults.inject("deaf", for_s=15)
    await b.ask("ATI")
    b.faults.inject("reboot", banner="none", boot_s=1)
    await trio.sleep(5)
    assert await b.ask("AT") == b""
    assert await b.dte.heard(15) == OK


async def test_one_seed_replays_a_run_to_the_byte(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def run(seed: int) -> tuple[bytes, list[Struck]]:
        b = await fault_bench(nursery, 0, 1, seed=seed)
        b.faults.started = trio.current_time()
        b.faults.add(Fault("send_busy", probability=0.2))
        b.faults.add(Fault("short_confirm", missing=1, probability=0.3))
        b.faults.add(Fault("garble_bytes", per_mb=10_000))
        b.faults.add(Fault("lose_bytes", direction="in", where="payload", probability=0.05))
        b.faults.add(Fault("say", every_s=0.5, jitter_s=0.5))
        b.faults.add(Fault("reboot", probability=0.005, boot_s=0.1))
        said = b""
        for number in range(60):
            said += await b.send(b"abcd", number % 2)
        b.faults.clear()
        rounded = [entry._replace(time=round(entry.time, 6)) for entry in b.faults.log]
        return said, rounded

    first = await run(1)
    assert len({entry.name for entry in first[1]}) >= 4
    assert await run(1) == first
    assert await run(2) != first

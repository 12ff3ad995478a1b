"""What sets faults off, how often they strike, and how they end."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.faults import Fault
from tests.emulator.faultbench import BUSY, ERROR, OK, PROMPT, FaultBench, fault_bench


def times_of(b: FaultBench, name: str) -> list[float]:
    return [round(entry.time, 3) for entry in b.faults.log if entry.name == name]


@pytest.mark.parametrize(
    ("when", "at"),
    [
        ({}, [0.0]),
        ({"at_s": 5}, [5.0]),
        ({"every_s": 10}, [10.0, 20.0, 30.0]),
        ({"every_s": 10, "times": 2}, [10.0, 20.0]),
        ({"at_s": 1, "every_s": 10}, [1.0, 11.0, 21.0, 31.0]),
    ],
)
async def test_time_sets_an_event_off(
    autojump_clock: MockClock, nursery: trio.Nursery, when: dict[str, Any], at: list[float]
) -> None:
    b = await fault_bench(nursery)
    start = trio.current_time() - b.faults.started
    b.faults.add(Fault("echo_on", **when))
    await trio.sleep(32)
    assert [round(t - start, 3) for t in times_of(b, "echo_on")] == at


async def test_jitter_comes_from_the_seed(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def run(seed: int) -> list[float]:
        b = await fault_bench(nursery, seed=seed)
        start = trio.current_time() - b.faults.started
        b.faults.add(Fault("echo_on", every_s=10, jitter_s=2))
        await trio.sleep(40)
        b.faults.clear()
        return [round(t - start, 6) for t in times_of(b, "echo_on")]

    first = await run(1)
    assert len(first) == 3
    assert all(10 * n <= t <= 12 * n for n, t in enumerate(first, 1))
    assert first == await run(1) != await run(2)


async def test_a_window_opens_again_and_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.add(Fault("send_busy", every_s=10, for_s=3))
    said = []
    for _ in range(30):
        await trio.sleep(0.99)
        said.append(await b.send(b"x") == BUSY)
    assert [n + 1 for n, busy in enumerate(said) if busy] == [11, 12, 13, 21, 22, 23]


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ({"on_command": "+CSQ"}, [1]),
        ({"on_command": {"name": "at+csq", "nth": 3}}, [3]),
        ({"on_command": {"name": "+CSQ", "every": 2}}, [2, 4, 6]),
        ({"on_command": {"name": "+CSQ", "every": 2, "nth": 3}}, [4, 6]),
        ({"on_command": {"name": "+CSQ", "nth": 2}, "times": 3}, [2, 3, 4]),
    ],
)
async def test_counted_commands_set_a_filter_off(
    autojump_clock: MockClock, nursery: trio.Nursery, when: dict[str, Any], hit: list[int]
) -> None:
    b = await fault_bench(nursery)
    b.faults.add(Fault("answer", command="+CSQ", **when))
    said = []
    for _ in range(6):
        await b.ask("AT+CREG?")
        said.append(await b.ask("AT+CSQ") == ERROR)
    assert [n for n, failed in enumerate(said, 1) if failed] == hit


async def test_commands_of_one_link_are_counted(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0, 1)
    b.faults.add(Fault("echo_on", on_command={"name": "+CIPSEND", "nth": 2, "link": 1}))
    for link, expected in ((0, 0), (0, 0), (1, 0), (0, 0), (1, 1)):
        await b.ask(f"ATE0;+CIPSEND={link},1")
        await b.dte.ask(b"x")
        assert len(b.faults.log) == expected


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("prompt", b"\r\nHELLO\r\n" + PROMPT + OK + b"\r\n+CIPSEND: 0,1,1\r\n"),
        ("payload", PROMPT + b"\r\nHELLO\r\n" + OK + b"\r\n+CIPSEND: 0,1,1\r\n"),
        ("ok", PROMPT + b"\r\nHELLO\r\n" + OK + b"\r\n+CIPSEND: 0,1,1\r\n"),
        ("result", PROMPT + OK + b"\r\nHELLO\r\n" + b"\r\n+CIPSEND: 0,1,1\r\n"),
    ],
)
async def test_a_moment_of_a_send_sets_an_event_off(
    autojump_clock: MockClock, nursery: trio.Nursery, phase: str, said: bytes
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.add(Fault("say", text="HELLO", on_send={"phase": phase, "nth": 2}))
    assert b"HELLO" not in await b.send(b"x")
    assert await b.send(b"x") == said
    assert b"HELLO" not in await b.send(b"x")


@pytest.mark.parametrize(
    ("phase", "said", "got"),
    [
        ("prompt", b"", b""),
        ("payload", PROMPT, b""),
        ("ok", PROMPT, b"x"),
        ("result", PROMPT, b"x"),
    ],
)
async def test_a_restart_in_the_middle_of_a_send_ends_it_there(
    autojump_clock: MockClock, nursery: trio.Nursery, phase: str, said: bytes, got: bytes
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.add(Fault("reboot", banner="RDY", boot_s=1, on_send=phase))
    assert await b.send(b"x") == said
    assert bytes(b.got[0]) in (got, b"")
    assert await b.dte.heard(1.5) == b"\x00\r\nRDY\r\n"
    assert await b.ask("AT") == b"AT\r" + OK
    assert b.module.profile.boot_delay_s == 3.0


@pytest.mark.parametrize(
    ("when", "hits"),
    [
        ({"after_bytes_in": 20}, 1),
        ({"every_bytes_in": 20}, 3),
        ({"after_bytes_out": 20}, 1),
        ({"every_bytes_out": 20}, 3),
    ],
)
async def test_bytes_set_an_event_off(
    autojump_clock: MockClock, nursery: trio.Nursery, when: dict[str, Any], hits: int
) -> None:
    b = await fault_bench(nursery)
    b.faults.add(Fault("say", text="", raw=True, **when))
    for _ in range(10):
        await b.dte.ask(b"AT    \r")
    assert len(b.faults.log) == hits


async def test_an_event_with_dice_only_is_thrown_at_every_command(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery)
    b.faults.add(Fault("echo_on", probability=0.3))
    for _ in range(100):
        await b.ask("ATE0")
    assert 15 < len(b.faults.log) < 45

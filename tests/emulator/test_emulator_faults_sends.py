"""Faults of CIPSEND, seen by a DTE played by hand."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.memory import FarDatagrams
from tests.emulator.faultbench import BUSY, ERROR, OK, PROMPT, FaultBench, fault_bench


def result(link: int, wanted: int, confirmed: int) -> bytes:
    return b"\r\n+CIPSEND: %d,%d,%d\r\n" % (link, wanted, confirmed)


GOOD = PROMPT + OK + result(0, 4, 4)
SHORT = result(0, 4, 2)


@pytest.mark.parametrize(
    ("name", "given", "said", "got"),
    [
        ("send_error", {}, ERROR, b""),
        ("send_busy", {}, BUSY, b""),
        ("send_busy", {"form": "text"}, b"\r\n+IP ERROR: TCP busy\r\n" + ERROR, b""),
        ("send_fails", {"sent": True}, PROMPT + ERROR, b"abcd"),
        ("send_fails", {"sent": False}, PROMPT + ERROR, b""),
        ("prompt_lost", {}, b"", b""),
        ("lose_final", {"command": "+CIPSEND"}, PROMPT + result(0, 4, 4), b"abcd"),
        ("drop_urc", {"urc": "send_result"}, PROMPT + OK, b"abcd"),
        ("double_verdict", {}, PROMPT + OK + result(0, 4, 0) + result(0, 4, 4), b"abcd"),
        ("double_verdict", {"first": "error"}, PROMPT + ERROR + OK + result(0, 4, 4), b"abcd"),
        ("short_confirm", {}, PROMPT + OK + result(0, 4, -1), b""),
        ("short_confirm", {"confirmed": 0}, PROMPT + OK + result(0, 4, 0), b""),
        ("short_confirm", {"missing": 1}, PROMPT + OK + result(0, 4, 3), b"abc"),
        ("short_confirm", {"missing": 2, "taken": True}, PROMPT + OK + SHORT, b"abcd"),
        ("short_confirm", {"taken": True}, PROMPT + OK + result(0, 4, -1), b"abcd"),
    ],
)
async def test_a_send_goes_wrong_once(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    name: str,
    given: dict[str, Any],
    said: bytes,
    got: bytes,
) -> None:
    b = await fault_bench(nursery, 0, 1)
    b.faults.inject(name, link=0, times=1, **given)
    assert await b.send(b"abcd", 1) == GOOD.replace(b" 0,", b" 1,")
    assert await b.send(b"abcd") == said
    assert bytes(b.got[0]) == got
    assert b.struck() == [name]
    assert await b.send(b"more") == GOOD
    assert bytes(b.got[0]) == got + b"more"
    assert b.module.complaints == []


@pytest.mark.parametrize(("missing", "taken", "sent"), [(2, False, 2), (2, True, 4)])
async def test_cipack_tells_the_truth_about_a_short_confirm(
    autojump_clock: MockClock, nursery: trio.Nursery, missing: int, taken: bool, sent: int
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("short_confirm", missing=missing, taken=taken)
    await b.send(b"abcd")
    assert b"+CIPACK: %d,%d,0" % (sent, sent) in await b.ask("AT+CIPACK=0")


async def test_a_short_confirm_can_be_the_end_of_the_link(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("short_confirm", link_dies=True)
    assert result(0, 4, -1) in await b.send(b"abcd")
    assert b"+CIPCLOSE: 0,0,0" in await b.ask("AT+CIPCLOSE?")
    assert b.far[0].was_reset


async def test_a_prompt_comes_late(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("prompt_late", delay_s=4, times=1)
    assert await b.ask("AT+CIPSEND=0,4", after_s=3.9) == b""
    assert await b.dte.heard(0.2) == PROMPT
    assert await b.dte.ask(b"abcd") == OK + result(0, 4, 4)
    assert await b.send(b"abcd") == GOOD


async def test_a_prompt_is_lost_and_the_module_waits_for_payload(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("prompt_lost", module="waiting", times=1)
    assert await b.send(b"abcd") == b""
    assert await b.dte.ask(b"abcd") == OK + result(0, 4, 4)
    assert b.module.profile.prompt_text == "\r\n>"


async def test_a_result_comes_late_and_the_link_is_busy_until_then(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0, 1)
    b.faults.inject("late_result", times=1)
    assert await b.send(b"abcd") == PROMPT + OK
    assert await b.send(b"abcd") == BUSY
    assert await b.send(b"abcd", 1) == GOOD.replace(b" 0,", b" 1,")
    assert await b.dte.heard(10) == result(0, 4, 4)
    assert await b.send(b"abcd") == GOOD


async def test_busy_for_a_while_on_one_link(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0, 1)
    b.faults.inject("send_busy", link=0, for_s=20)
    assert await b.send(b"abcd") == BUSY
    assert await b.send(b"abcd", 1) == GOOD.replace(b" 0,", b" 1,")
    await trio.sleep(19.5)
    assert await b.send(b"abcd") == BUSY
    await trio.sleep(1)
    assert await b.send(b"abcd") == GOOD
    assert b.faults.standing == []


async def test_a_share_of_the_sends_is_busy_and_the_seed_says_which(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async def run(seed: int) -> list[bool]:
        b = await fault_bench(nursery, 0, seed=seed)
        b.faults.inject("send_busy", probability=0.3)
        return [await b.send(b"x") == BUSY for _ in range(100)]

    first = await run(1)
    assert 15 < sum(first) < 45
    assert await run(1) == first
    assert await run(2) != first


async def test_payload_bytes_are_lost_and_the_module_goes_on_waiting(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    b = await fault_bench(nursery, 0)
    b.faults.inject("lose_bytes", direction="in", where="payload", least=4, most=4, times=1)
    assert await b.send(b"abcdefgh") == PROMPT
    assert await b.ask("AT") == b""
    assert await b.dte.heard(130) == ERROR, "the module's own time-out"
    assert bytes(b.got[0]) == b""
    assert await b.send(b"abcd") == GOOD


async def udp_link(nursery: trio.Nursery) -> tuple[FaultBench, FarDatagrams]:
    """A bench with UDP link 0, and the far socket its datagrams go to."""
    b = await fault_bench(nursery)
    await b.ask('AT+CIPOPEN=0,"UDP",,,5000')
    return b, b.internet.listen_udp("d.example", 53)


@pytest.mark.parametrize(
    ("name", "given", "said", "sent"),
    [
        ("send_fails", {"sent": True}, ERROR, True),
        ("send_fails", {"sent": False}, ERROR, False),
        ("short_confirm", {}, OK + result(0, 4, -1), False),
        ("short_confirm", {"taken": True}, OK + result(0, 4, -1), True),
        ("short_confirm", {"missing": 1}, OK + result(0, 4, 3), False),
    ],
)
async def test_a_datagram_goes_wrong(
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    name: str,
    given: dict[str, Any],
    said: bytes,
    sent: bool,
) -> None:
    b, far = await udp_link(nursery)
    b.faults.inject(name, times=1, **given)
    await b.dte.ask(b'AT+CIPSEND=0,4,"d.example",53\r')
    assert await b.dte.ask(b"abcd") == said
    assert [data for data, _ in far.received] == [b"abcd"] * sent
    await b.dte.ask(b'AT+CIPSEND=0,4,"d.example",53\r')
    assert await b.dte.ask(b"more") == OK + result(0, 4, 4)
    assert far.received[-1] == (b"more", 5000)


@pytest.mark.parametrize("first", ["send_fails", "short_confirm"])
async def test_two_faults_of_one_send_do_not_send_it_twice(
    autojump_clock: MockClock, nursery: trio.Nursery, first: str
) -> None:
    b = await fault_bench(nursery, 0)
    second = "short_confirm" if first == "send_fails" else "send_fails"
    given: dict[str, dict[str, Any]] = {
        "send_fails": {"sent": True},
        "short_confirm": {"missing": 2, "taken": True},
    }
    for name in (first, second):
        b.faults.inject(name, times=1, **given[name])
    assert await b.send(b"abcd") == PROMPT + ERROR
    assert bytes(b.got[0]) == b"abcd"
    b.faults.clear()
    assert await b.send(b"more") == GOOD
    assert bytes(b.got[0]) == b"abcdmore"

"""AT commands of an operator beside live traffic: bytes exact, answers right, no damage."""

import logging
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream
from modemproxy.operate.watching import Forced
from tests.surfaces.stand import until

from .steered import Steered, echo, forward, forwards, send_and_take, steered, talks

pytestmark = pytest.mark.timeout(60)

BULK = bytes(range(256)) * 200
#: What is asked, and how its answer begins.
ASKED = {
    "AT+CSQ": "+CSQ: ",
    "at i": "Manufacturer: ",
    "AT+CPIN?": "+CPIN: READY",
    "AT+CEREG?": "+CEREG: 1,1",
    "AT+CIPOPEN?": "+CIPOPEN: 0",
    "AT+NETOPEN?": "+NETOPEN: 1",
    "AT+CGSN": "869000",
    "AT+CICCID": "+ICCID: ",
    "AT+COPS?": "+COPS: ",
}


async def test_commands_are_answered_in_the_midst_of_transfers(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    """While others open, fill and close links, whose reports have the same names."""
    async with steered(tmp_path, forwards(forward()), command_latency_s=0.01) as s:
        s.play(80, echo)
        moved = 0

        async def transfer() -> None:
            nonlocal moved
            for _ in range(2):
                client = await s.client()
                assert await send_and_take(client, BULK[:9000]) == BULK[:9000]
                await client.aclose()
                moved += 1

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(transfer)
            asked = 0
            while moved < 6:
                for command, begin in ASKED.items():
                    answer = await s.ask("at", command=command)
                    assert answer["final"] == "OK"
                    assert answer["lines"][0].startswith(begin), (command, answer)
                    asked += 1
        assert asked >= len(ASKED)
        status = (await s.ask("status"))["status"]
        assert status["module"]["sessions"] == 1
        assert status["module"]["recoveries"] == {}
        assert status["surfaces"][0]["causes"].keys() <= {"--"}


async def test_what_is_refused_says_why_and_never_reaches_the_module(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        before = s.module.commands.total()
        for command, why in {
            "AT+CFUN=0": "--force",
            "AT+CIPCLOSE=0": "--force",
            "AT+COPS=?": "--force",
        }.items():
            answer = await s.ask("at", command=command)
            assert answer["ok"] is False
            assert why in answer["error"]
        for command, why in {
            "AT+CIPSEND=0,1": "asks for payload",
            "AT +IPR = 9600": "how the line works",
            "ATI+IPR=9600": "not a single command",
            "ATE1": "not a single command",
            "AT+CPIN=0000": "modem.pin",
            "AT+CSQ;+CFUN=0": "one command at a time",
            "AT+CSQ\rAT+CFUN=0": "one line",
        }.items():
            answer = await s.ask("at", command=command, force=True)
            assert answer["ok"] is False
            assert why in answer["error"]
        wrong: list[dict[str, Any]] = [
            {},
            {"command": 5},
            {"command": "AT", "force": "yes"},
            {"command": "AT", "timeout_s": 1e9},
            {"command": "AT", "timeout_s": 0},
            {"command": "AT", "timeout_s": True},
            {"command": "AT", "timeout_s": "9"},
        ]
        for keys in wrong:
            assert (await s.ask("at", **keys))["ok"] is False
        assert s.module.commands.total() == before


async def test_what_is_forced_is_done_and_remembered(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modemproxy")
    async with steered(tmp_path, forwards(forward())) as s:
        answer = await s.ask("at", command='AT+CGAUTH=2,1,"secret","me"', force=True)
        assert answer["ok"]
        forced = Forced('AT+CGAUTH=2,1,"******","**"')
        events = (await s.ask("events"))["events"]
        assert [each["text"] for each in events if each["kind"] == "Forced"] == [forced.text]
        await s.ask("at", command="AT+CSQ", force=True)  # it needed no force
        events = (await s.ask("events"))["events"]
        assert len([each for each in events if each["kind"] == "Forced"]) == 1
        assert "AT+CSQ" in caplog.text
        assert "secret" not in caplog.text


async def test_a_refusal_of_the_modules_is_an_answer(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        bare = await s.ask("at", command="AT+NOPE?")
        assert bare == {"ok": True, "lines": [], "final": "ERROR"}
        worded = await s.ask("at", command="AT+CIPACK=9")
        assert worded["ok"]
        assert worded["final"] == "ERROR"
        assert worded["lines"][-1].startswith("+IP ERROR: ")


async def test_time_that_is_up_costs_nobody_anything(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    """The answer comes later than the operator waits: the line stays as it is."""
    slow = ((6.0, "+COPS"),)
    async with steered(tmp_path, forwards(forward()), slow_commands=slow) as s:
        s.play(80, echo)
        client = await s.client()
        assert await talks(client)
        answer = await s.ask("at", command="AT+COPS?", timeout_s=1)
        assert answer == {"ok": False, "error": "AT+COPS?: no answer within 1 s"}
        assert await talks(client)
        status = (await s.ask("status"))["status"]
        assert (status["module"]["state"], status["module"]["sessions"]) == ("up", 1)
        answer = await s.ask("at", command="AT+COPS?", timeout_s=8)
        assert answer["final"] == "OK"


async def test_without_a_module_that_is_said(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, forwards(forward()), wait_up=False) as s:
        answer = await s.ask("at", command="AT+CSQ")
        assert answer["ok"] is False
        assert answer["error"].startswith("the module is not up (starting")
        await until(lambda: s.module.dce.stack.net, 60)


async def test_a_module_that_is_restarted_by_force_comes_back(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        assert await talks(await s.client())
        assert (await s.ask("at", command="AT+CRESET", force=True))["final"] == "OK"

        async def sessions(s: Steered) -> int:
            found: int = (await s.ask("status"))["status"]["module"]["sessions"]
            return found

        with trio.fail_after(120):
            while await sessions(s) < 2:  # noqa: ASYNC110
                await trio.sleep(1)
        await until(lambda: s.module.dce.stack.net, 60)
        assert await talks(await s.client())


async def test_many_who_ask_share_the_line_with_a_stream(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async def pour(stream: FarStream) -> None:
        await stream.send_all(BULK * 2)

    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, pour)
        client = await s.client()
        got = bytearray()

        async def take() -> None:
            while data := await client.receive_some():
                got.extend(data)

        async def ask() -> None:
            for _ in range(10):
                assert (await s.ask("at", command="AT+CSQ"))["final"] == "OK"

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take)
            for _ in range(5):
                nursery.start_soon(ask)
        assert bytes(got) == BULK * 2

"""Looking at the module beside live traffic: AT commands, and the transcript."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from .steered import echo, forward, forwards, send_and_take, steered

pytestmark = pytest.mark.timeout(60)

BULK = bytes(range(256)) * 200


async def test_a_command_is_answered_in_the_midst_of_a_transfer(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        got: list[bytes] = []

        async def transfer() -> None:
            got.append(await send_and_take(client, BULK))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(transfer)
            for _ in range(20):
                answer = await s.ask("at", command="AT+CSQ")
                assert answer["final"] == "OK"
                assert answer["lines"][0].startswith("+CSQ: ")
            identity = await s.ask("at", command="ati")
            assert any("A7670E" in line for line in identity["lines"])
        assert got == [BULK]


async def test_what_is_refused_says_why(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        dangerous = await s.ask("at", command="AT+CMEE=1")
        assert not dangerous["ok"]
        assert "--force" in dangerous["error"]
        forced = await s.ask("at", command="AT+CMEE=2", force=True)
        assert forced == {"ok": True, "lines": [], "final": "OK"}
        never = await s.ask("at", command="AT+CIPSEND=0,1", force=True)
        assert "asks for payload" in never["error"]
        unknown = await s.ask("at", command="AT+NOPE?")
        assert unknown["ok"]
        assert "ERROR" in unknown["final"].upper()
        for keys in ({}, {"command": 5}, {"command": "AT", "timeout_s": 1e9}):
            assert not (await s.ask("at", **keys))["ok"]


async def test_the_transcript_is_switched_while_bytes_flow(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        assert await send_and_take(client, BULK[:3000]) == BULK[:3000]
        file = tmp_path / "wire.txt"
        assert (await s.ask("trace", on=True, file=str(file)))["ok"]
        assert await send_and_take(client, BULK[:3000]) == BULK[:3000]
        assert (await s.ask("trace", on=False))["ok"]
        told = file.read_text()
        assert await send_and_take(client, BULK[:3000]) == BULK[:3000]
        assert told.startswith("= Opened\n")
        assert "> AT+CIPSEND=" in told
        assert "{1460}" in told
        assert file.read_text() == told
        assert file.stat().st_mode & 0o777 == 0o600


async def test_a_transcript_that_can_not_be_written(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        gone = await s.ask("trace", on=True, file=str(tmp_path / "no" / "where"))
        assert "No such file" in gone["error"]
        relative = await s.ask("trace", on=True, file="here.txt")
        assert "absolute" in relative["error"]
        assert not (await s.ask("trace", on="yes"))["ok"]

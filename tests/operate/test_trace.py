"""The transcript of the line, switched while bytes flow."""

import logging
import os
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.replay import replay

from .steered import echo, forward, forwards, send_and_take, steered

pytestmark = pytest.mark.timeout(60)

BULK = bytes(range(256)) * 12
WIRE = logging.getLogger("modemproxy.wire")


@pytest.fixture(autouse=True)
def usual_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever others have set."""
    caplog.set_level(logging.WARNING, "modemproxy")
    caplog.handler.setLevel(logging.NOTSET)


async def test_a_file_has_what_was_said_while_it_was_on(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        assert await send_and_take(client, BULK) == BULK
        file = tmp_path / "wire.txt"
        answer = await s.ask("trace", on=True, file=str(file))
        assert answer == {"ok": True, "on": True, "file": str(file)}
        assert await send_and_take(client, BULK) == BULK
        assert (await s.ask("at", command="AT+CSQ"))["final"] == "OK"
        assert (await s.ask("trace", on=False)) == {"ok": True, "on": False, "file": None}
        told = file.read_text()
        assert await send_and_take(client, BULK) == BULK
        assert file.read_text() == told
        assert told.startswith("= Opened\n")
        assert "> AT+CIPSEND=" in told
        assert "> AT+CSQ" in told
        assert "{1460}" in told
        assert file.stat().st_mode & 0o777 == 0o600


async def test_what_was_taken_in_the_midst_of_a_session_replays(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        assert await send_and_take(client, BULK) == BULK
        file = tmp_path / "wire.txt"
        for _ in range(3):
            await s.ask("trace", on=True, file=str(file))
            assert await send_and_take(client, BULK) == BULK
            for command in ("ATI", "AT+CSQ", "AT", "AT+CIPOPEN?", "AT+NOPE?"):
                assert (await s.ask("at", command=command))["ok"]
            await s.ask("trace", on=False)
            assert await send_and_take(client, BULK) == BULK
    report = replay(file.read_text())
    assert report.recorded
    assert report.sessions == 3
    assert report.commands > 10


async def test_switching_under_traffic_costs_no_byte(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        over = trio.Event()

        async def switch() -> None:
            on = False
            while not over.is_set():
                on = not on
                assert (await s.ask("trace", on=on, file=str(tmp_path / "t")))["ok"]
                await trio.sleep(0.05)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(switch)
            for _ in range(4):
                assert await send_and_take(client, BULK * 3) == BULK * 3
            over.set()
        assert (await s.ask("status"))["status"]["module"]["sessions"] == 1


async def test_without_a_file_it_goes_to_the_log(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = WIRE.level, WIRE.propagate
    async with steered(tmp_path, forwards(forward())) as s:
        assert "AT+CSQ" not in caplog.text
        assert (await s.ask("trace", on=True))["ok"]
        await s.ask("at", command="AT+CSQ")
        assert "> AT+CSQ" in caplog.text
        assert (await s.ask("trace", on=True, file=str(tmp_path / "t")))["ok"]  # elsewhere
        caplog.clear()
        await s.ask("at", command="AT+CSQ")
        assert caplog.text == ""
        assert "> AT+CSQ" in (tmp_path / "t").read_text()
        assert (await s.ask("trace", on=True))["ok"]  # it is still on when the program ends
    assert (WIRE.level, WIRE.propagate) == before
    assert WIRE.handlers == []


async def test_a_file_stands_alone_also_beside_a_log_that_has_it_too(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "modemproxy")
    async with steered(tmp_path, forwards(forward())) as s:
        await s.ask("at", command="AT+CSQ")
        file = tmp_path / "wire.txt"
        await s.ask("trace", on=True, file=str(file))
        await s.ask("at", command="ATI")
        await s.ask("trace", on=False)
        assert file.read_text().startswith("= Opened\n#")
        assert "> AT+CSQ" not in file.read_text()
        assert replay(file.read_text()).recorded
        caplog.clear()
        await s.ask("at", command="ATI")
        assert "> ATI" in caplog.text


async def test_a_file_has_a_bound(
    patient_clock: MockClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("modemproxy.logs._MOST_BYTES", 2000)
    async with steered(tmp_path, forwards(forward())) as s:
        file = tmp_path / "wire.txt"
        await s.ask("trace", on=True, file=str(file))
        for _ in range(60):
            assert (await s.ask("at", command="AT+CSQ"))["final"] == "OK"
        assert 1800 < file.stat().st_size <= 2000
        assert file.read_text().endswith("\n")
        assert caplog.text.count("recording ends") == 1


async def test_a_transcript_that_can_not_be_written(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with steered(tmp_path, forwards(forward())) as s:
        for file, why in (
            (tmp_path / "no" / "where", "No such file"),
            (tmp_path, "is no file"),
            (pipe, "is no file"),  # nobody reads it: opening it would never end
            ("here.txt", "not an absolute path"),
            ("/tmp/a\0b", "not a file name"),
            (7, "not a file name"),
        ):
            where = str(file) if isinstance(file, Path) else file
            answer = await s.ask("trace", on=True, file=where)
            assert answer["ok"] is False
            assert why in answer["error"]
        assert (await s.ask("trace", on="yes"))["ok"] is False
        assert (await s.ask("at", command="AT+CSQ"))["ok"]

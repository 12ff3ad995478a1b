"""Transcripts recorded at run time are tests: what they replay to is what happened."""

import json
from pathlib import Path

import pytest
import trio
import trio.testing

from modemproxy import logs
from modemproxy.at.dte import Event
from modemproxy.emulator.output import Piece
from modemproxy.line.channel import AtChannel
from modemproxy.line.wiretext import describe
from tests.module.rig import CLAIM, FAR, HOSTILE, exchange
from tests.module.service import Service, serving
from tests.replay import RECORDED, Differs, lines_of, main, replay
from tests.transcript import FOLDER

QUERY = "= Opened\n> AT+CIPRXGET=4,3\n< +CIPRXGET: 4,3,7\n< OK\n"
COMPLETED = "= Completed AT+CIPRXGET=4,3: 7\n"


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.txt")), ids=lambda path: path.stem)
def test_a_recorded_transcript_gives_the_events_recorded(path: Path) -> None:
    report = replay(path.read_text())
    assert report.sessions
    assert report.commands
    assert report.recorded


def test_transcripts_are_shipped() -> None:
    assert len(list(RECORDED.glob("*.txt"))) >= 4


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_one_written_by_hand_gives_the_same_at_every_chop_size(path: Path) -> None:
    report = replay(path.read_text())
    assert report.commands
    assert not report.recorded


# what happened, recorded, replayed


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The events that reach the channel, told by nobody but the dialogue."""
    events: list[str] = []
    dispatch = AtChannel._dispatch

    def spy(channel: AtChannel, event: Event) -> None:
        events.append(describe(event))
        dispatch(channel, event)

    monkeypatch.setattr(AtChannel, "_dispatch", spy)
    return events


SECRET = b"\r\npassword=swordfish\r\n"
PIN = "0471"


async def live_a_little(service: Service) -> None:
    """Traffic, a byte lost in a payload, traffic, a reboot, a hang-up; three sessions."""
    session = await service.session(60)
    async with session.open_link(FAR, 7, claim=CLAIM, queue_s=10) as link:
        assert await exchange(link, HOSTILE + SECRET) == HOSTILE + SECRET
        lose_a_byte(service)
        with pytest.RaisesGroup(trio.BrokenResourceError):
            await exchange(link, SECRET * 9)
    async with session.open_link(FAR, 7, claim=CLAIM, queue_s=10) as link:
        assert await exchange(link, SECRET * 100) == SECRET * 100
    service.module.reboot()
    await trio.sleep(5)
    session = await service.session(90)
    async with session.open_link(FAR, 7, claim=CLAIM, queue_s=10) as link:
        assert await exchange(link, SECRET) == SECRET
    await service.far_end.aclose()
    await trio.sleep(1)
    await service.session(90)


def lose_a_byte(service: Service) -> None:
    def tap(piece: Piece, data: bytes) -> bytes:
        if piece is not Piece.PAYLOAD:
            return data
        service.module.dce.out.tap = None
        return data[:-7] + data[-6:]

    service.module.dce.out.tap = tap


@pytest.mark.usefixtures("autojump_clock")
@pytest.mark.parametrize(
    "dialect",
    [
        {},
        {"trailer": "\r\n\r\n", "prompt_text": "\r\n> ", "send_result_before_ok": True},
        {"prompt_text": ">", "open_result": "before_ok", "urc_everywhere": ("+CREG: 1",)},
    ],
    ids=["usual", "long trailer", "talkative"],
)
async def test_a_session_recorded_replays(
    dialect: dict[str, object], tmp_path: Path, happened: list[str]
) -> None:
    file = tmp_path / "transcript.txt"
    with logs.recording(str(file)):
        async with serving(
            tmp_path, {"pin": PIN}, sim="SIM PIN", pin=PIN, **dialect
        ) as service:
            await live_a_little(service)
    text = file.read_text()
    report = replay(text)
    assert report.recorded
    assert report.events == happened
    assert report.sessions >= 3
    assert len(happened) > 100
    assert any(event.startswith("Broken AT+CIPRXGET=2") for event in happened)
    assert any(event.startswith("ModuleBooted") for event in happened)
    assert "! hangup" in text
    assert "= Closed" in text
    assert "password" not in text
    assert "swordfish" not in text
    assert PIN not in text


@pytest.mark.usefixtures("preserved_log")
def test_a_session_at_level_debug_replays_from_its_log(
    capsys: pytest.CaptureFixture[str], happened: list[str], tmp_path: Path
) -> None:
    logs.set_up("debug", "text", {})

    async def live() -> None:
        async with serving(tmp_path) as service:
            await live_a_little(service)

    trio.run(live, clock=trio.testing.MockClock(autojump_threshold=0))
    text = capsys.readouterr().err
    assert ": module up in " in text
    assert replay(text).events == happened


# the player


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (QUERY + COMPLETED.replace("7", "8"), "line 5.*\n.*recorded .*8\n.*replayed .*: 7"),
        (QUERY + COMPLETED * 2, "line 6.*\n.*recorded .*7\n.*replayed  nothing more"),
        (QUERY + COMPLETED + "< OK", "line .*\n.*recorded  nothing more\n.*replayed  Stray OK"),
        (
            "= Opened\n> AT+CIPSEND=3,5\n<| >\n= PromptReady()\n>| {4}",
            "line 5: not the payload",
        ),
    ],
)
def test_what_differs_is_told(text: str, message: str) -> None:
    with pytest.raises(Differs, match=message):
        replay(text)


def test_files_are_replayed_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text(QUERY + COMPLETED)
    bad.write_text("= Opened\nhello\n")
    assert main([str(good)]) == 0
    assert main([str(good), str(bad), str(tmp_path / "none.txt")]) == 1
    out = capsys.readouterr().out
    assert "good.txt: 1 openings, 1 commands, 1 events: the same at 5 chop sizes" in out
    assert "bad.txt: line 2: no transcript: 'hello'" in out
    assert "No such file" in out


TRANSCRIPT = ["> AT", "< wire: OK", "# a wire: of words", ">| {5}", "@ 0.5"]


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "12:00:00.123 DEBUG    wire: {}",
        "<7>wire: {}",
        "Nov 03 12:00:00 host modemproxy[123]: wire: {}",
    ],
)
def test_logs_are_taken_as_they_come(form: str) -> None:
    lines = [form.format(line) for line in TRANSCRIPT]
    if form != "{}":
        lines.insert(1, form.format("x").replace("wire: x", "life: else"))
    assert list(lines_of("\n".join(lines))) == TRANSCRIPT


def test_a_log_in_json_is_taken() -> None:
    records = [{"logger": "modemproxy.wire", "message": line} for line in TRANSCRIPT]
    records.insert(1, {"logger": "modemproxy.life", "message": "else"})
    assert list(lines_of("\n".join(map(json.dumps, records)))) == TRANSCRIPT

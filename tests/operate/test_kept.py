"""``events`` and ``usage`` as commands when no proxy runs: what the last one kept."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from modemproxy.cli import main
from modemproxy.journal import Journal, ModuleDown
from modemproxy.operate.chronicle import Chronicle
from modemproxy.operate.ledger import Ledger

CONFIG = """
modem: {port: /dev/ttyUSB2}
usage: {cap: 1M, billing_day: 1}
forwards: [{name: web, listen: "127.0.0.1:8080", connect: "example.com:80", cap: 3k}]
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration, and no proxy that runs with it."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr("modemproxy.operate.kept._SERVICE_STATE", tmp_path / "service")
    file = tmp_path / "modemproxy.yaml"
    file.write_text(f"{CONFIG}admin: {{socket: {tmp_path / 'admin.sock'}}}\n")
    return str(file)


def keep_events(folder: Path) -> None:
    folder.mkdir()
    chronicle = Chronicle(folder / "dev_ttyUSB2")
    journal = Journal(iter([1_790_000_000.5, 1_790_000_100]).__next__)
    chronicle.attach(journal)
    journal.record(ModuleDown("no answer"))
    journal.record(ModuleDown("\x1b[2J gone"))
    chronicle.close()


@pytest.mark.parametrize("folder", ["state", "service"])
def test_events_are_read_from_where_they_were_kept(
    config: str, folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_events(tmp_path / folder)
    assert main(["events", "--config", config]) == 0
    told = capsys.readouterr()
    assert told.err == "no proxy is running: these are kept from the last one\n"
    assert [line[20:] for line in told.out.splitlines()] == [
        "WARNING  not in service: no answer",
        "WARNING  not in service: ?[2J gone",
    ]
    assert main(["events", "--config", config, "--json", "--since", "2026-09-21T14:14"]) == 0
    [line] = capsys.readouterr().out.splitlines()[-1:]
    assert json.loads(line)["at"] == 1_790_000_100


def test_usage_is_read_from_where_it_was_kept(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, now = Ledger(), datetime.now().astimezone()
    ledger.book(now, "web", 1000, 500)
    ledger.unbooked = {"web": [1, 1]}
    (tmp_path / "state").mkdir()
    ledger.save(tmp_path / "state" / "dev_ttyUSB2.usage")
    assert main(["usage", "--config", config]) == 0
    told = capsys.readouterr()
    assert told.err == "no proxy is running: these are the books of the last one\n"
    assert "web" in told.out
    assert "1.0 kB up 500 B down" in told.out
    assert "cap of web: 1.5 kB of 3.0 kB this month (50 %), then warn" in told.out
    assert "cap of all listeners: 1.5 kB of 1.0 MB this month (0 %), then warn" in told.out
    assert main(["usage", "--config", config, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["days"] == {f"{now:%Y-%m-%d}": {"web": [1000, 500]}}
    assert facts["unbooked"] == {"web": [1, 1]}


@pytest.mark.parametrize("command", ["events", "usage"])
def test_where_nothing_was_kept_no_proxy_is_the_answer(
    config: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--config", config]) == 1
    assert "none runs here" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()  # and looking for it makes nothing
    assert not (tmp_path / "service").exists()
    assert main([command, "--config", "/nonexistent"]) == 2


def test_who_follows_is_told_that_the_proxy_has_ended(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"at": 1_790_000_000, "kind": "ModuleDown", "level": "warning", "text": "gone"}
    answers = [{"ok": True, "events": []}, {"event": event, "missed": 3}]
    monkeypatch.setattr("modemproxy.operate.events_command.ask", lambda *_: iter(answers))
    assert main(["events", "--config", config, "--follow"]) == 1
    told = capsys.readouterr()
    assert told.out.endswith("WARNING  gone\n")
    assert told.err == "(3 events were missed)\nthe proxy has ended\n"


def test_following_needs_a_proxy(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_events(tmp_path / "state")
    assert main(["events", "--config", config, "--follow"]) == 1
    assert capsys.readouterr().out == ""

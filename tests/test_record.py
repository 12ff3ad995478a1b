"""``run --record FILE``: the file, and how it is refused."""

import logging
import os
import stat
from pathlib import Path

import pytest

from modemproxy import cli, logs
from modemproxy.errors import ConfigError
from modemproxy.line.wirelog import wire


def test_the_file_is_private_appended_to_and_released(tmp_path: Path) -> None:
    file = tmp_path / "transcript.txt"
    file.write_text("# before\n")
    file.chmod(0o644)
    before = wire.level, wire.propagate, wire.handlers[:]
    with logs.recording(str(file)):
        wire.debug("> AT\u20ac")
    with logs.recording(str(file)):
        wire.debug("< OK")
    assert file.read_text() == "# before\n> AT\\u20ac\n< OK\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (wire.level, wire.propagate, wire.handlers) == before


def test_a_new_file_is_private(tmp_path: Path) -> None:
    file = tmp_path / "transcript.txt"
    mask = os.umask(0)
    try:
        with logs.recording(str(file)):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    finally:
        os.umask(mask)


def test_without_a_file_nothing_is_recorded() -> None:
    before = wire.level, wire.handlers[:]
    with logs.recording(None):
        assert (wire.level, wire.handlers) == before


@pytest.mark.usefixtures("preserved_log")
@pytest.mark.parametrize(("level", "shown"), [("info", False), ("debug", True)])
def test_the_log_gets_no_more_by_it(
    level: str, shown: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(level, "text", {})
    with logs.recording(str(tmp_path / "transcript.txt")):
        wire.debug("> AT")
    assert ("wire: > AT" in capsys.readouterr().err) is shown


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"--record /.*: Is a directory"),
        logs.recording(str(tmp_path)),
    ):
        pass
    with (
        pytest.raises(ConfigError, match=r"--record .*: No such file or directory"),
        logs.recording(str(tmp_path / "none" / "file")),
    ):
        pass


@pytest.mark.usefixtures("preserved_log")
def test_the_program_refuses_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "modemproxy.yaml"
    config.write_text(
        "modem: {port: /dev/none}\nforwards: [{listen: 127.0.0.1:1, connect: h.example:1}]\n"
    )
    code = cli.main(["run", "--config", str(config), "--record", str(tmp_path)])
    assert code == 2
    assert capsys.readouterr().err == f"--record {tmp_path}: Is a directory\n"


def test_a_full_disk_ends_the_recording_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with logs.recording("/dev/full"):
        wire.debug("> AT")
        wire.debug("< OK")
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["--record /dev/full: No space left on device: recording ends"]

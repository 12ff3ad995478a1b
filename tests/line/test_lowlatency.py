"""The knobs of serial adapters, as files and as a pty that has none."""

import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from modemproxy.line.lowlatency import reduce_latency


@pytest.fixture
def tty() -> Iterator[int]:
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


def knob(sysfs: Path, value: str) -> Path:
    (sysfs / "ttyUSB7").mkdir()
    file = sysfs / "ttyUSB7" / "latency_timer"
    file.write_text(value)
    return file


def test_a_line_without_knobs_is_left_alone(tty: int, tmp_path: Path) -> None:
    assert reduce_latency(tty, "/dev/ttyUSB7", tmp_path) == []


def test_the_latency_timer_of_an_adapter_is_set_to_1_ms(tty: int, tmp_path: Path) -> None:
    file = knob(tmp_path, "16\n")
    assert reduce_latency(tty, "/dev/ttyUSB7", tmp_path) == ["latency timer 16 -> 1 ms"]
    assert file.read_text() == "1"


def test_a_timer_that_is_quick_already_is_no_news(tty: int, tmp_path: Path) -> None:
    knob(tmp_path, "1\n")
    assert reduce_latency(tty, "/dev/ttyUSB7", tmp_path) == []


def test_a_timer_that_may_not_be_set_is_reported(
    tty: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knob(tmp_path, "16\n")

    def refuse(self: Path, text: str) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    (said,) = reduce_latency(tty, "/dev/ttyUSB7", tmp_path)
    assert "stays 16 ms (Permission denied" in said

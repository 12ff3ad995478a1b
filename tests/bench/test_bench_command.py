"""What can be asked for; mistakes; and one small measurement from end to end."""

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from modemproxy.bench import command
from modemproxy.bench.limits import Line
from modemproxy.bench.session import RUNNERS
from modemproxy.cli import main
from modemproxy.errors import ConfigError


def parsed(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["gootput"], "bench gootput: no such scenario (did you mean 'goodput'?)"),
        (["zzz"], "there are goodput, latency"),
        (["--baud", "115201"], "--baud 115201: the module has 300,"),
        (["--latency", "-1"], "--latency -1"),
        (["--links", "0"], "--links 0: the module has 1 to 10"),
        (["--links", "11"], "--links 11"),
        (["--seconds", "0"], "--seconds 0: not a time"),
        (["--seconds", "nan"], "--seconds nan"),
        (["--plot", "x.pdf"], "must end in .png or .svg"),
        (["--plot", "/nowhere/x.png"], "there is no folder /nowhere"),
        (["--sink", "a.example:1"], "--sink: only with --config"),
        (["--config", "x"], "--config: needs --source HOST:PORT"),
        (["--config", "x", "--sink", "a"], "--sink: 'a' has no port"),
        (["--config", "x", "--baud", "9600"], "(leave them out)"),
    ],
)
def test_every_mistake_is_named(given: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as info:
        command.read(parsed("--seconds", "-7", *given))
    assert any(words in problem for problem in info.value.problems)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as info:
        command.read(parsed("zzz", "--links", "0", "--baud", "1", "--plot", "x"))
    assert len(info.value.problems) == 4


def test_a_plot_without_matplotlib_is_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'modemproxy\[plot\]'"):
        command.read(parsed("--plot", str(tmp_path / "x.svg")))


def test_an_unknown_scenario_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "latancy"]) == 2
    assert "did you mean 'latency'?" in capsys.readouterr().err


def test_the_list_is_what_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == list(command.SCENARIOS) == list(RUNNERS)


def test_conditions_combine() -> None:
    usual = ((921600, 5.0), (3686400, 0.0))
    asked = command.read(parsed("--baud", "9600", "115200", "--latency", "0", "20"))
    assert asked.lines(*usual) == [
        Line(baud, latency) for baud in (9600, 115200) for latency in (0.0, 0.02)
    ]
    assert command.read(parsed()).lines(*usual) == [Line(921600, 0.005), Line(3686400, 0.0)]
    assert command.read(parsed("--quick")).lines(*usual) == [Line(921600, 0.005)]


def test_asking_needs_no_trio() -> None:
    code = "import sys, modemproxy.bench.command as c; assert 'trio' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_one_small_measurement() -> None:
    """Every process comes up, figures are in bounds, bytes are right, nothing is left."""
    asked = "bench goodput --baud 3686400 --latency 0 --links 1 --seconds 0.3 --json"
    line = [sys.executable, "-m", "modemproxy", *asked.split()]
    said = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""
    report = json.loads(said.stdout)
    assert report["conditions"]["chunk_bytes"] == 1460
    (table,) = report["tables"]
    assert [row["direction"] for row in table["rows"]] == ["up", "down", "both"]
    for row in table["rows"]:
        assert row["wrong"] == 0
        assert 0 < row["proxy"] < row["limit"] * 1.1
        assert 0 < row["bare"] < row["limit"] * 1.1
        assert row["cpu_per_mb"] > 0

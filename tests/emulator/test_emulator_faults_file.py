"""Faults from a file: the documented example, every mistake, the command line."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from modemproxy.emulator import command
from modemproxy.emulator.faults import list_faults
from modemproxy.emulator.faults_file import load_faults, parse_faults
from modemproxy.emulator.faults_kind import KINDS
from modemproxy.emulator.faults_params import parameters
from modemproxy.emulator.faults_rule import Fault, When
from modemproxy.errors import ConfigError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config" / "faults.yaml"


def test_the_example_is_valid_as_it_is() -> None:
    plan = load_faults(EXAMPLE)
    assert plan.seed == 7
    assert [rule.name for rule in plan.rules] == ["drop_urc"]


def test_the_example_has_every_fault_and_all_its_entries_are_valid() -> None:
    text = re.sub(r"(?m)^  #(- |  )", r"  \1", EXAMPLE.read_text())
    named = [rule.name for rule in parse_faults(text, "faults.yaml").rules]
    assert sorted(named) == sorted(KINDS)


def test_the_example_explains_every_trigger_and_limit() -> None:
    header = EXAMPLE.read_text().partition("\nseed:")[0]
    for name in parameters(When):
        assert f"{name}:" in header


def test_a_name_alone_is_a_rule() -> None:
    plan = parse_faults("faults:\n  - echo_on\n  - fault: stale_data\n", "f")
    assert [rule.name for rule in plan.rules] == ["echo_on", "stale_data"]
    assert plan.seed is None


MISTAKES = [
    ("faults:\n- fault: drop_ur\n", "f:2: faults[0].fault: no fault is called 'drop_ur' (did"),
    ("faults:\n- fault: say\n  txt: x\n", "f:3: faults[0].txt: unknown (did you mean text?)"),
    ("faults:\n- fault: drop_urc\n  urc: dat\n", "none of the choices (did you mean data?)"),
    ("faults:\n- echo_on\n- rebot\n", "f:3: faults[1].fault: no fault is called 'rebot'"),
    ("faults:\n- fault: reboot\n  boot_s: -1\n", "f:3: faults[0].boot_s: -1.0 is out of range"),
    ("faults:\n- fault: reboot\n  baudrate: 12\n", "f:3: faults[0].baudrate: 12 is no speed ("),
    ("faults:\n- fault: reboot\n  at_s: soon\n", "faults[0].at_s: 'soon' is not a number"),
    ("faults:\n- fault: reboot\n  at_s: true\n", "faults[0].at_s: True is not a number"),
    ("faults:\n- fault: reboot\n  at_s: .nan\n", "faults[0].at_s: nan is not a number"),
    ("faults:\n- fault: reboot\n  link: 10\n", "link: 10 is out of range (from 0 to 9)"),
    (
        "faults:\n- fault: reboot\n  probability: 2\n",
        "probability: 2.0 is out of range (from 0",
    ),
    ("faults:\n- fault: reboot\n  times: 1.5\n", "times: 1.5 is not a whole number"),
    ("faults:\n- fault: reboot\n  jitter_s: 1\n", "jitter_s: means nothing without every_s"),
    (
        "faults:\n- fault: reboot\n  at_s: 1\n  after_bytes_in: 1\n",
        "f:2: faults[0]: one thing sets it off, not 2: at_s, after_bytes_in",
    ),
    (
        "faults:\n- fault: reboot\n  on_command:\n    name: +CIPSEND\n    nht: 3\n",
        "f:5: faults[0].on_command.nht: unknown (did you mean nth?)",
    ),
    (
        "faults:\n- fault: reboot\n  on_command: {nth: 3}\n",
        "f:3: faults[0].on_command.name: missing",
    ),
    (
        "faults:\n- fault: reboot\n  on_send: {phase: begin}\n",
        "on_send.phase: 'begin' is none of the choices (one of prompt, payload, ok, result)",
    ),
    ("faults:\n- fault: reboot\n  on_send: 5\n", "on_send: 5 is no mapping (phase, nth, every"),
    (
        "faults:\n- fault: profile\n  set: {short_read: 1}\n",
        "set.short_read: no such option (did you mean short_reads?)",
    ),
    (
        "faults:\n- fault: profile\n  set:\n    short_reads: many\n",
        "f:4: faults[0].set.short_reads: 'many' is not a whole number",
    ),
    ("faults:\n- fault: profile\n", "set: names no option"),
    ("faults:\n- fault: reboot\n  link: 3\n", "link: means nothing here: it is about no link"),
    ("faults:\n- fault: echo_on\n  for_s: 3\n", "for_s: means nothing here: it does not last"),
    (
        "faults:\n- fault: answer\n  command: AT+CIPSND\n",
        "f:3: faults[0].command: 'AT+CIPSND' is no command that the module knows (did you",
    ),
    (
        "faults:\n- fault: reboot\n  on_command: AT\n",
        "on_command.name: 'AT' is no command that",
    ),
    ("faults:\n- fault: urc_storm\n  lines: 3\n", "lines: 3 is not a list (write [a, b])"),
    ("faults:\n- fault: slicer\n  least: 9\n", "most: is less than least (9)"),
    ("faults:\n- urc: data\n", "f:2: faults[0].fault: missing (one of answer, "),
    ("faults:\n- [reboot]\n", "f:2: faults[0]: is no fault (write fault: NAME)"),
    (
        "faults:\n- fault: say\n  text: a\n  text: b\n",
        "f:4: faults[0].text: twice (first in line",
    ),
    ("faults:\n- fault: say\n  ? [a]\n  : b\n", "f:3: faults[0]: a key is no plain word"),
    (
        "faults:\n- fault: say\n  text: !x y\n",
        "f:3: faults[0].text: is no value that YAML knows",
    ),
    ("faults: reboot\n", "f:1: faults: is no list"),
    ("faults: []\n", "f:1: faults: is no list"),
    ("seed: 1\n", "f:1: faults: missing"),
    ("seed: x\nfaults: [echo_on]\n", "f:1: seed: 'x' is not a whole number"),
    ("fault: [echo_on]\n", "f:1: fault: unknown (did you mean faults?)"),
    ("- reboot\n", "f:1: is no mapping"),
    ("", "f:1: is no mapping"),
    ("faults:\n\t- x\n", "f:2: not valid YAML: "),
    ("faults: [\n", "not valid YAML: "),
    ("faults: \x00\n", "f:1: not valid YAML: "),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_mistake_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as info:
        parse_faults(text, "f")
    assert any(words in problem for problem in info.value.problems), info.value.problems


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        "seed: x\nfaults:\n- rebot\n- fault: say\n  a: 1\n  b: 2\n- fault: sim\n  for_s: -1\n"
    )
    with pytest.raises(ConfigError) as info:
        parse_faults(text, "f")
    lines = [problem.split(":")[1] for problem in info.value.problems]
    assert lines == ["1", "3", "5", "6", "8"]


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read \(No such file"):
        load_faults(tmp_path / "none.yaml")
    (tmp_path / "bad").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="bad: is not UTF-8 text"):
        load_faults(tmp_path / "bad")


def test_mistakes_in_python_are_told_too() -> None:
    with pytest.raises(
        ValueError, match=r"drop_urc: link: .*; drop_urc: urc: .*did you mean data"
    ):
        Fault("drop_urc", urc="dat", link=11)
    with pytest.raises(ValueError, match="did you mean reboot"):
        Fault("rebooot")


def test_every_fault_and_parameter_is_explained() -> None:
    lines = list(list_faults())
    for name, kind in KINDS.items():
        at = next(index for index, line in enumerate(lines) if line.startswith(f"{name}  "))
        assert lines[at].rstrip().endswith(".")
        for shown, parameter in zip(lines[at + 1 :], parameters(kind), strict=False):
            assert re.match(rf"    {parameter}=.*  \S", shown), shown
    for parameter in parameters(When):
        assert any(re.match(rf"    {parameter}=.*  \S", line) for line in lines)


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(given)


async def test_list_faults_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    await command.run(arguments("--list-faults"))
    out = capsys.readouterr().out
    assert "\nreboot  The module restarts" in out
    assert "    at_s=none  so long after it was added" in out


async def test_mistakes_of_the_file_come_with_those_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("faults: [rebot]\n")
    with pytest.raises(ConfigError) as info:
        await command.run(arguments("--faults", str(file), "--baudrate", "1"))
    words = "\n".join(info.value.problems)
    assert f"{file}:1: faults[0].fault: no fault is called 'rebot'" in words
    assert "--baudrate 1" in words
    assert "--tty: missing" in words


def test_a_wrong_file_is_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("faults: [rebot]\n")
    line = [sys.executable, "-m", "modemproxy", "emulate", "--tty", str(tmp_path / "m")]
    done = subprocess.run([*line, "--faults", str(file)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"{file}:1: faults[0].fault: no fault is called")


@pytest.mark.slow
async def test_faults_of_a_file_strike_a_module_on_a_tty(tmp_path: Path) -> None:
    file, link = tmp_path / "f.yaml", tmp_path / "modem"
    file.write_text("faults:\n- fault: say\n  text: HELLO\n  at_s: 0.05\n")
    line = [sys.executable, "-m", "modemproxy", "emulate", "--tty", str(link)]
    with trio.fail_after(20):
        process = await trio.lowlevel.open_process(
            [*line, "--faults", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        async with process.stdout, process.stderr:
            told = b""
            try:
                while not told.endswith(b"\n"):
                    told += await process.stderr.receive_some()
            finally:
                process.terminate()
            assert await process.wait() == 0
    assert re.fullmatch(rb"\* 0\.\d+ s say: 'HELLO'\n", told)

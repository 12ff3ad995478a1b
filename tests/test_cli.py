"""The command line: what each command takes, and what it costs to find out."""

import subprocess
import sys

import pytest

from modemproxy import cli


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_says_what_it_takes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: modemproxy {name} [-h]")


def test_all_commands_are_listed_with_what_they_are_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    listed = capsys.readouterr().out
    for name, command in cli.COMMANDS.items():
        assert f"    {name} " in listed
        assert command.help in " ".join(listed.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: COMMAND"),
        (["--config", "x"], "invalid choice: 'x'"),
        (["run", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["kick"], "one of the arguments ID --listener is required"),
        (["at", "AT", "--timeout", "0"], "'0' is no number of seconds"),
        (["trace", "maybe"], "invalid choice: 'maybe'"),
    ],
)
def test_a_mistake_is_a_line_and_code_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_command_that_asks_the_proxy_needs_neither_trio_nor_the_emulator() -> None:
    script = (
        "import sys\n"
        "from modemproxy import cli\n"
        "try:\n"
        "    cli.main(['status', '--help'])\n"
        "except SystemExit:\n"
        "    found = {'trio', 'modemproxy.emulator', 'modemproxy.bench'} & sys.modules.keys()\n"
        "    sys.exit(bool(found))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

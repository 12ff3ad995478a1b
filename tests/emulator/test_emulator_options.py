import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from modemproxy.emulator import command
from modemproxy.emulator.options import list_options, parse_options
from modemproxy.emulator.profile import DEFAULT, Profile
from modemproxy.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("csq=12", 12),
        ("command_latency_s=0.25", 0.25),
        ("prompt_latency_s=none", None),
        ("prompt_latency_s=1", 1.0),
        ("netopen_fail_code=none", None),
        ("cipack=off", False),
        ("cipcfg=TRUE", True),
        ("trailer=\\r\\n\\r\\n", "\r\n\r\n"),
        ("prompt_text=\\r\\n> ", "\r\n> "),
        ("cipccfg_fields=7", 7),
        ("boot_noise=\\x00\\x00", b"\0\0"),
        ("urc_everywhere=+CIPRXGET: 1,9;RING", ("+CIPRXGET: 1,9", "RING")),
        ("urc_everywhere=", ()),
        ("banner=0:*ATREADY: 1;2.5:PB DONE", ((0.0, "*ATREADY: 1"), (2.5, "PB DONE"))),
        ("sim=SIM PIN", "SIM PIN"),
    ],
)
def test_a_text_becomes_a_value(text: str, value: object) -> None:
    name = text.partition("=")[0]
    assert parse_options([text]) == {name: value}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("command_latenc_s=1", "did you mean command_latency_s?"),
        ("zzz=1", "see --list-options"),
        ("csq", "write NAME=VALUE"),
        ("csq=1.5", "is not a whole number"),
        ("csq=-1", "from 0 up"),
        ("wan_latency_s=x", "is not a number"),
        ("wan_latency_s=nan", "from 0 up"),
        ("cipack=maybe", "not true or false"),
        ("overlap=ignore", "not one of queue | drop | error"),
    ],
)
def test_mistakes_are_explained(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as info:
        parse_options([text, text])
    assert len(info.value.problems) == 2
    assert words in info.value.problems[0]


def test_every_option_has_a_comment_and_its_default_can_be_read_back() -> None:
    lines = list(list_options())
    assert len(lines) == len(Profile.__dataclass_fields__)
    for line in lines:
        shown, _, comment = line.partition("  ")
        assert comment
        name, _, value = shown.partition("=")
        if name != "banner":
            assert parse_options([f"{name}={value}"]) == {name: getattr(DEFAULT, name)}


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--tty", "/nowhere/at/all"], "there is no folder"),
        (["--tty", "/dev/null"], "is no symlink"),
        ([], "--tty: missing"),
        (["--baudrate", "1"], "--baudrate 1: the module has 300,"),
        (["--host", "x"], "--host x: not NAME=ADDR"),
        (["--latency", "-1"], "--latency"),
        (["--server", "8080"], "--server 8080: not PORT=ADDR:PORT"),
        (["--server", "0=127.0.0.1:80"], "--server 0=127.0.0.1:80: not"),
        (["--server", "80=127.0.0.1:65536"], "--server 80=127.0.0.1:65536: not"),
        (["--server", "80=::1:80"], "--server 80=::1:80: not"),
    ],
)
async def test_bad_arguments_are_all_named(given: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as info:
        await command.run(arguments(*given, "--option", "bad"))
    assert any(words in problem for problem in info.value.problems)
    assert any("--option bad" in problem for problem in info.value.problems)


def test_the_arguments_need_no_trio() -> None:
    code = "import sys; import modemproxy.emulator.command; assert 'trio' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


async def test_list_options_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    await command.run(arguments("--list-options"))
    assert "command_latency_s=0.0" in capsys.readouterr().out


SCRIPT = """
import argparse, trio
from modemproxy.emulator import command
parser = argparse.ArgumentParser()
command.add_arguments(parser)
trio.run(command.run, parser.parse_args())
"""


@pytest.mark.slow
async def test_it_runs_until_a_signal_and_removes_its_link(tmp_path: Path) -> None:
    link = tmp_path / "modem"
    line = [sys.executable, "-c", SCRIPT, "--tty", str(link), "--strict", "--trace"]
    line += ["--no-pace", "--server", "80=127.0.0.1:0", "--option", "boot_echo=off"]
    root = Path(__file__).parents[2]
    with trio.fail_after(20):
        with (tmp_path / "err").open("wb") as err:
            process = await trio.lowlevel.open_process(
                line, stdout=subprocess.PIPE, stderr=err, cwd=root
            )
        assert process.stdout is not None
        async with process.stdout:
            said = b""
            while not said.endswith(b"ready\n"):
                said += await process.stdout.receive_some()
            assert link.is_symlink()
            said += await _started_server(link, process.stdout)
            process.terminate()
            assert await process.wait() == 0, (tmp_path / "err").read_text()
    assert said.startswith(f"{link} -> /dev/pts/".encode())
    assert re.search(rb"ready\nserver 80 -> 127\.0\.0\.1:[1-9]\d*\n$", said)
    assert not link.is_symlink()


async def _started_server(link: Path, stdout: trio.abc.ReceiveStream) -> bytes:
    """Open the network, start a server on port 80; return what is printed of it."""
    async with trio.lowlevel.FdStream(os.open(link, os.O_RDWR | os.O_NOCTTY)) as tty:
        await tty.send_all(b"AT+NETOPEN\r")
        said = b""
        while b"+NETOPEN: 0" not in said:
            said += await tty.receive_some()
        await tty.send_all(b"AT+SERVERSTART=80,0\r")
        printed = b""
        while not printed.endswith(b"\n"):
            printed += await stdout.receive_some()
        return printed

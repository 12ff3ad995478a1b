"""What operators install beside the program fits the program."""

import re
import shlex
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from modemproxy.cli import COMMANDS
from modemproxy.operate.paths import server_place

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "config/systemd/modemproxy.service"


def unit(section: str) -> dict[str, list[str]]:
    """The keys of a section, each with all its values."""
    found: dict[str, list[str]] = {}
    inside = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            inside = line.strip("[]")
        elif inside == section and line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def commands(text: str) -> set[str]:
    """Every subcommand that a text calls."""
    return set(re.findall(r"modemproxy ([a-z]+)\b(?![./])", text))


def test_the_unit_runs_commands_that_exist() -> None:
    service = unit("Service")
    [start] = service["ExecStart"]
    program, command, option, _ = shlex.split(start)
    assert program.endswith("/bin/modemproxy")
    assert (command, option) == ("run", "--config")
    assert command in COMMANDS
    assert service["Type"] == ["notify"]
    assert int(service["WatchdogSec"][0]) >= 30
    assert service["Restart"] == ["always"]


def test_the_unit_keeps_the_program_in() -> None:
    service = unit("Service")
    assert service["User"] == ["modemproxy"]
    assert service["SupplementaryGroups"] == ["dialout"]
    assert service["CapabilityBoundingSet"] == [""]
    assert service["DevicePolicy"] == ["closed"]
    assert service["ProtectSystem"] == ["strict"]
    assert service["RestrictAddressFamilies"] == ["AF_INET AF_INET6 AF_UNIX"]


def test_the_admin_socket_is_where_commands_look() -> None:
    [folder] = unit("Service")["RuntimeDirectory"]
    place = server_place({"RUNTIME_DIRECTORY": f"/run/{folder}"})
    assert place == Path("/run/modemproxy/admin.sock")


@pytest.mark.parametrize("name", ["INSTALL.md", "container/Containerfile"])
def test_instructions_name_commands_and_files_that_exist(name: str) -> None:
    text = (ROOT / "config" / name).read_text()
    if name.endswith(".md"):
        needed = {"check", "demo", "doctor", "drain", "events", "init", "status"}
        assert needed <= commands(text)
        assert needed <= set(COMMANDS)
    for path in re.findall(r"config/[a-z]+/[A-Za-z0-9.-]+", text):
        assert (ROOT / path.rstrip(".")).exists(), path


def test_the_user_of_the_unit_is_made() -> None:
    lines = (ROOT / "config/systemd/modemproxy.sysusers").read_text().splitlines()
    said = [line.split()[:2] for line in lines if line and not line.startswith("#")]
    assert said == [["u", "modemproxy"], ["m", "modemproxy"]]


def test_the_rules_keep_modemmanager_off() -> None:
    rules = (ROOT / "config/udev/70-modemproxy.rules").read_text()
    assert rules.count('ATTR{idVendor}=="1e0e"') == 1
    assert 'ENV{ID_MM_DEVICE_IGNORE}="1"' in rules
    assert 'SYMLINK+="modemproxy"' in rules
    for line in rules.splitlines():
        assert line.count('"') % 2 == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_the_service_manager_understands_the_unit(tmp_path: Path) -> None:
    program = shutil.which("true")
    text = UNIT.read_text().replace("/opt/modemproxy/bin/modemproxy", str(program))
    file = tmp_path / "modemproxy.service"
    file.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "modemproxy.service" in line]
    assert not ours


def test_sections_are_those_that_units_have() -> None:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(UNIT.read_text())
    assert parser.sections() == ["Unit", "Service", "Install"]

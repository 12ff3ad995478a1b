"""The last rung: the user's command, with the port closed, for a minute at most.

A process has a time of its own, so virtual time stands still while one runs; only where the
command hangs does it go on, and then as soon as the command is known to have begun.
"""

import logging
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.journal import ModuleUp, RungTaken
from modemproxy.module import lifecycle, remedies

from .recovery_bench import RecoveryBench, recovering

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("autojump_clock")]


def hold_time(threshold: float) -> None:
    """Let virtual time stand still (``math.inf``), or go on (0)."""
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, MockClock)
    clock.autojump_threshold = threshold


class PowerRuns:
    """What was seen of the runs of ``power_command``.

    Attributes:
        bench: whose they are.
        port_free: for each run, whether the port was closed when it began.
        took_s: how long each run took, in virtual seconds.
        ended: the first run is over.
    """

    def __init__(self) -> None:
        self.bench: RecoveryBench | None = None
        self.port_free: list[bool] = []
        self.took_s: list[float] = []
        self.ended = trio.Event()

    async def run(self, command: Sequence[str]) -> None:
        """Run the real thing while virtual time stands still."""
        assert self.bench is not None
        try:
            await self.bench.cable.open().aclose()
            self.port_free.append(True)
        except OSError as error:
            self.port_free.append("in use" not in str(error))
        began = trio.current_time()
        hold_time(math.inf)
        try:
            await REAL(command)
        finally:
            hold_time(0)
            self.took_s.append(trio.current_time() - began)
            self.ended.set()


REAL = remedies.run_power_command


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> PowerRuns:
    """Have every run of the command noted."""
    noted = PowerRuns()
    monkeypatch.setattr(lifecycle, "run_power_command", noted.run)
    return noted


def script(directory: Path, text: str) -> tuple[str, ...]:
    """A command line that runs a few lines of Python."""
    file = directory / "power.py"
    file.write_text("import os, signal, sys, time\n" + text)
    return (sys.executable, "-I", "-S", str(file))


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of the command."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "modemproxy.module.remedies"
    ]


async def frozen(b: RecoveryBench) -> None:
    """The module is frozen; only a cut of its power helps."""
    await b.session(60)
    b.faults.inject("deaf", keep=False)


async def test_r7_runs_the_users_command_with_the_port_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, runs: PowerRuns
) -> None:
    caplog.set_level(logging.INFO, "modemproxy")
    command = script(
        tmp_path,
        f"open({str(tmp_path / 'done')!r}, 'a').write(sys.argv[1] + chr(10))\n"
        "print('power is off', flush=True)\nprint('power is on', file=sys.stderr)\n"
        "sys.exit(len(sys.stdin.read()))\n",
    )
    modem = {"power_command": (*command, "port 2; echo")}
    async with recovering(tmp_path / "state", modem) as b:
        runs.bench = b
        await frozen(b)
        await b.until(lambda: runs.took_s, 120)
        b.faults.clear()
        b.module.reboot()
        assert b.rungs == "R3 R3 R3 R7"
        assert await b.served(40) <= 20
        assert (tmp_path / "done").read_text() == "port 2; echo\n"  # no shell between
        assert runs.port_free == [True]
        rung = b.rung_at("R7")[1]
        assert "AT" in rung.reason
        assert len(b.events(ModuleUp)) == 2
    assert lines_of(caplog) == ["power_command: power is off", "power_command: power is on"]
    said = [text for r in caplog.records if "R7" in (text := r.getMessage())]
    assert len(said) == 1
    assert "running power_command" in said[0]


async def test_r7_comes_last_where_the_network_is_in_trouble(
    tmp_path: Path, runs: PowerRuns
) -> None:
    modem = {"power_command": script(tmp_path, "")}
    async with recovering(tmp_path / "state", modem) as b:
        runs.bench = b
        await b.session(60)
        b.faults.inject("netopen_fails", times=0)
        b.faults.inject("lose_network")
        await b.until(lambda: runs.took_s, 200)
        b.faults.clear()
        b.module.reboot()
        await b.served(60)
        assert b.rungs.startswith("R4 R4 R4 R5 R5 R6 R6 R7")
        assert runs.port_free == [True]


async def test_r7_for_a_device_that_is_gone_for_a_minute(
    tmp_path: Path, runs: PowerRuns
) -> None:
    modem = {"power_command": script(tmp_path, "")}
    async with recovering(tmp_path / "state", modem) as b:
        runs.bench = b
        await b.session(60)
        b.cable.unplug()
        began = trio.current_time()
        await b.until(lambda: runs.took_s, 120)
        assert 50 <= trio.current_time() - began <= 75
        b.cable.plug_in()
        await b.served(5)
        assert b.rungs == "R3 R3 R3 R7"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("print('no such hub')\nsys.exit(3)", ["no such hub", "exit code 3"]),
        ("os.kill(os.getpid(), signal.SIGKILL)", ["exit code -9"]),
        ("print(chr(10).join(str(n) for n in range(30)))", [str(n) for n in range(20)]),
        (r"sys.stdout.buffer.write(b'\xff\n')", ["\N{REPLACEMENT CHARACTER}"]),
    ],
)
async def test_a_command_that_fails_is_said_and_the_ladder_goes_on(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    runs: PowerRuns,
    text: str,
    words: list[str],
) -> None:
    caplog.set_level(logging.INFO, "modemproxy")
    modem = {"power_command": script(tmp_path, text)}
    async with recovering(tmp_path / "state", modem) as b:
        runs.bench = b
        await frozen(b)
        await b.until(lambda: len(runs.took_s) == 2, 400)
        assert b.rungs.startswith("R3 R3 R3 R7 R3 R3 R3 R7")
        b.faults.clear()
        await b.served(60)
    assert lines_of(caplog) == [f"power_command: {each}" for each in words] * 2


@pytest.mark.parametrize("kind", ["missing", "no program", "a folder"])
async def test_a_command_that_cannot_be_run_is_said_and_the_ladder_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, runs: PowerRuns, kind: str
) -> None:
    caplog.set_level(logging.ERROR, "modemproxy")
    command = tmp_path / "command"
    if kind == "no program":
        command.write_text("plain text")
    elif kind == "a folder":
        command.mkdir()
    async with recovering(tmp_path / "state", {"power_command": (str(command),)}) as b:
        runs.bench = b
        await frozen(b)
        await b.until(lambda: runs.took_s, 120)
        b.faults.clear()
        await b.served(60)
        assert b.rungs.startswith("R3 R3 R3 R7")
    [line] = lines_of(caplog)
    assert str(command) in line


class Begun:
    """A FIFO by which a command tells that it runs; then virtual time may go on."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "begun"
        os.mkfifo(self.path)
        self._file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.pid = 0

    async def wait(self) -> None:
        """Wait for the process."""
        await trio.lowlevel.wait_readable(self._file)
        self.pid = int(os.read(self._file, 20))

    async def let_time_go_on(self) -> None:
        """Wait for the process; from then on time goes on."""
        await self.wait()
        hold_time(0)

    def close(self) -> None:
        """Close the FIFO, and see that the process is gone."""
        os.close(self._file)
        with pytest.raises(ProcessLookupError):
            os.kill(self.pid, 0)

    @property
    def told(self) -> str:
        """What the command does first."""
        return f"open({str(self.path)!r}, 'w').write(str(os.getpid()))\n"


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_command_that_hangs_is_killed_after_a_minute(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    runs: PowerRuns,
    stubborn: bool,
) -> None:
    caplog.set_level(logging.ERROR, "modemproxy")
    begun = Begun(tmp_path)
    ignores = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if stubborn else ""
    modem = {"power_command": script(tmp_path, ignores + begun.told + "time.sleep(1000)")}
    async with recovering(tmp_path / "state", modem) as b:
        runs.bench = b
        b.nursery.start_soon(begun.let_time_go_on)
        await frozen(b)
        await b.until(lambda: runs.took_s, 200)
        assert runs.took_s[0] > 59.9
        begun.close()
        b.faults.clear()
        await b.served(60)
    assert lines_of(caplog) == ["power_command: not done after 60 s: killed"]


async def test_a_stop_ends_a_command_that_runs(tmp_path: Path, runs: PowerRuns) -> None:
    begun = Begun(tmp_path)
    modem = {"power_command": script(tmp_path, begun.told + "time.sleep(1000)")}
    async with recovering(tmp_path / "state", modem) as b:
        runs.bench = b
        await frozen(b)
        await begun.wait()
        b.lifecycle.stop()
        await runs.ended.wait()
        assert runs.took_s == [0]  # time stands still: it was asked, and did as it was told
    begun.close()
    assert len(b.events(RungTaken)) >= 4

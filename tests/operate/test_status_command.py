"""``modemproxy status`` as a program: once, as JSON, and live on a terminal."""

import fcntl
import json
import os
import pty
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from modemproxy.operate.admin import AdminSocket, BadRequest, Caller, Request
from modemproxy.operate.local import json_line
from modemproxy.operate.rendezvous import listen_at
from tests.e2e.host import modemproxy, run_program

from .test_status_text import changed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

LEAVE = b"\x1b[?7h\x1b[?25h\x1b[?1049l"


class Proxy:
    """Something that tells a status like a proxy."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.status = changed()
        self.asked = 0

    async def tell(self, _: Request, caller: Caller) -> bool:
        self.asked += 1
        if self.status["draining"] == "no":
            raise BadRequest("not now")
        self.status["uptime_s"] += 1
        await caller.stream.send_all(json_line({"ok": True, "status": self.status}))
        return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        rendezvous = listen_at(self.place)
        async with trio.open_nursery() as nursery:
            admin = AdminSocket(rendezvous.listener, {"status": self.tell})
            nursery.start_soon(admin.serve, nursery)
            yield
            nursery.cancel_scope.cancel()
        rendezvous.close()

    def command(self, *words: str) -> tuple[str, ...]:
        return modemproxy("status", "--socket", str(self.place), *words)


@pytest.fixture
def proxy(tmp_path: Path) -> Proxy:
    return Proxy(tmp_path / "admin.sock")


class Terminal:
    """A terminal of 80 by 24 with a program on it."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        os.set_blocking(self.ours, False)
        self.resize(80, 24)
        self.modes = termios.tcgetattr(self.theirs)
        self.shown = b""
        self.process: trio.Process

    def resize(self, columns: int, rows: int) -> None:
        size = struct.pack("4H", rows, columns, 0, 0)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, size)

    async def shows(self, words: str) -> bytes:
        """Wait until some words are shown; return all that was until then."""
        wanted = words.encode()
        with trio.fail_after(20):
            while wanted not in self.shown:
                await trio.lowlevel.wait_readable(self.ours)
                self.shown += os.read(self.ours, 65536)
        end = self.shown.index(wanted) + len(wanted)
        before, self.shown = self.shown[:end], self.shown[end:]
        return before

    async def left(self) -> int:
        """Wait until the program has ended and left the terminal as it was."""
        with trio.fail_after(20):
            code: int = await self.process.wait()
        await self.shows(LEAVE.decode())
        assert termios.tcgetattr(self.theirs) == self.modes
        return code


@contextmanager
def terminal() -> Iterator[Terminal]:
    t = Terminal()
    try:
        yield t
    finally:
        os.close(t.ours)
        os.close(t.theirs)


@asynccontextmanager
async def watching(proxy: Proxy, *words: str) -> AsyncIterator[Terminal]:
    """Run ``status --watch`` on a terminal."""
    with terminal() as t:
        t.process = await trio.lowlevel.open_process(
            proxy.command("--watch", "--interval", "0.2", *words),
            stdin=t.theirs,
            stdout=t.theirs,
            stderr=t.theirs,
            env={**os.environ, "COLUMNS": "33"},
            process_group=0,  # an orphaned one could not be stopped by Ctrl-Z
        )
        try:
            yield t
        finally:
            t.process.kill()
            await t.process.wait()


async def test_once_for_people_and_for_machines(proxy: Proxy) -> None:
    async with proxy.running():
        done = await run_program(*proxy.command())
        assert done.returncode == 0
        text = done.stdout.decode().splitlines()
        assert text[0] == "proxy     0.1.0, process 7, started 101 s ago"
        assert text[-1].startswith("12 web 127.0.0.1:50000 example.com:80")
        done = await run_program(*proxy.command("--json"))
        assert json.loads(done.stdout) == proxy.status


async def test_an_output_that_takes_no_bars_gets_question_marks(proxy: Proxy) -> None:
    async with proxy.running():
        environ = {"PYTHONIOENCODING": "ascii"}
        done = await run_program(*proxy.command(), environ=environ)
        assert done.returncode == 0
        assert b"signal -79 dBm ???_" in done.stdout


async def test_the_live_view_shows_what_moves_and_q_ends_it(proxy: Proxy) -> None:
    async with proxy.running(), watching(proxy) as t:
        await t.shows("busy since the start")
        await t.shows("% busy now")
        proxy.status["connections"][0]["down"] += 5000
        frame = await t.shows("down/s")
        assert b"listens on" in frame
        await t.shows("5.0k")
        os.write(t.ours, b"q")
        assert await t.left() == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
async def test_a_signal_leaves_the_terminal_clean(proxy: Proxy, number: int, code: int) -> None:
    async with proxy.running(), watching(proxy) as t:
        await t.shows("busy now")
        t.process.send_signal(number)
        assert await t.left() == code
        assert b"Traceback" not in t.shown


async def test_another_size_is_drawn_at_once(proxy: Proxy) -> None:
    async with proxy.running(), watching(proxy, "--interval", "3600") as t:
        await t.shows("example.com:80")
        t.resize(60, 8)
        t.process.send_signal(signal.SIGWINCH)
        frame = await t.shows(" more lines")
        rows = frame.split(b"\x1b[H")[-1].decode().replace("\r", "").split("\n")
        assert len(rows) == 8
        assert all(len(row.removeprefix("\x1b[K")) <= 60 for row in rows)
        assert proxy.asked == 1
        os.write(t.ours, b"q")
        assert await t.left() == 0


def is_stopped(pid: int) -> bool:
    """Say whether a process has been stopped by a signal."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def test_ctrl_z_gives_the_terminal_back_for_a_while(proxy: Proxy) -> None:
    async with proxy.running(), watching(proxy) as t:
        await t.shows("busy now")
        t.process.send_signal(signal.SIGTSTP)
        await t.shows(LEAVE.decode())
        while not is_stopped(t.process.pid):  # noqa: ASYNC110
            await trio.sleep(0.01)
        t.process.send_signal(signal.SIGCONT)
        await t.shows("\x1b[?1049h")
        await t.shows("busy now")
        os.write(t.ours, b"Q")
        assert await t.left() == 0


async def test_it_survives_a_restart(proxy: Proxy) -> None:
    async with watching(proxy) as t:
        await t.shows("not running: it is waited for")
        async with proxy.running():
            await t.shows("busy now")
        await t.shows("not running")
        proxy.status |= {"pid": 8, "uptime_s": 1.0}
        async with proxy.running():
            assert b"busy now" not in await t.shows("busy since the start")
            await t.shows("busy now")
            os.write(t.ours, b"q")
            assert await t.left() == 0


async def test_what_peers_say_never_reaches_the_terminal_raw(proxy: Proxy) -> None:
    proxy.status["connections"][0]["target"] = "\x1b]0;owned\x07\x9b2J"
    async with proxy.running(), watching(proxy) as t:
        frame = await t.shows("?]0;owned??2J")
        assert b"\x1b]" not in frame
        os.write(t.ours, b"q")
        assert await t.left() == 0


@pytest.mark.parametrize("words", [(), ("--json",)])
async def test_without_a_terminal_block_follows_block(
    proxy: Proxy, words: tuple[str, ...]
) -> None:
    command = proxy.command("--watch", "--interval", "0.2", *words)
    async with proxy.running(), trio.open_nursery() as nursery:

        async def start(task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
            await trio.run_process(command, stdout=sink, check=False, task_status=task_status)

        source, sink = os.pipe()
        process: trio.Process = await nursery.start(start)
        os.close(sink)
        got = b""
        async with trio.lowlevel.FdStream(source) as told:
            with trio.fail_after(20):
                while got.count(b"turnaround_ms" if words else b"% busy") < 3:
                    got += await told.receive_some()
        process.send_signal(signal.SIGINT)
    assert b"\x1b" not in got
    if words:
        lines = got.decode().splitlines()
        assert [json.loads(line)["pid"] for line in lines[:2]] == [7, 7]
    else:
        assert b"\n\nproxy     0.1.0, process 7" in got


async def test_exit_codes(proxy: Proxy, tmp_path: Path) -> None:
    async def fails(*words: str) -> tuple[int, str]:
        done = await run_program(*proxy.command(*words))
        assert done.stdout == b""
        return done.returncode, done.stderr.decode()

    code, complaint = await fails()
    assert code == 1
    assert complaint.startswith("modemproxy: no proxy can be asked: none runs here (tried ")
    assert complaint.count("\n") == 1
    for words in (("--interval", "0"), ("--interval", "nan"), ("--interval", "x")):
        code, complaint = await fails("--watch", *words)
        assert code == 2
        assert "is no number of seconds from 0.2 to 3600" in complaint
    async with proxy.running():
        proxy.status["draining"] = "no"
        assert await fails() == (1, "modemproxy: the proxy says: not now\n")
    done = await run_program(
        sys.executable, "-m", "modemproxy", "status", "--config", str(tmp_path / "none.yaml")
    )
    assert done.returncode == 2

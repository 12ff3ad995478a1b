"""The tty front: real pty, real clock. Never under autojump: it lies about kernel buffers."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from modemproxy.emulator.finetimer import FineTimer
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.pacing import PacedLine
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.pty import PtyPort, PtyStream, serve_pty
from modemproxy.emulator.ttyuser import preset_speed, tty_speed

pytestmark = pytest.mark.slow


class User:
    """A program that has the tty open."""

    def __init__(self, path: str, speed: int | None = None) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        if speed is not None:
            preset_speed(self.fd, speed)
        self.stream = trio.lowlevel.FdStream(self.fd)

    async def ask(self, data: bytes, until: bytes = b"OK\r\n") -> bytes:
        await self.stream.send_all(data)
        got = b""
        while not got.endswith(until):
            got += await self.stream.receive_some()
        return got

    async def silent_for(self, seconds: float) -> bool:
        with trio.move_on_after(seconds):
            await self.stream.receive_some()
            return False
        return True


@asynccontextmanager
async def plugged(
    link: Path | None = None, **options: float
) -> AsyncIterator[tuple[EmulatedModule, PtyPort]]:
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            profile = Profile(boot_echo=False, **options)  # type: ignore[arg-type]
            module = EmulatedModule(profile, internet=MemoryInternet(nursery))
            async with serve_pty(module, link=link) as port:
                yield module, port
            nursery.cancel_scope.cancel()


async def test_users_come_and_go_and_the_link_points_at_the_tty(tmp_path: Path) -> None:
    link = tmp_path / "modem"
    async with plugged(link) as (module, port):
        for _ in range(2):
            user = User(str(link))
            assert await user.ask(b"AT\r") == b"\r\nOK\r\n"
            await user.stream.aclose()
        assert os.readlink(link) == port.path == str(port) == os.fspath(port)
    assert not link.is_symlink()
    assert module.complaints == []


async def test_unplugging_ends_the_user_and_plugging_in_moves_the_link(tmp_path: Path) -> None:
    link = tmp_path / "modem"
    async with plugged(link) as (_module, port):
        user = User(str(link))
        await user.ask(b"AT+CIPHEAD=0\r")
        port.unplug()
        with pytest.raises(trio.BrokenResourceError):
            await user.stream.send_all(b"AT\r")
        await user.stream.aclose()
        assert not link.is_symlink()
        port.plug_in()
        user = User(str(link))
        assert b"+CIPHEAD: 0" in await user.ask(b"AT+CIPHEAD?\r")
        await user.stream.aclose()


async def test_a_port_can_be_unplugged_before_it_was_ever_served() -> None:
    async with plugged() as (_module, port):
        for _ in range(3):
            port.unplug()
            port.plug_in()


async def test_the_link_never_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "modem").write_text("precious")
    with pytest.raises(FileExistsError):
        PtyStream(tmp_path / "modem")


async def heard(module: EmulatedModule, user: User, data: bytes) -> None:
    """Send; the module has it, at the speed that both have now."""
    before = module.bytes_in
    await user.stream.send_all(data)
    while module.bytes_in < before + len(data):
        await trio.lowlevel.checkpoint()


async def test_the_module_answers_only_at_its_speed_and_can_be_moved() -> None:
    async with plugged() as (module, port):
        user = User(port.path, 9600)
        await heard(module, user, b"AT\r")
        assert await user.silent_for(0.1)
        preset_speed(user.fd, 115200)
        assert await user.ask(b"AT+IPR=921600\r") == b"\r\nOK\r\n"
        await heard(module, user, b"AT\r")
        assert await user.silent_for(0.1)
        preset_speed(user.fd, 921600)
        assert await user.ask(b"AT\r") == b"\r\nOK\r\n"
        assert (module.baudrate, tty_speed(user.fd)) == (921600, 921600)
        await user.stream.aclose()


EXCLUSIVE = """
import fcntl, os, sys, termios
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
fcntl.ioctl(fd, termios.TIOCEXCL)
print("held", flush=True)
sys.stdin.read()
"""


def is_exclusive(fd: int) -> bool:
    """Ask TIOCGEXCL, which root's own opens ignore but the flag's state does not."""
    raw = fcntl.ioctl(fd, 0x80045440, bytes(4))
    return raw != bytes(4)


async def test_an_exclusive_open_ends_with_its_killed_user() -> None:
    async with plugged() as (_module, port):
        process = await trio.lowlevel.open_process(
            [sys.executable, "-c", EXCLUSIVE, port.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdin is not None
        async with process.stdout, process.stdin:
            said = b""
            while said != b"held\n":
                said += await process.stdout.receive_some()
            watcher = port.slave_fd
            assert is_exclusive(watcher)
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
        while is_exclusive(watcher):
            await trio.lowlevel.checkpoint()
        user = User(port.path)
        assert await user.ask(b"AT\r") == b"\r\nOK\r\n"
        await user.stream.aclose()


@pytest.mark.parametrize("baudrate", [115200, 921600, 3_000_000])
async def test_raw_bytes_pass_no_faster_than_the_line_both_ways_at_once(baudrate: int) -> None:
    left, right = PtyStream(), PtyStream()
    users = User(left.path), User(right.path)
    data = os.urandom(baudrate // 10)
    shares: list[float] = []

    async def carry(source: User, target: User) -> None:
        nursery.start_soon(source.stream.send_all, data)
        got, started = bytearray(), trio.current_time()
        while len(got) < len(data):
            got += await target.stream.receive_some()
        shares.append(len(data) * 10 / baudrate / (trio.current_time() - started))
        assert got == data

    timers: list[FineTimer] = []

    def sleeper() -> FineTimer:
        timers.append(FineTimer())
        return timers[-1]

    with trio.fail_after(20):
        async with trio.open_nursery() as outer:
            outer.start_soon(PacedLine(left, right, baudrate, sleeper=sleeper).run)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(carry, *users)
                nursery.start_soon(carry, *users[::-1])
            outer.cancel_scope.cancel()
    for end in (left, right, users[0].stream, users[1].stream):
        await end.aclose()
    for timer in timers:
        timer.close()
    # never faster; how near it comes is for the benchmark, on a machine that is idle
    assert all(0 < share < 1.005 for share in shares), shares


async def test_a_command_takes_its_latency() -> None:
    latency = 0.005
    async with plugged(command_latency_s=latency) as (_module, port):
        user = User(port.path)
        times = []
        for _ in range(100):
            started = trio.current_time()
            await user.ask(b"AT\r")
            times.append(trio.current_time() - started - latency - 9 * 10 / 115200)
        await user.stream.aclose()
    # the least disturbed one says what the line does; the bar is for a machine that is busy
    assert -0.0005 < min(times) < latency


def test_a_fresh_tty_is_raw() -> None:
    async def look() -> list[object]:
        stream = PtyStream()
        fd = os.open(stream.path, os.O_RDWR | os.O_NOCTTY)
        attributes = termios.tcgetattr(fd)
        os.close(fd)
        await stream.aclose()
        return attributes

    local = trio.run(look)[tty.LFLAG]
    assert isinstance(local, int)
    assert not local & (termios.ECHO | termios.ICANON)

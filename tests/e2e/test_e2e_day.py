"""A day's operation as a script, under an emulated service manager.

Module and proxy are processes of their own. The manager does what systemd does for a unit
of ``Type=notify-reload`` with ``WatchdogSec=`` and ``Restart=on-failure``: it hears the
notify socket, kills what does not feed its watchdog, and starts again what failed.
"""

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio

from tests.e2e.host import free_port, modemproxy, run_program
from tests.e2e.manager import WATCHDOG_S, Manager, ended
from tests.e2e.world import echo, hostile_bytes, odd_pieces, read_to_end, serve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

#: The program, whose work loop can be made to stick by SIGUSR1: the event loop goes on,
#: and so does every task but the one that serves the line. It sticks where it rests; in
#: an exchange it would be given the time that the longest exchange can take.
STICKY = """
import signal, sys, trio
from modemproxy import cli
from modemproxy.line.scheduler import Scheduler

stuck = False
usual = Scheduler._wait_for_work

async def wait_for_work(self, due_at):
    if stuck and self._resting:
        await trio.sleep_forever()
    await usual(self, due_at)

def stick(*_):
    global stuck
    stuck = True

Scheduler._wait_for_work = wait_for_work
signal.signal(signal.SIGUSR1, stick)
sys.exit(cli.main(sys.argv[1:]))
"""


@asynccontextmanager
async def emulated(folder: Path) -> AsyncIterator[trio.Process]:
    """Run an emulated module as a process."""
    tty = folder / "modem"
    command = modemproxy(
        "emulate", "--tty", str(tty), "--host", "far.example=127.0.0.1", "--no-pace"
    )
    with (folder / "emulator").open("wb") as log:
        process = await trio.lowlevel.open_process(command, stdout=log, stderr=log)
    try:
        with trio.fail_after(20):
            while not tty.exists():  # noqa: ASYNC110 - a file has no event
                await trio.sleep(0.05)
        yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def write(folder: Path, far_port: int, **listen: int) -> Path:
    """Write a configuration of forwards to the far side."""
    lines = "".join(
        f"  - {{name: {name}, listen: '127.0.0.1:{port}', connect: 'far.example:{far_port}'}}\n"
        for name, port in listen.items()
    )
    file = folder / "modemproxy.yaml"
    file.write_text(
        f"modem: {{port: {folder / 'modem'}}}\n"
        "timeouts: {shutdown_s: 5, connect_s: 25}\n"
        f"admin: {{socket: {folder / 'admin.sock'}}}\nforwards:\n{lines}"
    )
    return file


async def transfer(stream: trio.SocketStream, data: bytes) -> bool:
    """Send in odd pieces, take the echo, and compare."""
    got = bytearray()

    async def send() -> None:
        for piece in odd_pieces(data, 4):
            await stream.send_all(piece)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while len(got) < len(data):
            more = await stream.receive_some()
            assert more, "the end came early"
            got += more
    return bytes(got) == data


async def exchange(port: int, data: bytes) -> bool:
    """A whole connection."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        return await transfer(stream, data)


async def test_a_day(tmp_path: Path) -> None:
    web, mqtt, moved = free_port(), free_port(), free_port()
    script = tmp_path / "sticky.py"
    script.write_text(STICKY)
    async with emulated(tmp_path) as module, trio.open_nursery() as nursery:
        far = await serve(nursery, echo)
        file = write(tmp_path, far, web=web, mqtt=mqtt)
        command = [sys.executable, str(script), "run", "--config", str(file)]
        manager = Manager(nursery, tmp_path, command)
        await nursery.start(manager.hear)

        # morning: started, and loaded
        await manager.start()
        await manager.hears("STATUS=module up")
        await load(web, mqtt)

        # a reload: mqtt moves, web's transfer is exact and unbroken
        async with await trio.open_tcp_stream("127.0.0.1", web) as stream:
            exact: list[bool] = []

            async def move() -> None:
                exact.append(await transfer(stream, hostile_bytes(150_000, 7)))

            async with trio.open_nursery() as transfers:
                transfers.start_soon(move)
                write(tmp_path, far, web=web, mqtt=moved)
                manager.send(signal.SIGHUP)
                await manager.hears("RELOADING=1\nMONOTONIC_USEC=")
                await manager.hears("READY=1", count=2)
                assert await exchange(moved, b"moved")
                with pytest.raises(OSError, match=r"."):
                    await trio.open_tcp_stream("127.0.0.1", mqtt)
                assert not exact
            assert exact == [True]
            good = file.read_text()
            file.write_text(good + "what: is this\n")
            manager.send(signal.SIGHUP)
            await manager.hears("READY=1", count=3)  # refused, and in service as before
            assert await transfer(stream, b"unbroken")
            file.write_text(good)

        # a module that hangs for longer than the watchdog waits is no reason to be killed
        module.send_signal(signal.SIGSTOP)
        fed = sum("WATCHDOG=1" in said for said in manager.heard)
        await trio.sleep(2.5 * WATCHDOG_S)
        module.send_signal(signal.SIGCONT)
        assert sum("WATCHDOG=1" in said for said in manager.heard) >= fed + 3
        with trio.fail_after(40):
            assert await exchange(web, b"after the pause")
        assert (manager.starts, manager.trips) == (1, 0)

        # evening: drained, and started again
        async with await trio.open_tcp_stream("127.0.0.1", web) as stream:
            assert await transfer(stream, b"inside")
            await drain(tmp_path)
            assert (await read_to_end(stream))[1] == "RST"
        await manager.hears("STOPPING=1")
        assert await ended(manager) == 0
        await manager.start()
        await manager.hears("STATUS=module up")
        assert await exchange(web, b"once more")

        # the work loop sticks: killed by the watchdog, and started again
        async with await trio.open_tcp_stream("127.0.0.1", web) as stream:
            assert await transfer(stream, b"before")
            manager.send(signal.SIGUSR1)
            with trio.fail_after(30), suppress(trio.BrokenResourceError):
                while manager.starts < 3:  # it sticks behind what it is doing just now
                    await stream.send_all(b"does anybody hear me?")
                    await trio.sleep(0.3)
        with trio.fail_after(10):
            while manager.starts < 3:  # noqa: ASYNC110
                await trio.sleep(0.1)
        assert manager.trips == 1
        assert manager.codes == [0, -signal.SIGABRT]
        assert "the work loop is stuck" in (tmp_path / "log").read_text()
        await manager.hears("STATUS=module up", count=2)
        await load(web, moved)

        # night
        manager.send(signal.SIGTERM)
        assert await ended(manager) == 0
        assert manager.trips == 1
        nursery.cancel_scope.cancel()


async def load(*ports: int) -> None:
    """Several connections at once, all exact."""
    exact: list[bool] = []

    async def one(port: int, seed: int) -> None:
        exact.append(await exchange(port, hostile_bytes(15_000, seed)))

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(one, ports[number % len(ports)], number)
    assert exact == [True] * 6


async def drain(folder: Path) -> None:
    where = ("--socket", str(folder / "admin.sock"))
    done = await run_program(*modemproxy("drain", "--deadline", "1", *where))
    assert done.returncode == 0, done.stderr
    assert b"1 connection reset; the proxy stops" in done.stdout

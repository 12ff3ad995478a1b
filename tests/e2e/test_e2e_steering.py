"""The real program reloaded, drained and steered by its own commands, under real traffic."""

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from modemproxy.emulator.profile import Profile
from tests.e2e.host import modemproxy, run_program
from tests.e2e.test_e2e_process import connect, free_port, proxy_process
from tests.e2e.world import World, echo, hostile_bytes, module_on_tty, odd_pieces, read_to_end

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


class Operated:
    """A program as a process, its file, and its commands."""

    def __init__(self, w: World, far_port: int) -> None:
        self.world = w
        self.file = w.folder / "modemproxy.yaml"
        self.socket = w.folder / "admin.sock"
        self.far_port = far_port

    def write(self, **listen: int | str) -> None:
        """Write the configuration: forwards by name, each on a port of 127.0.0.1."""
        w = self.world
        lines = [
            f"  - {{name: {name}, listen: '127.0.0.1:{port}', "
            f"connect: 'far.example:{self.far_port}'}}"
            for name, port in listen.items()
        ]
        head = (
            f"modem: {{port: {w.tty}, baudrate: {w.module.profile.baudrate}}}\n"
            "timeouts: {shutdown_s: 6, connect_s: 20}\n"
            f"admin: {{socket: {self.socket}}}\nforwards:\n"
        )
        self.file.write_text(head + "\n".join(lines) + "\n")

    async def command(self, *words: str) -> tuple[int, str]:
        """Run one of the program's commands; exit code, and all it printed."""
        where = ("--socket", str(self.socket))
        done = await run_program(*modemproxy(*words, *where))
        return done.returncode, (done.stdout + done.stderr).decode()

    async def log_says(self, words: str) -> None:
        """Wait until the log has some words."""
        log = self.world.folder / "log"
        with trio.fail_after(20):
            while words not in log.read_text():  # noqa: ASYNC110 - a file has no event
                await trio.sleep(0.02)


@asynccontextmanager
async def operated(
    folder: Path, **listen: int | str
) -> AsyncIterator[tuple[Operated, trio.Process]]:
    """Run the program with forwards to an echo."""
    profile = Profile(baudrate=921600)
    async with module_on_tty(folder, {"far": echo}, profile, pace=False) as (w, config):
        o = Operated(w, config.forwards[0].connect.port)
        o.write(**listen)
        async with proxy_process(w, o.file) as process:
            yield o, process


async def transfer(stream: trio.SocketStream, data: bytes) -> bool:
    """Send in odd pieces, take the echo, and compare."""
    got = bytearray()

    async def send() -> None:
        for piece in odd_pieces(data, 3):
            await stream.send_all(piece)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while len(got) < len(data):
            more = await stream.receive_some()
            assert more, "the end came early"
            got += more
    return bytes(got) == data


async def test_a_transfer_survives_every_kind_of_reload(tmp_path: Path) -> None:
    ports = {"kept": free_port(), "other": free_port()}
    data = hostile_bytes(400_000, 61)
    async with operated(tmp_path, **ports) as (o, process):
        stream = await connect(ports["kept"])
        exact: list[bool] = []

        async def move_all() -> None:
            exact.append(await transfer(stream, data))

        async with stream, trio.open_nursery() as nursery:
            assert await transfer(stream, b"first")
            nursery.start_soon(move_all)
            old = await connect(ports["other"])
            assert await transfer(old, b"old")
            moved = {**ports, "other": free_port()}
            o.write(**moved)
            code, said = await o.command("reload", "--dry-run")
            assert code == 0
            assert "other: moved" in said
            assert "not touched: kept" in said
            code, said = await o.command("reload")
            assert (code, "its 1 connection may finish" in said) == (0, True)
            assert await transfer(old, b"still")
            new = await connect(moved["other"])
            assert await transfer(new, b"new")
            with pytest.raises(OSError, match=r"."):
                await trio.open_tcp_stream("127.0.0.1", ports["other"])
            o.write(**moved, third="x")
            code, said = await o.command("reload")
            assert code == 2
            assert f"{o.file}:" in said
            process.send_signal(signal.SIGHUP)
            await o.log_says("reload refused, nothing has changed: ")
            o.write(**moved, third=free_port())
            process.send_signal(signal.SIGHUP)
            await o.log_says("configuration reloaded: third: added")
            await old.aclose()
            await new.aclose()
        assert exact == [True]
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_fifty_hangups_leave_no_descriptor_behind(tmp_path: Path) -> None:
    kept, other = free_port(), [free_port(), free_port()]
    listen = {"kept": kept, "other": other[0]}
    async with operated(tmp_path, **listen) as (o, process), await connect(kept) as stream:
        assert await transfer(stream, b"warm")
        before = len(os.listdir(f"/proc/{process.pid}/fd"))
        for number in range(1, 51):
            o.write(kept=kept, other=other[number % 2])
            process.send_signal(signal.SIGHUP)
            await o.log_says(f"-> tcp 127.0.0.1:{other[number % 2]}")
            (tmp_path / "log").write_text("")
            assert await transfer(stream, hostile_bytes(2000, number))
        assert len(os.listdir(f"/proc/{process.pid}/fd")) == before


async def test_drain_by_command(tmp_path: Path) -> None:
    port = free_port()
    async with operated(tmp_path, web=port) as (o, process), await connect(port) as stream:
        assert await transfer(stream, b"inside")
        answers: list[tuple[int, str]] = []

        async def drain() -> None:
            answers.append(await o.command("drain", "--deadline", "2"))

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drain)
                await o.log_says("draining: 1 inside")
                assert await transfer(stream, hostile_bytes(20_000, 5))
                with pytest.raises(OSError, match=r"."):
                    await trio.open_tcp_stream("127.0.0.1", port)
                assert (await read_to_end(stream))[1] == "RST"
            assert await process.wait() == 0
        [(code, said)] = answers
        assert code == 0
        assert "the time is up: 1 connection reset; the proxy stops" in said
        assert o.world.module.commands["+NETCLOSE"] == 1
        assert (await o.command("drain"))[0] == 1  # nobody is there


async def test_disable_enable_and_kick_by_command(tmp_path: Path) -> None:
    port = free_port()
    async with operated(tmp_path, web=port) as (o, _):
        stream = await connect(port)
        assert await transfer(stream, b"inside")
        assert await o.command("disable", "web") == (
            0, "web: nobody is let in (those inside go on)\n"
        )  # fmt: skip
        async with await connect(port) as refused:
            assert (await read_to_end(refused))[1] == "RST"
        assert await transfer(stream, b"go on")
        code, said = await o.command("enable", "wep")
        assert (code, said) == (
            1, "modemproxy: the proxy says: no listener 'wep' (did you mean 'web'?)\n"
        )  # fmt: skip
        assert (await o.command("enable", "web"))[0] == 0
        assert (await o.command("kick", "--listener", "web")) == (0, "1 connection reset\n")
        assert (await read_to_end(stream))[1] == "RST"
        await stream.aclose()
        async with await connect(port) as again:
            assert await transfer(again, b"again")
        assert (await o.command("kick", "999"))[0] == 1
        assert (await o.command("kick"))[0] == 2


async def test_commands_without_a_proxy_say_so(tmp_path: Path) -> None:
    nowhere = ("--socket", str(tmp_path / "none.sock"))
    for words in (("drain",), ("disable", "x"), ("enable", "x"), ("kick", "1")):
        done = await run_program(*modemproxy(*words, *nowhere))
        assert done.returncode == 1
        assert b"no proxy can be asked" in done.stderr
    wrong = tmp_path / "m.yaml"
    wrong.write_text("modem: {}\n")
    done = await run_program(*modemproxy("reload", "--config", str(wrong)))
    assert done.returncode == 2
    assert b"m.yaml:1: modem.port: missing" in done.stderr


async def test_raw_requests_as_a_script_would_send_them(tmp_path: Path) -> None:
    port = free_port()
    async with operated(tmp_path, web=port) as (o, _):
        await o.log_says("module up")
        async with await trio.open_unix_socket(str(o.socket)) as stream:
            await stream.send_all(b'{"request": "reload", "dry_run": true}\n')
            answer = json.loads(await stream.receive_some())
            assert answer["changes"] == []
            await stream.send_all(b'{"request": "disable", "name": "web"}\n')
            assert json.loads(await stream.receive_some())["enabled"] is False

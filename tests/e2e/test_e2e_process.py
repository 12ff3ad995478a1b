"""``modemproxy run`` as a process of its own: killed, stopped, refused, and left idle."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from modemproxy.emulator.profile import Profile
from tests.e2e.world import World, echo, exchange, hostile_bytes, module_on_tty, read_to_end

pytestmark = pytest.mark.slow


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def write_config(w: World, far_port: int, listen: int, extra: str = "") -> Path:
    file = w.folder / "modemproxy.yaml"
    file.write_text(
        f"""modem: {{port: {w.tty}, baudrate: {w.module.profile.baudrate}}}
timeouts: {{shutdown_s: 6, connect_s: 20}}
forwards:
  - {{listen: "127.0.0.1:{listen}", connect: "far.example:{far_port}"}}
{extra}"""
    )
    return file


@asynccontextmanager
async def proxy_process(w: World, file: Path) -> AsyncIterator[trio.Process]:
    """Run the program; it is killed if the test does not end it."""
    environment = {**os.environ, "XDG_STATE_HOME": str(w.folder / "state")}
    command = [sys.executable, "-W", "error", "-m", "modemproxy", "run", "--config", str(file)]
    log = (w.folder / "log").open("ab")
    process = await trio.lowlevel.open_process(command, env=environment, stderr=log)
    try:
        yield process
    finally:
        log.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def connect(port: int) -> trio.SocketStream:
    """Connect as soon as the program listens."""
    while True:
        try:
            return await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:
            await trio.sleep(0.05)


async def endless(stream: trio.SocketStream) -> None:
    while True:
        await stream.send_all(b"GHOST" * 1000)


async def test_killed_in_mid_transfer_and_started_again(tmp_path: Path) -> None:
    """No ghost bytes, though the module still has the old links and their data."""
    handlers = {"far": endless, "echo": echo}
    profile = Profile(command_latency_s=0.005)
    async with module_on_tty(tmp_path, handlers, profile) as (w, config):
        ports = {forward.name: forward.connect.port for forward in config.forwards}
        file = write_config(w, ports["far"], first := free_port())
        async with proxy_process(w, file) as process:
            streams = [await connect(first) for _ in range(3)]
            for stream in streams:
                assert await stream.receive_some()
            process.kill()
            await process.wait()
            for stream in streams:
                await stream.aclose()
        w.ports["far"] = second = free_port()
        file = write_config(w, ports["echo"], second)
        file.write_text(file.read_text().replace("far.example", "echo.example"))
        async with proxy_process(w, file):
            await (await connect(second)).aclose()
            data = hostile_bytes(5_000, 4)
            with trio.fail_after(30):
                assert await exchange(w, data, 4) == data


async def test_sigterm_in_mid_transfer(tmp_path: Path) -> None:
    """Exit 0 within shutdown_s, NETCLOSE sent, the client is told by a reset."""
    async with module_on_tty(tmp_path, {"far": endless}, Profile()) as (w, config):
        file = write_config(w, config.forwards[0].connect.port, port := free_port())
        async with proxy_process(w, file) as process, await connect(port) as stream:
            assert await stream.receive_some()
            process.send_signal(signal.SIGTERM)
            with trio.fail_after(7):
                assert await process.wait() == 0
            assert (await read_to_end(stream))[1] == "RST"
        assert w.module.commands["+NETCLOSE"] == 1
        assert not any(w.module.dce.stack.links)


def run_program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modemproxy", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("modem: {port: /dev/x, apm: a}\n", ":1: modem.apm: unknown key"),
        ("modem:\n  port: /dev/x\nforwards: 5\n", ":3: forwards: "),
        ("modem: [\n", ":2: "),
    ],
)
def test_a_wrong_configuration_exits_2_and_names_line_and_key(
    tmp_path: Path, text: str, where: str
) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(text)
    for command in (["check", str(file)], ["run", "--config", str(file)]):
        result = run_program(*command)
        assert result.returncode == 2
        assert str(file) + where in result.stderr
        assert "Traceback" not in result.stderr


def test_a_taken_host_port_is_the_users_to_solve(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        file = tmp_path / "m.yaml"
        port = taken.getsockname()[1]
        file.write_text(
            "modem: {port: /dev/null}\n"
            f"forwards: [{{listen: '127.0.0.1:{port}', connect: 'a.example:1'}}]\n"
        )
        result = run_program("run", "--config", str(file))
        assert result.returncode == 2
        assert f"cannot listen on 127.0.0.1:{port}" in result.stderr
        assert "Traceback" not in result.stderr


def test_init_prints_what_check_accepts(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(run_program("init").stdout)
    result = run_program("check", str(file))
    assert result.returncode == 0, result.stderr
    assert "127.0.0.1:1883" in result.stdout


async def test_idle_it_costs_next_to_nothing(tmp_path: Path) -> None:
    """Under 1 % of a core and under 40 MB, with the module up and a link open."""
    async with module_on_tty(tmp_path, {"far": echo}, Profile()) as (w, config):
        file = write_config(w, config.forwards[0].connect.port, port := free_port())
        async with proxy_process(w, file) as process, await connect(port) as stream:
            await stream.send_all(b"x")
            assert await stream.receive_some() == b"x"
            await trio.sleep(3)  # the polls behind a transfer are over
            before = cpu_seconds(process.pid)
            await trio.sleep(5)
            assert (cpu_seconds(process.pid) - before) / 5 < 0.01
            assert resident_megabytes(process.pid) < 40


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

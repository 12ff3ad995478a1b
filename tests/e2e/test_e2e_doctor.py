"""``modemproxy doctor`` as a program of its own, on a real tty."""

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
from tests.e2e.host import host, modemproxy, proxies, run_program
from tests.e2e.world import World, echo, module_on_tty

pytestmark = pytest.mark.slow

HOLD = "import sys, time; f = open(sys.argv[1], 'rb+', 0); print('has it', flush=True); input()"


@asynccontextmanager
async def module(folder: Path, **options: object) -> AsyncIterator[World]:
    profile = Profile(command_latency_s=0.002, **options)  # type: ignore[arg-type]
    async with module_on_tty(folder, {"far": echo}, profile, pace=False) as (w, _):
        yield w


def write_config(folder: Path, tty: Path) -> Path:
    file = folder / "modemproxy.yaml"
    file.write_text(
        f"modem: {{port: {tty}, apn: internet}}\n"
        f"admin: {{socket: {folder}/admin.sock}}\n"
        'forwards: [{listen: "127.0.0.1:0", connect: "far.example:80", name: far}]\n'
    )
    return file


def is_open(w: World) -> bool:
    """The stack is up."""
    return w.module.dce.stack.net


async def run_doctor(w: World, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    file = write_config(w.folder, Path(w.tty))
    environ = {"XDG_STATE_HOME": str(w.folder / "state")}
    command = modemproxy("doctor", "--config", str(file), *arguments)
    return await run_program(*command, environ=environ)


async def test_healthy(tmp_path: Path) -> None:
    async with module(tmp_path) as w:
        done = await run_doctor(w)
        assert done.returncode == 0, done.stdout
        shown = done.stdout.decode()
        warnings = [line for line in shown.splitlines() if line.startswith("warning")]
        # on a busy machine the module in this process may be slow, and that is said
        assert all("turn-around" in line for line in warnings)
        assert shown.splitlines()[-1].startswith("All is well")
        assert "the module answers AT at 115200 baud" in shown
        assert "far.example is 127.0.0.1" in shown
        assert done.stderr == b""
        assert not w.module.dce.stack.net
        assert w.module.dce.settings.echo
        assert w.module.complaints == []


async def test_switched_off(tmp_path: Path) -> None:
    async with module(tmp_path) as w:
        w.module.dce.switch_off()
        done = await run_doctor(w, "--json")
        assert done.returncode == 1
        assert b"silent: no answer to AT at any speed, not a single byte" in done.stdout


async def test_held_by_another_program(tmp_path: Path) -> None:
    async with module(tmp_path) as w:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-c", HOLD, w.tty], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert (await process.stdout.receive_some()).startswith(b"has it")
            done = await run_doctor(w)
            assert done.returncode == 1
            assert f"(pid {process.pid}) has {w.tty} open".encode() in done.stdout
            assert f"sudo kill {process.pid}".encode() in done.stdout
        finally:
            process.kill()
            await process.wait()
            await process.stdin.aclose()
            await process.stdout.aclose()


async def test_beside_a_running_proxy(tmp_path: Path) -> None:
    async with host(tmp_path, proxies()) as h:
        file = write_config(tmp_path, tmp_path / "modem")
        done = await run_program(*modemproxy("doctor", "--config", str(file)))
        assert done.returncode == 1
        shown = done.stdout.decode()
        assert f"a proxy is running (pid {os.getpid()}) and uses the module" in shown
        assert "modemproxy status" in shown
        assert "skipped  opening, answer, turn-around" in shown
        assert h.module.complaints == []


async def test_interrupted_it_closes_what_it_opened(tmp_path: Path) -> None:
    async with module(tmp_path, dns_delay_s=3.0) as w:
        file = write_config(w.folder, Path(w.tty))
        command = modemproxy("doctor", "--config", str(file))
        process = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL)
        try:
            with trio.fail_after(20):
                while not is_open(w):  # noqa: ASYNC110 - a module has no event
                    await trio.sleep(0.02)
                process.send_signal(signal.SIGINT)
                assert await process.wait() == 128 + signal.SIGINT
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        assert not is_open(w)
        assert w.module.dce.settings.echo

"""The two child processes of a measurement, from this process's side."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio

from modemproxy.bench.figures import Arrival
from modemproxy.bench.limits import Line
from modemproxy.errors import ModemProxyError

_PATIENCE_S: Final = 10.0


class BenchError(ModemProxyError):
    """A measurement could not be made."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What the module has counted up to one moment."""

    at: float
    commands: dict[str, int]
    wire_bytes: int
    busy: int
    wrong: int
    links: dict[str, dict[str, int]] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)

    def since(self, before: "Counters") -> "Counters":
        """Return the differences to an earlier moment; ``at`` becomes the time between."""
        commands = {
            name: count - before.commands.get(name, 0) for name, count in self.commands.items()
        }
        return Counters(
            at=self.at - before.at,
            commands=commands,
            wire_bytes=self.wire_bytes - before.wire_bytes,
            busy=self.busy - before.busy,
            wrong=self.wrong - before.wrong,
            links={key: _less(now, before.links.get(key)) for key, now in self.links.items()},
            open=self.open,
        )

    @property
    def total(self) -> int:
        """All commands."""
        return sum(self.commands.values())

    @property
    def exchanges(self) -> int:
        """Those that carry data."""
        return self.commands.get("+CIPSEND", 0) + self.commands.get("+CIPRXGET", 0)


def _less(now: dict[str, int], before: dict[str, int] | None) -> dict[str, int]:
    return {key: value - (before or {}).get(key, 0) for key, value in now.items()}


class World:
    """An emulated module with a far side, and the line to it.

    Attributes:
        line: speed and latency.
        tty: where the module is.
        ports: of the far services, by name.
        folder: for files of this measurement.
    """

    def __init__(self, line: Line, folder: Path, process: trio.Process) -> None:
        self.line = line
        self.folder = folder
        self.tty = str(folder / "modem")
        self.ports: dict[str, int] = {}
        self._process = process
        self._rest = b""

    async def ask(self, **question: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Ask the station something."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(json.dumps(question).encode() + b"\n")
        return await self.answer()

    async def answer(self) -> dict[str, Any]:
        """Return the next line of the station.

        Raises:
            BenchError: it ended instead; what it said on standard error is in the message.
        """
        assert self._process.stdout is not None
        with trio.fail_after(_PATIENCE_S):
            while b"\n" not in self._rest:
                data = await self._process.stdout.receive_some()
                if not data:
                    raise BenchError(f"the emulated module ended: {tail(self.folder / 'emu')}")
                self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said

    async def counters(self) -> Counters:
        """Return what the module has counted so far."""
        said = await self.ask(do="counters")
        wire = said["bytes_in"] + said["bytes_out"]
        names = ("commands", "busy", "wrong", "links", "open")
        return Counters(
            at=time.monotonic(), wire_bytes=wire, **{name: said[name] for name in names}
        )

    async def arrivals(self, since: float, until: float) -> dict[str, list[Arrival]]:
        """Return what reached the far side in that time, by service."""
        said = await self.ask(do="arrivals", since=since, until=until)
        return {name: [(at, count) for at, count in window] for name, window in said.items()}

    async def set_profile(self, **changes: object) -> None:
        """Change the dialect."""
        await self.ask(do="profile", changes=changes)

    async def wait_no_links(self) -> None:
        """Wait until every link of the module is closed.

        Raises:
            BenchError: that takes too long.
        """
        with trio.move_on_after(_PATIENCE_S * 3):
            while (await self.counters()).open:  # noqa: ASYNC110 - another process
                await trio.sleep(0.05)
            return
        raise BenchError("links of the module stay open after their clients have left")


def tail(file: Path) -> str:
    """Return the end of a log, for a message."""
    lines = file.read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-4:]) or "(it said nothing)"


@asynccontextmanager
async def emulated(line: Line, options: Mapping[str, object]) -> AsyncIterator[World]:
    """Run a module with a far side for as long as the block runs.

    Args:
        line: the line to it.
        options: other fields of the emulator's Profile.
    """
    profile = dict(options, baudrate=line.baudrate, command_latency_s=line.latency_s)
    with tempfile.TemporaryDirectory(prefix="modemproxy-bench-") as name:
        folder = Path(name)
        start = {"tty": str(folder / "modem"), "profile": profile}
        command = [sys.executable, "-m", "modemproxy.bench.station", json.dumps(start)]
        async with child(command, folder / "emu", talk=True) as process:
            world = World(line, folder, process)
            world.ports = (await world.answer())["ports"]
            yield world


@asynccontextmanager
async def child(
    command: list[str], log: Path, *, talk: bool = False, **environment: str
) -> AsyncIterator[trio.Process]:
    """Run a process for as long as the block runs; it is asked to end, then killed."""
    pipe = subprocess.PIPE if talk else subprocess.DEVNULL
    with log.open("wb") as file:
        process = await trio.lowlevel.open_process(
            command, stdin=pipe, stdout=pipe, stderr=file, env={**os.environ, **environment}
        )
    try:
        yield process
    finally:
        with trio.CancelScope(shield=True):
            await _end(process)


async def _end(process: trio.Process) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            await stream.aclose()
    if process.poll() is None:
        process.terminate()
    with trio.move_on_after(_PATIENCE_S):
        await process.wait()
        return
    process.kill()
    await process.wait()

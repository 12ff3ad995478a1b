"""A lifecycle on a cable in memory with a box of faults, and all that it said of itself."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import trio

from modemproxy.config import Config, ModemConfig, Server, Timeouts
from modemproxy.emulator.faults import FaultBox
from modemproxy.emulator.faults_cable import BUFFER_BYTES, MemoryCable
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.errors import LineClosed
from modemproxy.journal import Entry, Event, Journal, RungTaken
from modemproxy.line.port import StreamPort
from modemproxy.module.lifecycle import Lifecycle
from modemproxy.module.link import Link
from modemproxy.module.servers import FarClient
from modemproxy.module.session import Session
from modemproxy.module.state import StateStore

from .rig import CLAIM, FAR, HOSTILE, echo, exchange

EventT = TypeVar("EventT", bound=Event)


class CablePort(StreamPort):
    """The DTE's end of a cable in memory."""

    def __init__(self, cable: MemoryCable) -> None:
        super().__init__(cable.open())
        self._cable = cable

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Set this end's speed."""
        await trio.lowlevel.checkpoint()
        self._cable.speed = baudrate


class RecoveryBench:
    """One module, its cable, its faults, and a lifecycle that keeps it in service.

    Attributes:
        said: every event, with trio's time.
        heard: every line that the module heard, with its time.
        opened: what the device was called each time the port was opened.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        directory: Path,
        modem: dict[str, Any],
        capacity: int = BUFFER_BYTES,
        connect_s: float = 30,
        servers: tuple[Server, ...] = (),
        **options: Any,
    ) -> None:
        options.setdefault("command_latency_s", 0.005)
        self.nursery = nursery
        self.internet = MemoryInternet(nursery)
        self.internet.listen_tcp(FAR, 7, echo)
        self.module = EmulatedModule(Profile(**options), internet=self.internet)
        self.heard: list[tuple[float, str]] = []
        self._begun = b""
        self.module.trace = self._trace
        self.cable = MemoryCable(self.module, nursery, capacity=capacity)
        self.faults = FaultBox(self.module, self.cable)
        nursery.start_soon(self.faults.run)
        nursery.start_soon(self.module.presence.move, self.cable)
        nursery.start_soon(self.module.keep_time)
        self.journal = Journal(trio.current_time)
        self.said: list[Entry] = []
        self.journal.listen(self.said.append)
        self.opened: list[str] = []
        self.lifecycle = Lifecycle(
            Config(
                modem=ModemConfig(port="/dev/emulated", **modem),
                timeouts=Timeouts(shutdown_s=4, connect_s=connect_s),
                forwards=(),
                servers=servers,
                path=Path("test.yaml"),
            ),
            state=StateStore(directory, "/dev/emulated"),
            open_port=self._open_port,
            journal=self.journal,
            on_far_client=self._take_far_client,
        )

    async def _open_port(self) -> CablePort:
        await trio.lowlevel.checkpoint()
        try:
            port = CablePort(self.cable)
        except OSError as error:
            raise LineClosed(str(error)) from error
        self.opened.append(self.cable.name)
        return port

    def _take_far_client(self, far: FarClient) -> None:
        self.nursery.start_soon(echo_link, far.link)

    # -- what happened --

    def events(self, kind: type[EventT]) -> list[EventT]:
        """All events of a kind, oldest first."""
        return [entry.event for entry in self.said if isinstance(entry.event, kind)]

    @property
    def rungs(self) -> str:
        """The rungs taken so far, but for that of the line itself."""
        taken = (each.rung for each in self.events(RungTaken))
        return " ".join(rung for rung in taken if rung != "R1")

    def rung_at(self, rung: str, nth: int = 0) -> tuple[float, RungTaken]:
        """When a rung was taken, and the event."""
        found = [
            (entry.at, entry.event)
            for entry in self.said
            if isinstance(entry.event, RungTaken) and entry.event.rung == rung
        ]
        return found[nth]

    def _trace(self, direction: str, data: bytes) -> None:
        if direction != ">":
            return
        *lines, self._begun = (self._begun + data).split(b"\r")
        now = trio.current_time()
        self.heard += [(now, line.decode("latin-1")) for line in lines]

    def commands(self, *starts: str, since: float = -inf) -> list[str]:
        """What the module was told, of that which begins like this."""
        beginnings = tuple(f"AT{start}" for start in starts)
        return [
            line[2:] for at, line in self.heard if at >= since and line.startswith(beginnings)
        ]

    # -- what clients see --

    async def session(self, limit_s: float) -> Session:
        """Wait for a session."""
        with trio.fail_after(limit_s):
            return await self.lifecycle.gate.wait_session()

    async def served(self, limit_s: float) -> float:
        """Be a client: bytes go there and back; return how long all of it took."""
        began = trio.current_time()
        with trio.fail_after(limit_s):
            session = await self.lifecycle.gate.wait_session()
            async with session.open_link(FAR, 7, claim=CLAIM, queue_s=5) as link:
                assert await exchange(link, HOSTILE) == HOSTILE
        return trio.current_time() - began

    async def served_far(self, port: int, limit_s: float) -> float:
        """Be a far client until it works; return how long that took."""
        began = trio.current_time()
        with trio.fail_after(limit_s):
            while True:
                try:
                    far = self.internet.connect_to_server(port)
                    await far.send_all(HOSTILE)
                    got = await far.receive_some()
                    while len(got) < len(HOSTILE):
                        got += await far.receive_some()
                except (ConnectionRefusedError, trio.BrokenResourceError):
                    await trio.sleep(0.5)
                    continue
                assert got == HOSTILE
                await far.aclose()
                return trio.current_time() - began

    async def ended(self, session: Session, limit_s: float) -> None:
        """Wait until a session is over."""
        await self.until(lambda: self.lifecycle.gate.session is not session, limit_s)

    async def until(self, condition: Callable[[], object], limit_s: float) -> None:
        """Wait for something that has no event."""
        with trio.fail_after(limit_s):
            while not condition():  # noqa: ASYNC110
                await trio.sleep(0.05)


async def echo_link(link: Link) -> None:
    """Echo to a far client."""
    try:
        async for data in link:
            await link.send_all(data)
    except trio.BrokenResourceError:
        pass
    finally:
        link.abort()


@asynccontextmanager
async def recovering(
    directory: Path, modem: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[RecoveryBench]:
    """Run a lifecycle; stop it in the end, which must come to an end.

    Args:
        directory: for marks.
        modem: keys of the configuration's ``modem``.
        options: fields of the emulator's Profile.
    """
    async with trio.open_nursery() as nursery:
        bench = RecoveryBench(nursery, directory, modem or {}, **options)
        async with trio.open_nursery() as supervisor:
            supervisor.start_soon(bench.lifecycle.supervise)
            yield bench
            bench.lifecycle.stop()
            with trio.fail_after(30):
                while supervisor.child_tasks:  # noqa: ASYNC110
                    await trio.sleep(0.05)
        nursery.cancel_scope.cancel()

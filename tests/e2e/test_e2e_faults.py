"""Rows F46 and F51 of the fault matrix where they need a process to kill, or a real tty.

F51 has its other cases in tests/matrix; F46 is here as a whole.
"""

import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.faults import FaultBox
from modemproxy.emulator.faults_cable import MemoryCable
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.module.lifecycle import Lifecycle
from modemproxy.module.session import Session
from tests.e2e.test_e2e_process import connect, endless, free_port, proxy_process, write_config
from tests.e2e.world import (
    World,
    echo,
    exchange,
    hostile_bytes,
    module_on_tty,
    read_to_end,
    world,
)
from tests.matrix.rows import XA, Case, Happened, Row, case, enter
from tests.matrix.setting import CablePort, Setting
from tests.module.rig import CLAIM, HOSTILE
from tests.module.rig import exchange as exchange_bytes
from tests.soak.state import MemoryState

pytestmark = pytest.mark.slow

_CLIENTS: Final = 3


# -- F46: a process is killed --


async def _kill_a_process(folder: Path, _size: int) -> Happened:
    """Kill it in the midst of downloads, and start it again on the same ports."""
    handlers = {"far": endless, "echo": echo}
    async with module_on_tty(folder, handlers, Profile(command_latency_s=0.005)) as (w, config):
        far = {forward.name: forward.connect.port for forward in config.forwards}
        w.ports["far"] = free_port()
        file = write_config(w, far["far"], w.ports["far"])
        async with proxy_process(w, file) as process:
            streams = [await connect(w.ports["far"]) for _ in range(_CLIENTS)]
            for stream in streams:
                assert await stream.receive_some()
            process.kill()
            await process.wait()
            ends = [await _end_of(stream) for stream in streams]
        file = write_config(w, far["echo"], w.ports["far"])
        file.write_text(file.read_text().replace("far.example", "echo.example"))
        async with proxy_process(w, file):
            await (await connect(w.ports["far"])).aclose()
            started = trio.current_time()  # what an interpreter needs is the machine's
            data = hostile_bytes(3_000, 46)
            with trio.fail_after(30):
                clean = await exchange(w, data, 46) == data
        took_s = trio.current_time() - started
    code = XA if ends == ["RST"] * _CLIENTS else "!"
    return Happened(code, took_s, () if clean else ("the new run carries old bytes",))


async def _end_of(stream: trio.SocketStream) -> str:
    with trio.fail_after(5):
        async with stream:
            return (await read_to_end(stream))[1]


class _MortalPort(CablePort):
    """The port of a process that can die: then nothing of it moves any more."""

    dead = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive; never again once dead."""
        try:
            return await super().receive_some(max_bytes)
        except trio.ClosedResourceError:
            if self.dead:
                await trio.sleep_forever()
            raise

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send; nothing once dead."""
        if self.dead:
            await trio.sleep_forever()
        await super().send_all(data)

    async def set_line(self, *, baudrate: int, rtscts: bool) -> None:
        """Change speed; not once dead."""
        if self.dead:
            await trio.sleep_forever()
        await super().set_line(baudrate=baudrate, rtscts=rtscts)

    async def aclose(self) -> None:
        """Close; the kernel has done that already once dead."""
        if not self.dead:
            await super().aclose()

    async def die(self) -> None:
        """Be killed: the kernel closes the tty."""
        self.dead = True
        await super().aclose()


class _Daemons:
    """A module, and one daemon after the other on its cable and with its state."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        internet = MemoryInternet(nursery)
        # the prompt is slow enough to be killed before it
        profile = Profile(command_latency_s=0.005, prompt_latency_s=1.0, baudrate=921600)
        self.module = EmulatedModule(profile, internet=internet)
        self.cable = MemoryCable(self.module, nursery)
        self.state = MemoryState()
        self.reached = bytearray()
        internet.listen_tcp("far.example", 7, self._far)
        internet.listen_tcp("far.example", 9, _echo)

    async def _far(self, stream: FarStream) -> None:
        async for data in stream:
            self.reached += data

    async def start(self) -> tuple[Lifecycle, _MortalPort]:
        """Start a daemon; return it when it serves."""
        ports: list[_MortalPort] = []

        async def open_port() -> _MortalPort:
            await trio.lowlevel.checkpoint()
            if any(port.dead for port in ports):
                await trio.sleep_forever()
            ports.append(_MortalPort(self.cable))
            return ports[-1]

        made = Lifecycle(Setting().config(), state=self.state, open_port=open_port)
        self.nursery.start_soon(made.supervise)
        with trio.fail_after(60):
            await made.gate.wait_session()
        return made, ports[-1]

    def outlive(self) -> None:
        """What the dead would still write is not in the state that is found."""
        left, self.state = self.state, MemoryState()
        self.state._marks.update(left._marks)


async def _echo(stream: FarStream) -> None:
    async for data in stream:
        await stream.send_all(data)


async def _kill_before_a_prompt(_folder: Path, size: int) -> Happened:
    """Kill it between a CIPSEND and its prompt, on virtual time: the module waits for bytes."""
    async with trio.open_nursery() as nursery:
        daemons = _Daemons(nursery)
        first, port = await daemons.start()
        session = await first.gate.wait_session()
        async with session.open_link("far.example", 7, claim=CLAIM, queue_s=1) as link:
            await link.send_all(b"x" * size)
            await trio.sleep(0.5)
            assert daemons.module.commands["+CIPSEND"] == 1
            await port.die()
            daemons.outlive()
            killed = trio.current_time()
            second, _ = await daemons.start()
            session = await second.gate.wait_session()
            clean = await _answers(session)
            took_s = trio.current_time() - killed
            nursery.cancel_scope.cancel()
    problems = [] if clean else ["the new run does not serve"]
    if daemons.reached:
        problems.append(f"the peer got {bytes(daemons.reached)!r}")
    return Happened(XA, took_s, tuple(problems))


async def _answers(session: Session) -> bool:
    async with session.open_link("far.example", 9, claim=CLAIM, queue_s=5) as link:
        with trio.fail_after(30):
            return await exchange_bytes(link, HOSTILE) == HOSTILE


def _play(_row: Row, case: Case) -> Happened:
    kill: Callable[[Path, int], Awaitable[Happened]] = case.given["kill"]
    clock = MockClock(autojump_threshold=0) if case.given["virtual"] else None
    with tempfile.TemporaryDirectory() as folder:
        happened = trio.run(kill, Path(folder), case.given["size"], clock=clock)
    problems = list(happened.problems)
    if happened.code not in case.expected:
        problems.append(f"{happened.code} instead of {' or '.join(case.expected)}")
    if happened.took_s > case.limit_s:
        problems.append(f"took {happened.took_s:.2f} s, {case.limit_s:.2f} s allowed")
    return replace(happened, problems=tuple(problems))


test_f46 = enter(
    46,
    "the daemon is killed (kill -9), and started again",
    [
        case("under downloads", XA, 10.0, kill=_kill_a_process, virtual=False, size=0),
        # rulings.md 5: the next start may need the module's own 15 s
        case(
            "while a prompt is due",
            XA,
            10.0 + 15.0,
            kill=_kill_before_a_prompt,
            virtual=True,
            size=500,
        ),
        # an AT would complete it, but a small send is marked while it is under way
        case(
            "while the prompt of 2 bytes is due",
            XA,
            10.0 + 15.0,
            kill=_kill_before_a_prompt,
            virtual=True,
            size=2,
        ),
    ],
    _play,
)


# -- F51: a device that goes away --


async def test_f51_a_tty_vanishes_and_is_back_under_another_number(tmp_path: Path) -> None:
    async with world(tmp_path, {"far": echo}, command_latency_s=0.005) as w:
        faults = FaultBox(w.module, w.port)
        w.nursery.start_soon(faults.run)
        streams = [await w.connect() for _ in range(_CLIENTS)]
        for stream in streams:
            await stream.send_all(b"x")
            assert await stream.receive_some() == b"x"
        before = _device(w)
        faults.inject("vanish", for_s=5, elsewhere=True)
        assert [await _end_of(stream) for stream in streams] == ["RST"] * _CLIENTS
        await _until(Path(w.tty).exists)
        assert _device(w) != before
        data = hostile_bytes(3_000, 51)
        with trio.fail_after(5):
            assert await exchange(w, data, 51) == data


async def _until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - the kernel has no event for it
            await trio.sleep(0.02)


def _device(w: World) -> Path:
    """What the stable name leads to now."""
    return Path(w.tty).readlink()

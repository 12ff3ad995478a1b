"""Reload of servers on the module: they come and go, and the session goes on."""

import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.config import load
from modemproxy.emulator.far_stream import FarStream
from modemproxy.module.rights import servers_of
from modemproxy.module.servers import ServerPort
from tests.surfaces.backends import backend
from tests.surfaces.backends import echo as backend_echo
from tests.surfaces.stand import until

from .steered import HEAD, Steered, forward, forwards, steered

pytestmark = pytest.mark.timeout(60)


def server(name: str, port: int, where: object, **keys: object) -> str:
    more = "".join(f", {key}: {value}" for key, value in keys.items())
    return f"  - {{name: {name}, port: {port}, connect: '{where}', allow: [0.0.0.0/0]{more}}}\n"


def servers(*lines: str) -> str:
    return "servers:\n" + "".join(lines)


def listening(s: Steered) -> dict[int, int]:
    return {each.port: index for index, each in s.module.dce.stack.servers.items()}


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Steered, object]]:
    """Run the program with one server, "a" on port 8001, to an echo."""
    async with (
        backend(backend_echo) as b,
        steered(folder, servers(server("a", 8001, b.where))) as s,
    ):
        yield s, b.where


async def far_talks(far: FarStream, data: bytes = b"ping") -> bool:
    await far.send_all(data)
    got = b""
    while len(got) < len(data):
        got += await far.receive_some(4096)
    return got == data


# servers on the module


async def test_servers_come_and_go_without_ending_the_session(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with backend(backend_echo) as b:
        first = servers(server("a", 8001, b.where), server("b", 8002, b.where))
        async with steered(tmp_path, first) as s:
            await until(lambda: listening(s).keys() == {8001, 8002}, 20)
            far = s.internet.connect_to_server(8001)
            assert await far_talks(far, random.Random(1).randbytes(3000))
            index = listening(s)[8001]
            answer = await s.reload(
                servers(server("c", 8003, b.where), server("a", 8001, b.where, rate=0))
            )
            assert answer["changes"] == [
                "b: removed, port 8002 of the module (no connections)",
                f"c: added, port 8003 of the module to {b.where}",
            ]
            await until(lambda: listening(s).keys() == {8001, 8003}, 20)
            assert listening(s)[8001] == index
            assert await far_talks(far)
            newcomer = s.internet.connect_to_server(8003)
            assert await far_talks(newcomer)
            assert list(await s.surfaces()) == ["c", "a"]
            status = (await s.ask("status"))["status"]
            assert status["module"]["sessions"] == 1
            await far.aclose()
            await newcomer.aclose()


async def test_the_first_server_comes_by_reload(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with backend(backend_echo) as b, steered(tmp_path, forwards(forward())) as s:
        text = forwards(forward()) + servers(server("a", 8001, b.where))
        assert (await s.reload(text))["ok"]
        await until(lambda: listening(s).keys() == {8001}, 20)
        far = s.internet.connect_to_server(8001)
        assert await far_talks(far)
        await far.aclose()


async def test_a_port_with_far_clients_inside_is_closed_when_they_have_gone(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as (s, where):
        await until(lambda: listening(s).keys() == {8001}, 20)
        far = s.internet.connect_to_server(8001)
        assert await far_talks(far)
        assert (await s.reload(servers(server("a", 8009, where))))["ok"]
        await until(lambda: 8009 in listening(s), 20)
        assert 8001 in listening(s)  # the module does not stop it now
        late = s.internet.connect_to_server(8001)
        with contextlib.suppress(trio.BrokenResourceError):
            assert not await late.receive_some(1)
        assert await far_talks(far)
        await far.aclose()
        await until(lambda: listening(s).keys() == {8009}, 20)


async def test_a_server_is_disabled_and_enabled(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as (s, _):
        await until(lambda: listening(s).keys() == {8001}, 20)
        await trio.sleep(1)
        far = s.internet.connect_to_server(8001)
        assert await far_talks(far)
        answer = await s.ask("disable", name="a", kick=True)
        assert len(answer["kicked"]) == 1
        refused = s.internet.connect_to_server(8001)
        await until(lambda: s.module.dce.stack.servers, 5)
        await trio.sleep(2)
        assert (await s.surfaces())["a"]["refused"] == 1
        assert (await s.ask("enable", name="a"))["enabled"]
        again = s.internet.connect_to_server(8001)
        assert await far_talks(again)
        for each in (far, refused, again):
            await each.aclose()


def test_a_server_keeps_its_index_and_others_take_unused_ones(tmp_path: Path) -> None:
    def config(*ports: int) -> object:
        file = tmp_path / "m.yaml"
        lines = (server(f"s{port}", port, "127.0.0.1:80") for port in ports)
        file.write_text(HEAD + servers(*lines))
        return load(file)

    def places(*ports: int, before: tuple[ServerPort, ...] = ()) -> dict[int, int]:
        return {s.port: s.index for s in servers_of(config(*ports), before)}  # type: ignore[arg-type]

    assert places(1, 2, 3, 4) == {1: 0, 2: 1, 3: 2, 4: 3}
    before = (ServerPort(0, 1, "s1"), ServerPort(1, 2, "s2"))
    assert places(2, before=before) == {2: 1}
    assert places(5, 2, before=before) == {5: 2, 2: 1}
    assert places(5, 6, 7, 8, before=before) == {5: 2, 6: 3, 7: 0, 8: 1}

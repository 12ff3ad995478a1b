"""The admin socket: requests, answers, and the connection that one of them becomes."""

import array
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy import app
from modemproxy.config import Admin, Config, ModemConfig, Timeouts
from modemproxy.emulator.far_stream import FarStream
from modemproxy.errors import ConfigError, LineClosed
from modemproxy.line.port import Port
from modemproxy.module.state import StateStore
from modemproxy.operate.rendezvous import listen_at
from tests.surfaces.stand import FAR, Stand, stand, until

pytestmark = pytest.mark.timeout(40)


@pytest.fixture
def patient_clock() -> MockClock:
    """Jump only when nothing has moved for a while of real time."""
    return MockClock(autojump_threshold=0.02)


async def echo(stream: FarStream) -> None:
    async for data in stream:
        await stream.send_all(data)


class Caller:
    """A program that talks to the admin socket."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self.sock = sock
        self.outcome = -1

    async def ask(self, said: bytes | dict[str, object]) -> dict[str, Any]:
        """Send a line; return the answer."""
        line = said if isinstance(said, bytes) else json.dumps(said).encode() + b"\n"
        await self.sock.send(line)
        got = b""
        while not got.endswith(b"\n"):
            data, rights, _, _ = await self.sock.recvmsg(1000, socket.CMSG_LEN(4))
            assert data
            got += data
            for _, _, raw in rights:
                self.outcome = array.array("i", raw)[0]
        answer: dict[str, Any] = json.loads(got)
        return answer

    async def connect(self, host: str = FAR, port: Any = 80) -> dict[str, Any]:
        return await self.ask({"request": "connect", "host": host, "port": port})

    async def end(self) -> tuple[bytes, dict[str, Any] | None]:
        """Read to the end; and what the proxy says of it, if it says anything."""
        got = b""
        while data := await self.sock.recv(65536):
            got += data
        self.sock.shutdown(socket.SHUT_WR)
        await trio.lowlevel.wait_readable(self.outcome)
        said = os.read(self.outcome, 4096)
        return got, json.loads(said) if said else None


@asynccontextmanager
async def caller(path: Path) -> AsyncIterator[Caller]:
    with trio.socket.socket(socket.AF_UNIX) as sock:
        await sock.connect(str(path))
        c = Caller(sock)
        yield c
        if c.outcome >= 0:
            os.close(c.outcome)


@asynccontextmanager
async def admin(directory: Path, **options: Any) -> AsyncIterator[tuple[Stand, Path]]:
    path = directory / "admin.sock"
    async with stand(directory, sections={"admin": Admin(socket=path)}, **options) as s:
        s.play(80, echo)
        yield s, path
    assert not path.exists()


async def test_connect_is_a_connection_with_what_came_with_the_request(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with admin(tmp_path, wan_latency_s=0.05) as (s, path), caller(path) as c:
        line = json.dumps({"request": "connect", "host": FAR, "port": 80}).encode()
        assert await c.ask(line + b"\nearly ") == {"ok": True}
        await c.sock.send(b"bird")
        got = b""
        while len(got) < 10:
            got += await c.sock.recv(100)
        assert got == b"early bird"
        c.sock.close()
        await s.wait_free()


async def test_a_far_close_is_an_orderly_end_and_is_said_to_be(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async def speak(stream: FarStream) -> None:
        await stream.send_all(b"x" * 5000)

    async with admin(tmp_path) as (s, path), caller(path) as c:
        s.play(81, speak)
        assert await c.connect(port=81) == {"ok": True}
        assert await c.end() == (b"x" * 5000, {"ok": True})


async def test_a_broken_link_is_told_beside_the_connection(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with admin(tmp_path) as (s, path), caller(path) as c:
        assert await c.connect() == {"ok": True}
        s.module.lose_network()
        outcome = (await c.end())[1]
        assert outcome is not None
        assert not outcome["ok"]
        assert outcome["error"].startswith("reset: ")


async def test_a_half_close_waits_for_the_answer(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async def answer(stream: FarStream) -> None:
        await stream.receive_some()
        await trio.sleep(20)
        await stream.send_all(b"answer")

    async with admin(tmp_path) as (s, path), caller(path) as c:
        s.play(81, answer)
        await c.connect(port=81)
        await c.sock.send(b"question")
        c.sock.shutdown(socket.SHUT_WR)
        assert await c.end() == (b"answer", {"ok": True})


async def test_a_caller_that_is_killed_frees_its_link_while_it_is_opened_and_later(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with admin(tmp_path, open_delay_s=5.0) as (s, path):
        async with caller(path) as c:
            line = json.dumps({"request": "connect", "host": FAR, "port": 80}).encode()
            await c.sock.send(line + b"\n")
            await until(lambda: s.module.commands["+CIPOPEN"], 5)
        await trio.sleep(1)
        await s.wait_free()
        async with caller(path) as c:
            await c.connect()
        await s.wait_free()


async def test_a_stop_resets_who_is_connected(patient_clock: MockClock, tmp_path: Path) -> None:
    async with admin(tmp_path) as (s, path), caller(path) as c:
        assert await c.connect() == {"ok": True}
        s.stop.set()
        outcome = (await c.end())[1]
        assert outcome == {"ok": False, "error": "reset: the proxy is stopping"}


@pytest.mark.parametrize(
    ("host", "port", "why"),
    [
        (FAR, 9, "operation not supported"),
        ("nowhere.example.com", 80, "DNS"),
        ('x"\r\nAT+CPOF', 80, "host name"),
        ("", 80, "empty"),
        (FAR, 0, "port"),
        (FAR, True, "port"),
        (FAR, "80", "port"),
        (7, 80, "host"),
    ],
)
async def test_what_cannot_be_connected_is_refused_in_words(
    patient_clock: MockClock, tmp_path: Path, host: Any, port: Any, why: str
) -> None:
    async with admin(tmp_path) as (s, path), caller(path) as c:
        answer = await c.connect(host, port)
        assert answer["ok"] is False
        assert why in answer["error"]
        assert s.module.commands["+CPOF"] == 0


@pytest.mark.parametrize(
    "nonsense",
    [b"\n", b"hello\n", b"[1]\n", b"\xff\xfe\n", b"[" * 8000 + b"\n", b'{"request": []}\n'],
)
async def test_nonsense_is_answered_and_does_not_end_the_connection(
    patient_clock: MockClock, tmp_path: Path, nonsense: bytes
) -> None:
    async with admin(tmp_path) as (_, path), caller(path) as c:
        answer = await c.ask(nonsense)
        assert answer["ok"] is False
        answer = await c.ask({"request": "nothing"})
        known = answer["error"].removeprefix("unknown request 'nothing' (known: ")
        assert {"connect", "status"} <= set(known.rstrip(")").split(", "))
        assert await c.connect() == {"ok": True}


async def test_a_request_has_a_length_and_a_time(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with admin(tmp_path) as (_, path):
        async with caller(path) as c:
            assert "at most" in (await c.ask(b"x" * 20_000))["error"]
        async with caller(path) as c:
            assert "within 30 s" in (await c.ask(b"{"))["error"]
        assert trio.current_time() > 30


def config_for(socket_path: Path | None) -> Config:
    return Config(
        modem=ModemConfig(port="/dev/emulated"),
        timeouts=Timeouts(shutdown_s=4),
        admin=Admin(socket=socket_path),
        path=Path("test.yaml"),
    )


async def test_a_configured_place_that_is_taken_is_a_mistake(tmp_path: Path) -> None:
    taken = listen_at(tmp_path / "admin.sock")
    config = config_for(tmp_path / "admin.sock")
    with pytest.raises(ConfigError, match="another proxy is running"):
        await app.run(config, state=StateStore(tmp_path, "x"), stop=trio.Event())
    taken.close()


async def test_without_the_usual_place_the_proxy_runs_all_the_same(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def no_port() -> Port:
        raise LineClosed("not plugged in")

    taken = listen_at(tmp_path / "admin.sock")
    stop, listening = trio.Event(), trio.Event()
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await app.run(
                config_for(None),
                open_port=no_port,
                state=StateStore(tmp_path, "x"),
                stop=stop,
                on_listening=lambda _: listening.set(),
                admin_socket=tmp_path / "admin.sock",
            )

        nursery.start_soon(run)
        await listening.wait()
        stop.set()
    assert "no admin socket" in caplog.text
    assert (tmp_path / "admin.sock").exists()
    taken.close()

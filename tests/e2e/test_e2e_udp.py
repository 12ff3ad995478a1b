"""UDP through a real pty and real sockets: whole (U1), single (U2), and dig."""

import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from modemproxy import app
from modemproxy.config import Config, Endpoint, Forward
from modemproxy.emulator.profile import Profile
from modemproxy.module.state import StateStore
from tests.e2e.world import World, echo, exchange, hostile_bytes, module_on_tty
from tests.surfaces.udp_traffic import Asker, datagrams, wrongs

pytestmark = pytest.mark.slow


class FarUdp:
    """A UDP socket of the far side.

    Attributes:
        port: its own.
        got: what came.
    """

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._sock = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.got: list[bytes] = []
        self.port = 0

    async def serve(self, task_status: trio.TaskStatus[None]) -> None:
        """Answer every datagram."""
        with self._sock as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            await sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
            task_status.started()
            while True:
                data, source = await sock.recvfrom(65535)
                self.got.append(data)
                await sock.sendto(self._answer(data), source)


@asynccontextmanager
async def udp_world(
    folder: Path, answer: Callable[[bytes], bytes] = lambda data: data, **options: Any
) -> AsyncIterator[tuple[World, FarUdp]]:
    """A module on a tty, and a proxy with a UDP forward, ``udp``, and a TCP one, ``far``."""
    profile = Profile(baudrate=921600, **options)
    async with trio.open_nursery() as nursery:
        far = FarUdp(answer)
        await nursery.start(far.serve)
        async with module_on_tty(folder, {"far": echo}, profile, pace=False) as (w, config):
            udp = Forward(
                name="udp",
                protocol="udp",
                listen=Endpoint("127.0.0.1", 0),
                connect=Endpoint("far.example", far.port),
                idle_timeout_s=30.0,
            )
            config = replace(config, forwards=(*config.forwards, udp))
            w.ports.update(await w.nursery.start(_run_proxy, w, config))
            try:
                assert await exchange(w, b"up?", 3) == b"up?"  # datagrams wait for no bring-up
                yield w, far
            finally:
                w.stop.set()
                with trio.CancelScope(shield=True), trio.fail_after(20):
                    await w.left.wait()
        nursery.cancel_scope.cancel()
    assert w.module.complaints == []


async def _run_proxy(
    w: World, config: Config, task_status: trio.TaskStatus[dict[str, int]]
) -> None:
    state = StateStore(w.folder / "state", config.modem.port)
    with trio.CancelScope(shield=True):  # it ends by ``stop``, in order
        await app.run(config, state=state, on_listening=task_status.started, stop=w.stop)
    w.left.set()


async def ask(w: World, asker: Asker) -> None:
    """Be a client on a socket of its own."""
    sock = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        await sock.connect(("127.0.0.1", w.ports["udp"]))

        async def hear() -> None:
            while True:
                asker.note(await sock.recv(65535))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            await asker.ask_all(sock.send)
            await trio.sleep(0.5)  # what would come twice comes now
            nursery.cancel_scope.cancel()


async def ask_at_once(w: World, askers: list[Asker]) -> None:
    """Be all of them."""
    async with trio.open_nursery() as nursery:
        for asker in askers:
            nursery.start_soon(ask, w, asker)


async def test_five_clients_with_two_hundred_datagrams_each(tmp_path: Path) -> None:
    async with udp_world(tmp_path) as (w, far):
        askers = [Asker(number, datagrams(number, 200), 2, 5.0) for number in range(5)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_at_once, w, askers)
            data = hostile_bytes(50_000, 5)
            assert await exchange(w, data, 5) == data  # beside them
        assert wrongs(askers, far.got) == []
        answered = sum(len(asker.got) for asker in askers)
        assert answered >= 0.95 * 1000, f"{answered} of 1000 answered"


async def test_old_firmware_with_one_outstanding_each(tmp_path: Path) -> None:
    async with udp_world(tmp_path, cipccfg_fields=7) as (w, far):
        askers = [Asker(number, datagrams(number, 60), 1, 5.0) for number in range(5)]
        await ask_at_once(w, askers)
        assert wrongs(askers, far.got) == []
        answered = sum(len(asker.got) for asker in askers)
        assert answered >= 0.95 * 300, f"{answered} of 300 answered"


async def test_more_clients_than_links_are_all_served(tmp_path: Path) -> None:
    async with udp_world(tmp_path) as (w, far):
        askers = [Asker(number, datagrams(number, 2), patience_s=10.0) for number in range(25)]
        asked: list[Asker] = []
        with trio.fail_after(60):
            while askers:  # a datagram that waited too long for a link was dropped: once more
                await ask_at_once(w, askers)
                asked += askers
                askers = [again for asker in askers if (again := asker.once_more()) is not None]
        assert wrongs(asked, far.got) == []


def answer_dns(query: bytes) -> bytes:
    """Answer an A question with 192.0.2.10 (RFC 1035 4.1)."""
    end = query.index(b"\0", 12) + 5
    head = query[:2] + b"\x81\x80" + b"\0\1\0\1\0\0\0\0"
    return head + query[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x0a"


async def test_dig_gets_its_answer(tmp_path: Path) -> None:
    dig = shutil.which("dig")
    if dig is None:
        pytest.skip("no dig here")
    async with udp_world(tmp_path, answer_dns) as (w, far):
        command = [dig, "@127.0.0.1", "-p", str(w.ports["udp"]), "+short", "www.example.org"]
        run = partial(trio.run_process, capture_stdout=True, capture_stderr=True, check=False)
        for _ in range(3):
            result = await run(command)
            assert result.stdout == b"192.0.2.10\n", result.stderr
        assert len(far.got) == 3

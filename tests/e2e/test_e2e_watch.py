"""``status``, ``at`` and ``trace`` as programs, beside traffic of a running proxy."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from modemproxy.config import Endpoint, Forward

from .host import ANYWHERE, Host, host, modemproxy, run_program
from .world import echo, hostile_bytes, odd_pieces, serve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


@asynccontextmanager
async def busy_host(folder: Path) -> AsyncIterator[tuple[Host, list[bool]]]:
    """A proxy with a client whose bytes come back: from before the body until it is done."""
    async with trio.open_nursery() as outer:
        far = Endpoint("far.example", await serve(outer, echo))
        forwards = (Forward(name="far", listen=ANYWHERE, connect=far),)
        async with host(folder, {"forwards": forwards}) as h, trio.open_nursery() as nursery:
            rounds: list[bool] = []
            stream = await trio.open_tcp_stream("127.0.0.1", h.ports["far"])
            over = trio.Event()
            nursery.start_soon(_keep_busy, stream, rounds, over)
            await _more_rounds(rounds, 1)
            yield h, rounds
            over.set()
        outer.cancel_scope.cancel()


async def _keep_busy(stream: trio.SocketStream, rounds: list[bool], over: trio.Event) -> None:
    async with stream:
        while not over.is_set():
            data = hostile_bytes(20_000, len(rounds))
            got = bytearray()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_send, stream, odd_pieces(data, len(rounds)))
                while len(got) < len(data):
                    got += await stream.receive_some()
            rounds.append(got == data)


async def _more_rounds(rounds: list[bool], count: int) -> None:
    """Wait until the client's bytes came back so many times more."""
    before = len(rounds)
    with trio.fail_after(30):
        while len(rounds) < before + count:  # noqa: ASYNC110
            await trio.sleep(0.02)


async def _send(stream: trio.SocketStream, pieces: list[bytes]) -> None:
    for piece in pieces:
        await stream.send_all(piece)


async def command(h: Host, *words: str) -> tuple[int, str, str]:
    """Run one of the program's commands: exit code, output, complaint."""
    done = await run_program(*modemproxy(*words, "--socket", str(h.admin)))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_looking_at_a_proxy_at_work(tmp_path: Path) -> None:
    async with busy_host(tmp_path) as (h, rounds):
        code, text, _ = await command(h, "status")
        assert code == 0
        assert "module    UP for " in text
        assert "1 of 10 in use" in text
        assert text.splitlines()[-1].lstrip().startswith("1 far 127.0.0.1:")
        code, text, _ = await command(h, "status", "--json")
        assert code == 0
        [connection] = json.loads(text)["connections"]
        assert connection["surface"] == "far"

        assert await command(h, "at", "AT+CPIN?") == (0, "+CPIN: READY\nOK\n", "")
        code, text, _ = await command(h, "at", "ati")
        assert code == 0
        assert "Model: A7670E" in text
        assert await command(h, "at", "AT+NOPE?") == (1, "ERROR\n", "")
        code, text, complaint = await command(h, "at", "AT+CFUN=0")
        assert (code, text) == (1, "")
        assert complaint.startswith("modemproxy: the proxy says: AT+CFUN= is a restart")
        assert complaint.count("\n") == 1
        code, _, complaint = await command(h, "at", "ATE1", "--force")
        assert (code, complaint.count("\n")) == (1, 1)
        assert (await command(h, "at", "AT+CMEE=2", "--force"))[:2] == (0, "OK\n")
        code, _, complaint = await command(h, "at", "AT", "--timeout", "0")
        assert code == 2
        assert "is no number of seconds" in complaint

        file = tmp_path / "wire.txt"
        done = await command(h, "trace", "on", "--file", str(file))
        assert done == (0, f"the transcript goes to {file}\n", "")
        await _more_rounds(rounds, 2)
        assert await command(h, "trace", "off") == (0, "the transcript is off\n", "")
        assert "> AT+CIPSEND=" in file.read_text()
    assert len(rounds) > 2
    assert all(rounds)


async def test_nobody_to_be_asked(tmp_path: Path) -> None:
    where = ("--socket", str(tmp_path / "no"))
    for words in (("status",), ("at", "AT"), ("trace", "on")):
        done = await run_program(*modemproxy(*words, *where))
        assert done.returncode == 1
        assert done.stderr.startswith(b"modemproxy: no proxy can be asked")
        assert done.stderr.count(b"\n") == 1

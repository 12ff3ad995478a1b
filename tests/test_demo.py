"""``modemproxy demo``: every way in and out is proven, and what differs is noticed."""

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from modemproxy.demo import clients
from modemproxy.demo.clients import Differs, Refused
from modemproxy.demo.proofs import prove
from modemproxy.demo.show import show
from modemproxy.demo.stage import set_up
from modemproxy.demo.world import Handler

pytestmark = pytest.mark.slow

DEMO = [sys.executable, "-W", "error", "-m", "modemproxy", "demo"]


def test_it_proves_every_way_in_and_out(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [*DEMO, "--once"], capture_output=True, text=True, timeout=100, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    names = ["tcp", "echo", "udp", "server", "socks5", "http", "dns"]
    assert [line.split()[0] for line in lines[1:-1]] == names
    for line in lines[1:-2]:
        assert "kB/s, sha256 " in line
        assert line.endswith(" as sent")
    assert "203.0.113.80 and 203.0.113.81" in lines[-2]
    assert lines[-1] == "ok: everything arrived as it was sent"
    assert not list(tmp_path.iterdir())


async def test_it_says_what_to_try_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    process = await trio.lowlevel.open_process(
        DEMO,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    async with process.stdout, process.stderr:
        with trio.fail_after(60):
            said = b""
            while b"Ctrl-C ends it." not in said:
                more = await process.stdout.receive_some()
                assert more, (said, await process.stderr.receive_some())
                said += more
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
            assert await process.stderr.receive_some() == b""
    for words in (b"curl http:", b"nc -u", b"--socks5-hostname", b"--proxy http:", b"dig -p"):
        assert words in said
    assert os.listdir(tmp_path) == []


async def test_ctrl_c_ends_it_in_order_from_the_moment_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []

    def say_and_interrupt(text: str) -> None:
        said.append(text)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys.modules[show.__module__], "say", say_and_interrupt)
    async with set_up() as stage:
        await show(stage)
    assert said[0].endswith("Ctrl-C ends it.")


async def test_what_differs_fails_and_the_others_are_still_proven(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with set_up() as stage:
        other = replace(stage, file=stage.file[:100] + b"X" + stage.file[101:])
        assert not await prove(other, ["socks5", "dns"])
        closed = replace(stage, ports={**stage.ports, "echo": unused_port()})
        assert not await prove(closed, ["echo"])
        assert await prove(stage, ["dns"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("socks5  FAILED: 60000 bytes arrived, sha256 ")
    assert lines[2].startswith("dns     files.example is 203.0.113.80")
    assert lines[3] == "FAILED"
    assert lines[5].startswith("echo    FAILED: ")


async def test_a_far_client_is_not_taken_for_somebody_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def imposter(stream: trio.SocketStream) -> None:
        await stream.send_all(b"Hello 192.0.2.1:1\n" * 2)
        await stream.receive_some()

    async with set_up() as stage, serving(imposter) as port:

        async def where() -> tuple[str, int]:
            return "127.0.0.1", port

        assert not await prove(replace(stage, server=where), ["server"])
    out = capsys.readouterr().out
    assert "server  FAILED: this host's service said b'Hello 192.0.2.1:1" in out


# -- the clients ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"\x05\xff",
        b"\x04\x00",
        b"\x05\x00" + b"\x05\x04\x00\x01" + bytes(6),
        b"\x05\x00\x05",
        b"",
    ],
)
async def test_a_socks_server_that_refuses(said: bytes) -> None:
    async with serving(saying(said)) as port:
        with pytest.raises(Refused):
            await clients.open_socks5(port, "a.example", 80)


@pytest.mark.parametrize("said", [b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b"HTTP/1.1 200", b""])
async def test_an_http_proxy_that_refuses(said: bytes) -> None:
    async with serving(saying(said)) as port:
        with pytest.raises(Refused):
            await clients.open_tunnel(port, "a.example", 80)


def dns_answer(query: bytes, *addresses: bytes, flags: int = 0x8180) -> bytes:
    head = query[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0)
    records = (b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + each for each in addresses)
    return head + query[12:] + b"".join(records)


async def test_a_dns_answer_is_read() -> None:
    async with answering(lambda query: [dns_answer(query, b"\x01\x02\x03\x04")]) as port:
        assert await clients.look_up(port, "a.example") == ["1.2.3.4"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda query: dns_answer(query, flags=0x8183),
        lambda query: dns_answer(query),
        lambda query: b"xx" + dns_answer(query, bytes(4))[2:],
        lambda query: dns_answer(query, bytes(4))[:-1],
        lambda query: dns_answer(query[:13] + b"b" + query[14:], bytes(4)),
        lambda query: query,
        lambda query: query[:5],
    ],
    ids=["NXDOMAIN", "nothing", "another id", "cut", "another question", "a question", "short"],
)
async def test_a_dns_answer_that_is_none(answer: Callable[[bytes], bytes]) -> None:
    async with answering(lambda query: [answer(query)]) as port:
        with pytest.raises(Refused):
            await clients.look_up(port, "a.example")


async def back_from(port: int, *sent: bytes) -> list[bytes]:
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.connect(("127.0.0.1", port))
        return await clients.datagrams_back(sock, list(sent))


async def test_datagrams_that_get_lost_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_ANSWER_S", 0.05)
    seen: list[bytes] = []

    def forgetful(data: bytes) -> list[bytes]:
        seen.append(data)
        return [data] if data == b"one" or seen.count(b"two") > 1 else []

    async with answering(forgetful) as port:
        assert await back_from(port, b"one", b"two") == [b"one", b"two"]
    assert seen.count(b"one") == 1


@pytest.mark.parametrize(
    ("echo", "words"),
    [
        (lambda data: [data + b"x"], "4 bytes came that nobody sent"),
        (lambda data: [data, data], "3 bytes came twice"),
        (lambda data: [], "2 datagrams were lost 5 times"),
    ],
)
async def test_datagrams_that_do_not_come_back_as_they_were(
    monkeypatch: pytest.MonkeyPatch, echo: Callable[[bytes], list[bytes]], words: str
) -> None:
    monkeypatch.setattr(clients, "_ANSWER_S", 0.05)
    async with answering(echo) as port:
        with pytest.raises(Differs, match=words):
            await back_from(port, b"one", b"two")


# -- servers to try the clients on ------------------------------------------------------


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """Have a TCP server; gives its port."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handler, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def saying(data: bytes) -> Handler:
    """A server that says something whatever it hears, and then ends."""

    async def say(stream: trio.SocketStream) -> None:
        await stream.send_all(data)
        await stream.send_eof()
        while await stream.receive_some():
            pass

    return say


@asynccontextmanager
async def answering(answer: Callable[[bytes], list[bytes]]) -> AsyncIterator[int]:
    """Have a UDP server; gives its port."""

    async def serve(sock: trio.socket.SocketType) -> None:
        while True:
            data, source = await sock.recvfrom(65535)
            for each in answer(data):
                await sock.sendto(each, source)

    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.0.0.1", 0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, sock)
            yield sock.getsockname()[1]
            nursery.cancel_scope.cancel()


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port

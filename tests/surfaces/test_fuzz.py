"""Nonsense from clients: an error or a reset for each, and no AT command of theirs.

What the module is told is compared, byte for byte, with the few forms of command that the
program has for a client's host: nothing of a client's reaches the line in any other way.
"""

import random
import re
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.config import Dns
from modemproxy.config.checks import Endpoint

from .stand import FAR, Stand, proxy, stand

pytestmark = pytest.mark.timeout(100)

ROUNDS = 2000
#: What a client could try to have said to the module.
EVIL = (b'"\r\nAT+CPOF\r', b"\x1a", b"\x1b", b'",80\r', b"\\22", b"\r", b"\n", b"\0", b"+++")
HOST = rb'"[a-z0-9.:-]+"'
CLIENTS_COMMANDS = (
    re.compile(rb'AT\+CIPOPEN=\d,"TCP",' + HOST + rb",\d{1,5}(,.*)?"),
    re.compile(rb"AT\+CDNSGIP=" + HOST),
)


def socks_seeds() -> Iterator[bytes]:
    name = FAR.encode()
    for kind, host in ((3, bytes((len(name),)) + name), (1, b"\x7f\0\0\1"), (4, bytes(16))):
        for command in (1, 2, 3):
            yield b"\x05\x01\x00\x05" + bytes((command, 0, kind)) + host + b"\0\x50"
    yield b"\x05\x02\x00\x02\x01\x05alice\x06secret"


def http_seeds() -> Iterator[bytes]:
    far = FAR.encode()
    yield b"CONNECT %b:443 HTTP/1.1\r\nHost: %b\r\n\r\n" % (far, far)
    yield b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n"
    yield (
        b"GET http://%b:8080/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic eA==\r\n\r\n"
        % far
    )
    yield b"POST http://%b/ HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc" % far


def dns_seeds() -> Iterator[bytes]:
    name = b"".join(bytes((len(part),)) + part for part in FAR.encode().split(b".")) + b"\0"
    for kind in (1, 28, 16, 255):
        question = name + kind.to_bytes(2, "big") + b"\0\x01"
        yield b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0" + question
    yield b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01" + name + b"\0\1\0\1\0\0\x29\x10\0\0\0\0\0\0\0"


def mutated(source: random.Random, seed: bytes) -> bytes:
    """Change a few things in a message."""
    data = bytearray(seed)
    for _ in range(source.randrange(1, 5)):
        at = source.randrange(len(data) + 1)
        match source.randrange(5):
            case 0:
                data[at:at] = source.choice(EVIL)
            case 1:
                del data[at : at + source.randrange(1, 8)]
            case 2 if at < len(data):
                data[at] = source.randrange(256)
            case 3:
                data[at:at] = source.randbytes(source.randrange(1, 300))
            case _:
                data[at : at + 1] = data[at : at + 1] * source.randrange(1, 40)
    return bytes(data)


class Listening:
    """Takes down what the module is told."""

    def __init__(self, s: Stand) -> None:
        self._said = bytearray()
        s.module.trace = self._note

    def _note(self, direction: str, data: bytes) -> None:
        if direction == ">":
            self._said += data

    def check(self) -> int:
        """Judge every line; say how many were a client's."""
        lines = [line for line in bytes(self._said).split(b"\r") if line]
        clients = 0
        for line in lines:
            if line.startswith((b"AT+CIPOPEN=", b"AT+CDNSGIP=")):
                assert any(form.fullmatch(line) for form in CLIENTS_COMMANDS), line
                clients += 1
            else:
                assert re.fullmatch(rb"AT(\+[A-Z]+(\?|=[\d,]*)?)?", line), line
        return clients


async def over_tcp(s: Stand, name: str, data: bytes) -> None:
    """Say something on a connection; it ends, one way or the other."""
    async with await s.connect(name) as client:
        try:
            await client.send_all(data)
            await client.send_eof()
            while await client.receive_some():
                pass
        except trio.BrokenResourceError:
            pass


async def over_udp(s: Stand, data: bytes) -> None:
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
        await sock.sendto(data, ("127.0.0.1", s.ports["dns"]))
        with trio.move_on_after(1):
            await sock.recv(65535)


async def flood(
    s: Stand, say: Callable[..., Awaitable[None]], seeds: list[bytes], *args: object
) -> None:
    """Say mutations of the seeds, a few at a time."""
    source = random.Random(5)
    for _ in range(ROUNDS // 5):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                data = mutated(source, source.choice(seeds))
                nursery.start_soon(partial(say, s, *args, data))


@pytest.mark.parametrize(
    ("protocol", "seeds"), [("socks5", list(socks_seeds())), ("http", list(http_seeds()))]
)
async def test_proxies(
    patient_clock: MockClock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    protocol: Any,
    seeds: list[bytes],
) -> None:
    async with stand(tmp_path, sections=proxy(protocol)) as s:
        heard = Listening(s)
        await flood(s, over_tcp, seeds, "proxy")
        await s.wait_free()
        assert heard.check() > 100
    assert not [record for record in caplog.records if record.exc_info]


async def test_dns(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sections = {"dns": Dns(listen=Endpoint("127.0.0.1", 0))}
    async with stand(tmp_path, sections=sections) as s:
        heard = Listening(s)
        await flood(s, over_udp, list(dns_seeds()))
        framed = [len(seed).to_bytes(2, "big") + seed for seed in dns_seeds()]
        await flood(s, over_tcp, framed, "dns")
        assert heard.check() > 10
    assert not [record for record in caplog.records if record.exc_info]

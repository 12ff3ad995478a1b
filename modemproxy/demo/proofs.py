"""``--once``: come in by every way, compare what arrives with what was sent, say so."""

import hashlib
import random
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from modemproxy.demo.clients import (
    Differs,
    Refused,
    datagrams_back,
    look_up,
    open_socks5,
    open_tunnel,
)
from modemproxy.demo.show import say
from modemproxy.demo.stage import ADDRESSES, BAUDRATE, PART_BYTES, Stage

_LOCAL: Final = "127.0.0.1"
_ECHO_BYTES: Final = 20_000
_DATAGRAMS: Final = 40
_DATAGRAM_BYTES: Final = 1400
#: Datagrams under way at once.
_WINDOW: Final = 4
#: Each proof has so long.
_LIMIT_S: Final = 20.0
#: What an AT parser that looks for words in payload trips over.
_HOSTILE: Final = (
    b"\r\nOK\r\n",
    b">",
    b"\r\n+IPCLOSE: 9,1\r\n",
    b"\x00\x1a\x1b",
    b"+++",
    b"\r\n*ATREADY: 1\r\n",
)


@dataclass(frozen=True, slots=True)
class _Proof:
    """One way in or out.

    Attributes:
        name: what stands before its line.
        run: proves it; what it returns is the line. Raises Differs, Refused or OSError.
    """

    name: str
    run: Callable[[Stage], Awaitable[str]]


async def prove(stage: Stage, names: Sequence[str] = ()) -> bool:
    """Prove ways in and out, one after the other; say what came of each.

    Args:
        stage: the demo.
        names: of which ways; of all when left out.

    Cancelling leaves the rest unproven.
    """
    line = BAUDRATE // 10 / 1000
    say(f"An emulated module at {BAUDRATE} baud, {line:.1f} kB/s each way at the most.")
    chosen = [proof for proof in _PROOFS if not names or proof.name in names]
    proven = [await _proven(proof, stage) for proof in chosen]
    say("ok: everything arrived as it was sent" if all(proven) else "FAILED")
    return all(proven)


async def _proven(proof: _Proof, stage: Stage) -> bool:
    try:
        with trio.fail_after(_LIMIT_S):
            text = await proof.run(stage)
    except trio.TooSlowError:
        problem = f"not done in {_LIMIT_S:g} s"
    except (Differs, Refused, OSError, trio.BrokenResourceError) as error:
        problem = f"{error}"
    else:
        say(f"{proof.name:<7} {text}")
        return True
    say(f"{proof.name:<7} FAILED: {problem}")
    return False


# -- each of them -----------------------------------------------------------------------


async def _forward(stage: Stage) -> str:
    stream = await trio.open_tcp_stream(_LOCAL, stage.ports["http"])
    return await _fetched(stream, b"/file.bin", stage.file)


async def _echo(stage: Stage) -> str:
    stream = await trio.open_tcp_stream(_LOCAL, stage.ports["echo"])
    async with stream:
        return await _echoed(stream, "of AT look-alikes there and back")


async def _udp(stage: Stage) -> str:
    source, started = random.Random(3), trio.current_time()
    sent = [
        b"%04d" % number + source.randbytes(source.randrange(_DATAGRAM_BYTES - 4))
        for number in range(_DATAGRAMS)
    ]
    got: list[bytes] = []
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.connect((_LOCAL, stage.ports["udp"]))
        for first in range(0, _DATAGRAMS, _WINDOW):
            got += await datagrams_back(sock, sent[first : first + _WINDOW])
    what = f"in {_DATAGRAMS} datagrams there and back"
    return _compared(what, b"".join(sorted(got)), b"".join(sent), started)


async def _server(stage: Stage) -> str:
    stream = await trio.open_tcp_stream(*await stage.server())
    host, port = stream.socket.getsockname()
    greeting = f"Hello {host}:{port}\n".encode()
    async with stream:
        got = b""
        while len(got) < len(greeting):
            if not (data := await stream.receive_some(len(greeting) - len(got))):
                break
            got += data
        if got != greeting:
            raise Differs(f"this host's service said {got!r}, not {greeting!r}")
        return await _echoed(stream, "from a far client and back, its address told")


async def _socks5(stage: Stage) -> str:
    stream = await open_socks5(stage.ports["socks5"], "files.example", 80)
    return await _fetched(stream, b"/part.bin", stage.file[:PART_BYTES])


async def _http(stage: Stage) -> str:
    stream = await open_tunnel(stage.ports["http-proxy"], "files.example", 80)
    return await _fetched(stream, b"/part.bin", stage.file[:PART_BYTES])


async def _dns(stage: Stage) -> str:
    name, started = "files.example", trio.current_time()
    found = await look_up(stage.ports["dns"], name)
    took_ms = (trio.current_time() - started) * 1000
    if sorted(found) != sorted(ADDRESSES[name]):
        raise Differs(f"{name} is {found}, not {ADDRESSES[name]}")
    return f"{name} is {' and '.join(found)}, as the module has it: {took_ms:.0f} ms"


_PROOFS: Final = (
    _Proof("tcp", _forward),
    _Proof("echo", _echo),
    _Proof("udp", _udp),
    _Proof("server", _server),
    _Proof("socks5", _socks5),
    _Proof("http", _http),
    _Proof("dns", _dns),
)


# -- what they share --------------------------------------------------------------------


async def _fetched(stream: trio.SocketStream, path: bytes, file: bytes) -> str:
    """Fetch a file by HTTP and compare it."""
    started = trio.current_time()
    async with stream:
        await stream.send_all(b"GET " + path + b" HTTP/1.0\r\n\r\n")
        answer = b"".join([bytes(data) async for data in stream])
    return _compared("fetched", answer.partition(b"\r\n\r\n")[2], file, started)


async def _echoed(stream: trio.SocketStream, what: str) -> str:
    """Send hostile bytes, have them back and compare them."""
    source = random.Random(2)
    data = b""
    while len(data) < _ECHO_BYTES:
        data += source.choice(_HOSTILE) + source.randbytes(source.randrange(60))
    got, started = bytearray(), trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_send, stream, data)
        while len(got) < len(data) and (more := await stream.receive_some()):
            got += more
        nursery.cancel_scope.cancel()
    return _compared(what, bytes(got), data, started)


async def _send(stream: trio.SocketStream, data: bytes) -> None:
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        return  # what does not come back tells


def _compared(what: str, got: bytes, sent: bytes, started: float) -> str:
    """Describe what arrived, and how.

    Raises:
        Differs: it is not what was sent.
    """
    took = trio.current_time() - started
    digest = hashlib.sha256(got).hexdigest()
    if got != sent:
        raise Differs(f"{len(got)} bytes arrived, sha256 {digest}; sent were {len(sent)}")
    rate = f"{took:.2f} s, {len(got) / took / 1000:.1f} kB/s"
    return f"{len(got)} bytes {what}: {rate}, sha256 {digest[:16]} as sent"

"""A rate holds for whatever clients come in by: forwards of both kinds, servers, proxies."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.surfaces.backends import backend
from tests.surfaces.backends import echo as backend_echo
from tests.surfaces.stand import FAR, until

from .steered import Steered, echo, forward, forwards, send_and_take, steered

pytestmark = pytest.mark.timeout(60)

RATE = 1000
SENT = 3000  # and as much comes back


async def by_tcp(s: Steered) -> None:
    assert await send_and_take(await s.client("far"), bytes(SENT)) == bytes(SENT)


async def by_socks5(s: Steered) -> None:
    client = await s.client("far")
    name = FAR.encode()
    hello = b"\x05\x01\x00\x05\x01\x00\x03" + bytes([len(name)]) + name + (80).to_bytes(2)
    await client.send_all(hello)
    got = b""
    while len(got) < 12:
        got += await client.receive_some(12 - len(got))
    assert got[:4] == b"\x05\x00\x05\x00"
    assert await send_and_take(client, bytes(SENT)) == bytes(SENT)


async def by_http(s: Steered) -> None:
    client = await s.client("far")
    await client.send_all(f"CONNECT {FAR}:80 HTTP/1.1\r\nHost: {FAR}\r\n\r\n".encode())
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        got += await client.receive_some(1)
    assert b" 200 " in got
    assert await send_and_take(client, bytes(SENT)) == bytes(SENT)


async def by_server(s: Steered) -> None:
    await until(lambda: s.module.dce.stack.servers, 20)
    await trio.sleep(1)
    far = s.internet.connect_to_server(8001)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(far.send_all, bytes(SENT))
        got = 0
        while got < SENT:
            got += len(await far.receive_some(4096))
    await far.aclose()


def proxy(protocol: str) -> str:
    where = f"protocol: {protocol}, listen: '127.0.0.1:0'"
    return f"proxies:\n  - {{name: far, {where}, rate: {RATE}}}\n"


def server(where: object) -> str:
    keys = f"name: far, port: 8001, connect: '{where}', allow: [0.0.0.0/0], rate: {RATE}"
    return f"servers:\n  - {{{keys}}}\n"


@pytest.mark.parametrize(
    ("text", "move"),
    [
        (forwards(forward(rate=RATE)), by_tcp),
        (proxy("socks5"), by_socks5),
        (proxy("http"), by_http),
        ("", by_server),
    ],
)
async def test_a_rate_holds(
    patient_clock: MockClock,
    tmp_path: Path,
    text: str,
    move: Callable[[Steered], Awaitable[None]],
) -> None:
    async with backend(backend_echo) as b, steered(tmp_path, text or server(b.where)) as s:
        s.play(80, echo)
        began = trio.current_time()
        await move(s)
        # Both directions count; a quarter of a second's worth is free at the beginning.
        took_s = trio.current_time() - began
        assert 2 * SENT / RATE - 0.5 <= took_s <= 2 * SENT / RATE + 6


async def test_a_rate_holds_for_udp_by_dropping_what_is_too_much(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    text = forwards(forward(rate=RATE, protocol="udp", far_port=53))
    async with steered(tmp_path, text) as s:
        s.internet.listen_udp(FAR, 53, lambda data: [data])
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as client:
            await client.connect(("127.0.0.1", s.ports["far"]))
            for _ in range(80):  # 2500 bytes a second, and as much back
                await client.send(bytes(125))
                await trio.sleep(0.05)
        told = (await s.ask("usage"))["usage"]
        moved = sum(told["days"][told["day"]]["far"])
        assert 2.5 * RATE <= moved <= 5 * RATE

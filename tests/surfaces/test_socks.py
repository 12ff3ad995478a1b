"""What clients of the SOCKS5 proxy see, on real sockets: RFC 1928 and 1929."""

import random
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream

from .stand import FAR, Stand, end_of, proxy, reset, stand, until

pytestmark = pytest.mark.timeout(40)

BULK = random.Random(1).randbytes(20_000)
ALICE = (("alice", "secret"),)
NO_LOGIN = b"\x05\x01\x00"
LOGIN = b"\x05\x01\x02"


def connect_to(host: str | bytes, port: int) -> bytes:
    """A CONNECT request."""
    if isinstance(host, str):
        host = host.encode()
        kind = b"\x03" + bytes((len(host),))
    else:
        kind = b"\x01" if len(host) == 4 else b"\x04"
    return b"\x05\x01\x00" + kind + host + port.to_bytes(2, "big")


def login(name: str, password: str) -> bytes:
    first, second = name.encode(), password.encode()
    return b"\x01" + bytes((len(first),)) + first + bytes((len(second),)) + second


async def echo(stream: FarStream) -> None:
    async for data in stream:
        await stream.send_all(data)


async def take(client: trio.SocketStream, count: int) -> bytes:
    got = b""
    while len(got) < count:
        data = await client.receive_some(count - len(got))
        assert data, f"FIN after {got!r}"
        got += data
    return got


async def ask(s: Stand, *said: bytes) -> tuple[trio.SocketStream, bytes]:
    """Connect, say a request in these pieces, and read what the proxy says: a code."""
    client = await s.connect("proxy")
    for piece in said:
        await client.send_all(piece)
        await trio.sleep(0.01)
    method = await take(client, 2)
    if method == b"\x05\x02":
        verdict = await take(client, 2)
        if verdict != b"\x01\x00":
            return client, verdict
    elif method != b"\x05\x00":
        return client, method
    answer = await take(client, 10)
    assert (answer[0], answer[2:]) == (5, bytes((0, 1, 0, 0, 0, 0, 0, 0)))
    return client, answer[:2]


@pytest.mark.parametrize(
    "pieces",
    [
        (NO_LOGIN, connect_to(FAR, 80), b"payload"),
        (NO_LOGIN + connect_to(FAR, 80) + b"payload",),
        tuple(bytes((byte,)) for byte in NO_LOGIN + connect_to(FAR, 80) + b"payload"),
    ],
    ids=["pieces", "one", "bytes"],
)
async def test_a_connection_to_a_name_echoes_what_came_with_the_request(
    patient_clock: MockClock, tmp_path: Path, pieces: Sequence[bytes]
) -> None:
    async with stand(tmp_path, sections=proxy("socks5")) as s:
        s.play(80, echo)
        client, answer = await ask(s, *pieces)
        assert answer == b"\x05\x00"
        assert await take(client, 7) == b"payload"
        await client.send_all(BULK[:5000])
        assert await take(client, 5000) == BULK[:5000]
        await client.aclose()
        await s.wait_free()


async def test_success_is_told_only_when_the_far_side_is_there(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, sections=proxy("socks5"), open_delay_s=5.0) as s:
        s.play(80, echo)
        started = trio.current_time()
        client, answer = await ask(s, NO_LOGIN + connect_to(FAR, 80))
        assert answer == b"\x05\x00"
        assert trio.current_time() - started >= 5
        await client.aclose()


async def test_a_far_close_is_a_fin_and_a_broken_link_a_reset(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async def speak(stream: FarStream) -> None:
        await stream.send_all(BULK)

    async with stand(tmp_path, sections=proxy("socks5")) as s:
        s.play(80, speak)
        s.play(81, echo)
        client, _ = await ask(s, NO_LOGIN + connect_to(FAR, 80))
        assert await end_of(client) == (BULK, "FIN")
        client, _ = await ask(s, NO_LOGIN + connect_to(FAR, 81))
        s.module.lose_network()
        assert await end_of(client) == (b"", "RST")


async def test_addresses_work_as_names_do(patient_clock: MockClock, tmp_path: Path) -> None:
    async with stand(tmp_path, sections=proxy("socks5")) as s:
        s.play(80, echo)
        packed = bytes(map(int, s.internet.names[FAR].split(".")))
        client, answer = await ask(s, NO_LOGIN + connect_to(packed, 80) + b"x")
        assert answer == b"\x05\x00"
        assert await take(client, 1) == b"x"
        await client.aclose()


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (connect_to(FAR, 9), 5),
        (connect_to("nowhere.example.com", 80), 4),
        (connect_to('x"\r\nAT+CPOF\r', 80), 2),
        (connect_to("a b", 80), 2),
        (connect_to(FAR, 0), 2),
        (b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", 7),
        (b"\x05\x01\x00\x05abc\x00\x50", 8),
    ],
)
async def test_a_failure_has_its_code_and_a_clean_end(
    patient_clock: MockClock, tmp_path: Path, request_bytes: bytes, code: int
) -> None:
    async with stand(tmp_path, sections=proxy("socks5")) as s:
        s.play(80, echo)
        opens = s.module.commands["+CIPOPEN"]
        client, answer = await ask(s, NO_LOGIN + request_bytes)
        assert answer == bytes((5, code))
        assert (await end_of(client))[1] == "FIN"
        assert s.module.commands["+CPOF"] == 0
        if code in (2, 7, 8):
            assert s.module.commands["+CIPOPEN"] == opens
        await s.wait_free()


async def test_a_user_logs_in_and_others_do_not(
    patient_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with stand(tmp_path, sections=proxy("socks5", users=ALICE)) as s:
        s.play(80, echo)
        wish = connect_to(FAR, 80)
        client, answer = await ask(s, LOGIN, login("alice", "secret"), wish)
        assert answer == b"\x05\x00"
        await client.aclose()
        started = trio.current_time()
        client, answer = await ask(s, LOGIN, login("alice", "guess"), wish)
        assert answer == b"\x01\x01"
        assert trio.current_time() - started >= 1
        assert (await end_of(client))[1] == "FIN"
        client, answer = await ask(s, NO_LOGIN)
        assert answer == b"\x05\xff"
        await client.aclose()
    assert "wrong name or password for 'alice'" in caplog.text
    assert "guess" not in caplog.text
    assert "secret" not in caplog.text


async def test_only_allowed_destinations_are_reached(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    rules = ["*.example.com:80", "203.0.113.0/24:81"]
    async with stand(tmp_path, sections=proxy("socks5", allow_destinations=rules)) as s:
        s.play(80, echo)
        s.play(81, echo)
        packed = bytes(map(int, s.internet.names[FAR].split(".")))
        for wish, code in (
            (connect_to(FAR, 80), 0),
            (connect_to(FAR.upper() + ".", 80), 0),
            (connect_to(FAR, 81), 2),
            (connect_to(packed, 81), 0),
            (connect_to(packed, 80), 2),
        ):
            client, answer = await ask(s, NO_LOGIN + wish)
            assert answer == bytes((5, code))
            await client.aclose()


@pytest.mark.parametrize("keys", [{"allow": (ip_network("192.0.2.0/24"),)}, {"max_clients": 1}])
async def test_who_may_not_come_in_is_reset(
    patient_clock: MockClock, tmp_path: Path, keys: dict[str, Any]
) -> None:
    async with stand(tmp_path, sections=proxy("socks5", **keys)) as s:
        s.play(80, echo)
        first = await s.connect("proxy")
        await trio.sleep(0.1)
        assert await end_of(await s.connect("proxy")) == (b"", "RST")
        await first.aclose()


async def test_a_client_that_says_nothing_is_reset_after_30_s(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, sections=proxy("socks5")) as s:
        client = await s.connect("proxy")
        await client.send_all(b"\x05")
        started = trio.current_time()
        assert await end_of(client) == (b"", "RST")
        assert trio.current_time() - started == pytest.approx(30, abs=0.5)


async def test_a_client_that_resets_while_the_open_is_under_way_frees_its_link(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, sections=proxy("socks5"), open_delay_s=5.0) as s:
        s.play(80, echo)
        client = await s.connect("proxy")
        await client.send_all(NO_LOGIN + connect_to(FAR, 80))
        await trio.sleep(1)
        await reset(client)
        await trio.sleep(2)
        await s.wait_free()


async def test_a_rate_holds_for_all_clients_together(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async def speak(stream: FarStream) -> None:
        await stream.send_all(BULK)

    async with stand(tmp_path, sections=proxy("socks5", rate=4000)) as s:
        s.play(80, speak)
        started = trio.current_time()
        clients = [(await ask(s, NO_LOGIN + connect_to(FAR, 80)))[0] for _ in range(2)]
        ends: list[tuple[bytes, str]] = []

        async def read(client: trio.SocketStream) -> None:
            ends.append(await end_of(client))

        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(read, client)
        assert ends == [(BULK, "FIN")] * 2
        assert trio.current_time() - started == pytest.approx(10, abs=1.5)
        await until(lambda: not s.module.dce.stack.any_open(), 10)

"""The HTTP server, from a socket's side: what it answers, and what a client can cost."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
import trio
from trio.testing import MockClock

from modemproxy.config import Endpoint
from modemproxy.operate.http import HEAD_S, IDLE_S, HttpServer
from modemproxy.operate.http_answers import Answer, Names
from modemproxy.surfaces.access import Access
from modemproxy.surfaces.listening import bind_tcp
from tests.surfaces.stand import end_of

pytestmark = pytest.mark.timeout(40)
HOST = b"Host: localhost\r\n"


@pytest.fixture
def patient_clock() -> MockClock:
    """Jump only when nothing has moved for a while of real time."""
    return MockClock(autojump_threshold=0.02)


def broken() -> Answer:
    raise ValueError("a bug")


@asynccontextmanager
async def server(
    allow: tuple[str, ...] = (), most: int = 3, big: int = 100_000
) -> AsyncIterator[HttpServer]:
    listener = bind_tcp("test", Endpoint("127.0.0.1", 0))
    access = Access(
        allow=[ip_network(text) for text in allow], max_clients=most, max_per_client=0
    )
    pages = {
        "/": lambda: Answer(b"hello\n"),
        "/big": lambda: Answer(b"x" * big),
        "/broken": broken,
    }
    made = HttpServer("test", listener, access, Names(), pages)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.serve, nursery)
        yield made
        nursery.cancel_scope.cancel()


async def connect(made: HttpServer) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", made.port)


async def read_answer(
    stream: trio.SocketStream, *, body: bool = True
) -> tuple[int, dict[str, str], bytes]:
    """Read one answer of a connection that may go on."""
    got = b""
    while b"\r\n\r\n" not in got:
        data = await stream.receive_some()
        assert data
        got += data
    head, _, rest = got.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    fields = {name.lower(): value for name, value in fields.items()}
    while body and len(rest) < int(fields["content-length"]):
        data = await stream.receive_some()
        assert data
        rest += data
    assert lines[0].startswith("HTTP/1.1 ")
    return int(lines[0].split()[1]), fields, rest


async def ask(made: HttpServer, sent: bytes) -> tuple[int, dict[str, str], bytes, bytes]:
    """Send bytes; give the answer, and what comes behind it until the end."""
    async with await connect(made) as stream:
        await stream.send_all(sent)
        status, fields, body = await read_answer(stream, body=not sent.startswith(b"HEAD"))
        rest = b""
        if fields.get("connection") == "close":
            async for data in stream:
                rest += data
    return status, fields, body, rest


async def test_a_page() -> None:
    async with server() as made:
        status, fields, body, _ = await ask(made, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (status, body) == (200, b"hello\n")
        assert fields["content-type"] == "text/plain; charset=utf-8"
        assert fields["date"].endswith(" GMT")
        assert "connection" not in fields


async def test_the_head_alone() -> None:
    async with server() as made, await connect(made) as stream:
        await stream.send_all(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
        status, fields, body = await read_answer(stream, body=False)
        assert (status, fields["content-length"], body) == (200, "6", b"")
        await stream.send_all(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await read_answer(stream))[2] == b"hello\n"


async def test_many_requests_on_one_connection_some_at_once() -> None:
    async with server() as made, await connect(made) as stream:
        one = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
        for _ in range(5):
            await stream.send_all(one)
            assert (await read_answer(stream))[2] == b"hello\n"
        await stream.send_all(b"GET /none HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await read_answer(stream))[0] == 404
        await stream.send_all(
            one * 3 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        got = b""
        async for data in stream:
            got += data
        assert got.count(b"HTTP/1.1 200 OK") == 4
        assert got.endswith(b"hello\n")


async def test_a_request_in_pieces() -> None:
    async with server() as made, await connect(made) as stream:
        for byte in b"GET / HTTP/1.1\r\n" + HOST + b"\r\n":
            await stream.send_all(bytes([byte]))
            await trio.lowlevel.checkpoint()
        assert (await read_answer(stream))[0] == 200


async def test_a_client_of_the_old_version_is_answered_and_let_go() -> None:
    async with server() as made:
        status, fields, body, rest = await ask(made, b"GET / HTTP/1.0\r\n\r\n")
        assert (status, body, rest) == (200, b"hello\n", b"")
        assert fields["connection"] == "close"


@pytest.mark.parametrize(
    ("sent", "status", "goes_on"),
    [
        (b"GET /none HTTP/1.1\r\n" + HOST + b"\r\n", 404, True),
        (b"GET /../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", 404, True),
        (b"DELETE / HTTP/1.1\r\n" + HOST + b"\r\n", 405, True),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", 405, False),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", 413, False),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, True),
        (b"GET / HTTP/1.1\r\n\r\n", 400, False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n b\r\nno colon\r\n\r\n", 400, False),
        (b"hello there\r\n\r\n", 400, False),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400, False),
        (b"GET / HTTP/1.1\r\nX: \x00\r\n\r\n", 400, False),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000, 431, False),
        (b"GET /" + b"y" * 100_000, 431, False),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b" " * 8000 + b"\x01\r\n\r\n", 200, True),
    ],
)
async def test_errors(sent: bytes, status: int, goes_on: bool) -> None:
    async with server() as made:
        got, fields, body, _ = await ask(made, sent)
        assert got == status
        assert ("connection" not in fields) == goes_on
        assert body.startswith(b"hello" if status == 200 else str(status).encode())
        assert fields["x-content-type-options"] == "nosniff"


async def test_a_bug_in_a_page_resets_that_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with server() as made:
        async with await connect(made) as stream:
            await stream.send_all(b"GET /broken HTTP/1.1\r\n" + HOST + b"\r\n")
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()
        assert (await ask(made, b"GET / HTTP/1.0\r\n\r\n"))[0] == 200
    assert "a bug" in caplog.text


async def test_who_is_not_allowed_is_reset_and_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with server(allow=("10.0.0.0/8",)) as made:
        for _ in range(3):
            async with await connect(made) as stream:
                with pytest.raises(trio.BrokenResourceError):
                    await stream.receive_some()
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.message for record in told] == [
        "test: 127.0.0.1 refused: its address is not in allow"
    ]


async def test_a_wrong_name_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async with server() as made:
        for _ in range(3):
            await ask(made, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert caplog.text.count("evil.example") == 1
    assert "metrics.hosts" in caplog.text


async def test_no_more_connections_than_there_may_be() -> None:
    async with server(most=2) as made:
        one, other = await connect(made), await connect(made)
        for stream in (one, other):
            await stream.send_all(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await read_answer(stream)
        async with await connect(made) as third:
            with pytest.raises(trio.BrokenResourceError):
                await third.receive_some()
        await one.aclose()
        while made.access.clients > 1:  # noqa: ASYNC110
            await trio.sleep(0.01)
        assert (await ask(made, b"GET / HTTP/1.0\r\n\r\n"))[0] == 200
        await other.aclose()


async def test_who_says_nothing_is_let_go(patient_clock: MockClock) -> None:
    async with server() as made, await connect(made) as stream:
        assert await stream.receive_some() == b""
        assert HEAD_S <= trio.current_time() < HEAD_S + 2


async def test_a_head_that_never_ends_is_answered(patient_clock: MockClock) -> None:
    async with server() as made, await connect(made) as stream:
        await trio.sleep(HEAD_S / 2)
        await stream.send_all(b"GET / HT")
        status, fields, _ = await read_answer(stream)
        assert (status, fields["connection"]) == (408, "close")
        assert trio.current_time() < 1.5 * HEAD_S + 2


async def test_an_idle_connection_stays_for_the_next_scrape(patient_clock: MockClock) -> None:
    async with server() as made, await connect(made) as stream:
        for _ in range(2):
            await stream.send_all(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await read_answer(stream)
            await trio.sleep(IDLE_S - 5)
        assert await stream.receive_some() == b""


async def test_who_does_not_take_the_answer_is_reset(patient_clock: MockClock) -> None:
    async with server(big=20_000_000) as made, await connect(made) as stream:
        await stream.send_all(b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n")
        with trio.fail_after(60):
            while not made.access.clients:  # noqa: ASYNC110
                await trio.sleep(0.1)
            while made.access.clients:  # noqa: ASYNC110
                await trio.sleep(1)
        assert (await end_of(stream))[1] == "RST"


async def test_a_big_answer_arrives_whole() -> None:
    async with server(big=3_000_000) as made:
        got = await ask(made, b"GET /big HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        assert len(got[2]) == 3_000_000
        assert got[3] == b""


async def test_idle_clients_do_not_keep_a_server_that_ends() -> None:
    with trio.fail_after(5):
        async with server() as made:
            stream = await connect(made)
            await stream.send_all(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await read_answer(stream)
    await stream.aclose()

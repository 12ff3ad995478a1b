"""What clients of the HTTP proxy see, on real sockets."""

import base64
import random
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream

from .stand import FAR, Stand, end_of, proxy, stand

pytestmark = pytest.mark.timeout(40)

BULK = random.Random(1).randbytes(20_000)
ALICE = (("alice", "secret"),)
CONNECT = f"CONNECT {FAR}:80 HTTP/1.1\r\nHost: {FAR}:80\r\n".encode()
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


async def echo(stream: FarStream) -> None:
    async for data in stream:
        await stream.send_all(data)


class Origin:
    """A far web server: keeps a request's head and answers with BULK."""

    def __init__(self, body_bytes: int = 0) -> None:
        self.requests: list[bytes] = []
        self._body_bytes = body_bytes

    async def serve(self, stream: FarStream) -> None:
        got = b""
        while len(got.partition(b"\r\n\r\n")[2]) < self._body_bytes or b"\r\n\r\n" not in got:
            data = await stream.receive_some()
            if not data:
                return
            got += data
        self.requests.append(got)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BULK)


async def ask(s: Stand, *said: bytes) -> trio.SocketStream:
    client = await s.connect("proxy")
    for piece in said:
        await client.send_all(piece)
        await trio.sleep(0.01)
    return client


async def take(client: trio.SocketStream, count: int) -> bytes:
    got = b""
    while len(got) < count:
        data = await client.receive_some(count - len(got))
        assert data, f"FIN after {got!r}"
        got += data
    return got


async def status_of(client: trio.SocketStream) -> tuple[int, bytes]:
    """Read an answer of the proxy's own, which ends in order; its status, and all of it."""
    answer, end = await end_of(client)
    assert end == "FIN"
    assert answer.startswith(b"HTTP/1.1 ")
    return int(answer.split()[1]), answer


@pytest.mark.parametrize(
    "pieces",
    [
        (CONNECT, b"\r\n", b"payload"),
        (CONNECT + b"\r\npayload",),
        tuple(bytes((byte,)) for byte in CONNECT + b"\r\npayload"),
    ],
    ids=["pieces", "one", "bytes"],
)
async def test_a_tunnel_echoes_what_came_with_the_request(
    patient_clock: MockClock, tmp_path: Path, pieces: tuple[bytes, ...]
) -> None:
    async with stand(tmp_path, sections=proxy("http")) as s:
        s.play(80, echo)
        client = await ask(s, *pieces)
        assert await take(client, len(ESTABLISHED)) == ESTABLISHED
        assert await take(client, 7) == b"payload"
        await client.send_all(BULK[:5000])
        assert await take(client, 5000) == BULK[:5000]
        await client.aclose()
        await s.wait_free()


async def test_a_plain_request_goes_on_in_origin_form_and_its_answer_ends_in_a_fin(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, sections=proxy("http", users=ALICE), wan_latency_s=0.05) as s:
        origin = Origin()
        s.play(80, origin.serve)
        secret = base64.b64encode(b"alice:secret")
        head = f"GET http://{FAR}/a?b=c HTTP/1.1\r\nHost: {FAR}\r\nAccept: */*\r\n".encode()
        extra = b"Proxy-Authorization: Basic %b\r\nProxy-Connection: keep-alive\r\n\r\n"
        client = await ask(s, head + extra % secret)
        answer, end = await end_of(client)
        assert end == "FIN"
        assert answer.endswith(BULK)
        assert origin.requests == [
            f"GET /a?b=c HTTP/1.1\r\nHost: {FAR}\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n".encode()
        ]


async def test_a_second_request_on_the_connection_is_not_the_first_ones_business(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, sections=proxy("http"), wan_latency_s=0.05) as s:
        origin = Origin(body_bytes=5000)
        s.play(80, origin.serve)
        head = b"POST http://%b/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n"
        second = b"GET http://elsewhere.example/ HTTP/1.1\r\nCookie: secret\r\n\r\n"
        client = await ask(s, head % FAR.encode(), BULK[:5000] + second)
        answer, _ = await end_of(client)
        assert answer.endswith(BULK)
        (request,) = origin.requests
        assert request.partition(b"\r\n\r\n")[2] == BULK[:5000]
        assert b"secret" not in request


async def test_a_body_that_makes_no_sense_is_a_reset(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, sections=proxy("http")) as s:
        s.play(80, Origin(body_bytes=5000).serve)
        head = b"POST http://%b/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        client = await ask(s, head % FAR.encode() + b"zzz\r\n")
        assert await end_of(client) == (b"", "RST")
        await s.wait_free()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (f"CONNECT {FAR}:9 HTTP/1.1\r\nHost: x\r\n\r\n", 502),
        ("CONNECT nowhere.example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n", 502),
        (f"GET http://{FAR}:9/ HTTP/1.1\r\nHost: x\r\n\r\n", 502),
        ('CONNECT x"y:80 HTTP/1.1\r\nHost: x\r\n\r\n', 400),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        ("\x16\x03\x01\x02\x00", 400),
        (f"CONNECT {FAR}:80 HTTP/1.1\r\nX: {'x' * 17000}\r\n\r\n", 431),
        ("CONNECT other.example.org:80 HTTP/1.1\r\nHost: x\r\n\r\n", 403),
    ],
)
async def test_a_failure_has_its_status_and_a_clean_end(
    patient_clock: MockClock, tmp_path: Path, said: str, status: int
) -> None:
    rules = ["*.example.com:*"]
    async with stand(tmp_path, sections=proxy("http", allow_destinations=rules)) as s:
        s.play(80, echo)
        client = await ask(s, said.encode("latin-1"))
        assert (await status_of(client))[0] == status
        await s.wait_free()


async def test_without_a_login_the_proxy_asks_for_one_and_guesses_take_time(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, sections=proxy("http", users=ALICE)) as s:
        s.play(80, echo)
        status, answer = await status_of(await ask(s, CONNECT + b"\r\n"))
        assert status == 407
        assert b"Proxy-Authenticate: Basic" in answer
        started = trio.current_time()
        guess = b"Proxy-Authorization: Basic %b\r\n\r\n" % base64.b64encode(b"alice:x")
        assert (await status_of(await ask(s, CONNECT + guess)))[0] == 407
        assert trio.current_time() - started >= 1
        right = b"Proxy-Authorization: Basic %b\r\n\r\n" % base64.b64encode(b"alice:secret")
        client = await ask(s, CONNECT + right)
        assert await take(client, len(ESTABLISHED)) == ESTABLISHED
        await client.aclose()


async def test_no_service_within_the_time_is_504(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with stand(tmp_path, sections=proxy("http"), wait_up=False, cereg=2, cgreg=2) as s:
        client = await ask(s, CONNECT + b"\r\n")
        status, answer = await status_of(client)
        assert status == 504
        assert b"within the time" in answer

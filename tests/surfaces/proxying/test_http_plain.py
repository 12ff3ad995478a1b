"""Plain http:// requests: what the origin server sees, and where a request ends."""

import time

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.surfaces.proxying.http_body import BadBody
from modemproxy.surfaces.proxying.http_connect import Forward, HttpProxyServer
from modemproxy.surfaces.proxying.refusals import Refused, Why
from modemproxy.surfaces.proxying.users import Users
from tests.strategies import chopped, hostile_bytes
from tests.surfaces.proxying.driving import Told, bytewise, tell

CHUNKED = b"Transfer-Encoding: chunked\r\n"


def request(
    target: bytes, headers: bytes = b"", method: bytes = b"GET", version: bytes = b"1.1"
) -> bytes:
    return b"%b %b HTTP/%b\r\nHost: wrong.example\r\n%b\r\n" % (
        method,
        target,
        version,
        headers,
    )


def ask(data: bytes, users: Users | None = None) -> Forward:
    told = tell(HttpProxyServer(users), [data])
    assert isinstance(told.event, Forward), told
    assert not told.sent
    return told.event


def refused(data: bytes) -> tuple[bytes, Why]:
    told = tell(HttpProxyServer(), [data])
    assert isinstance(told.event, Refused)
    return told.sent[9:12], told.event.why


@pytest.mark.parametrize(
    ("target", "host", "port", "line", "shown"),
    [
        (b"http://a.example/x?y=1", "a.example", 80, b"/x?y=1", b"a.example"),
        (b"http://a.example", "a.example", 80, b"/", b"a.example"),
        (b"http://a.example?q", "a.example", 80, b"/?q", b"a.example"),
        (b"HTTP://A.Example.:8080/", "a.example", 8080, b"/", b"a.example:8080"),
        (b"http://a.example:/", "a.example", 80, b"/", b"a.example"),
        (b"http://a.example:80/", "a.example", 80, b"/", b"a.example"),
        (b"http://[2001:DB8::1]/", "2001:db8::1", 80, b"/", b"[2001:db8::1]"),
        (b"http://[::1]:81/", "::1", 81, b"/", b"[::1]:81"),
        (b"http://a.example/b#c?d", "a.example", 80, b"/b", b"a.example"),
        (b"http://a.example/http://b/@:?#", "a.example", 80, b"/http://b/@:?", b"a.example"),
        (b"http://a.example//b", "a.example", 80, b"//b", b"a.example"),
    ],
)
def test_the_origin_server_sees_its_own_form(
    target: bytes, host: str, port: int, line: bytes, shown: bytes
) -> None:
    event = ask(request(target))
    assert (event.host, event.port) == (host, port)
    assert event.head == (
        b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (line, shown)
    )


def test_what_concerns_the_proxy_does_not_go_on() -> None:
    headers = (
        b"User-Agent: x\r\nProxy-Authorization: Basic YTpi\r\nproxy-connection: keep-alive\r\n"
        b"Connection: keep-alive, X-Mine, content-length ,\r\nKeep-Alive: 5\r\nX-MINE: 1\r\n"
        b"TE: trailers\r\nUpgrade: h2c\r\nCookie: a=\x01b\r\nContent-Length: 0\r\n"
        b"Authorization: Basic eDp5\r\nAccept: *\r\n  folded\r\nAccept: b\r\n"
    )
    assert ask(request(b"http://a/", headers)).head == (
        b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nCookie: a=\x01b\r\n"
        b"Content-Length: 0\r\nAuthorization: Basic eDp5\r\nAccept: * folded\r\n"
        b"Accept: b\r\nConnection: close\r\n\r\n"
    )


def test_a_login_is_asked_for_here_too() -> None:
    users = Users({"a": "b"})
    assert tell(HttpProxyServer(users), [request(b"http://a/")]).sent[9:12] == b"407"
    headers = b"Proxy-Authorization: Basic YTpi\r\n"
    assert b"YTpi" not in ask(request(b"http://a/", headers), users).head


def test_an_old_client_is_not_answered_in_chunks() -> None:
    head = ask(request(b"http://a/", version=b"1.0")).head
    assert head.startswith(b"GET / HTTP/1.0\r\nHost: a\r\n")


def test_options_of_a_whole_server() -> None:
    assert ask(request(b"http://a", method=b"OPTIONS")).head.startswith(b"OPTIONS * ")
    assert ask(request(b"http://a/", method=b"OPTIONS")).head.startswith(b"OPTIONS / ")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/", b"400"),
        (b"*", b"400"),
        (b"/http://a/", b"400"),
        (b"a.example:80", b"400"),
        (b"http:/a/", b"400"),
        (b"https://a/", b"501"),
        (b"ftp://a/", b"501"),
        (b"http://user:password@a/", b"400"),
        (b"http://a:0/", b"400"),
        (b"http://a:x/", b"400"),
        (b"http://2001:db8::1/", b"400"),
    ],
)
def test_another_target_is_refused(target: bytes, status: bytes) -> None:
    assert refused(request(target)) == (status, Why.PROTOCOL)


@pytest.mark.parametrize(
    "target", [b"http:///", b'http://a",80/', b"http://a%22/", b"http://a\\@b/", b"http://a_/"]
)
def test_an_unfit_host_is_refused(target: bytes) -> None:
    assert refused(request(target))[0] == b"400"


@pytest.mark.parametrize(
    "data",
    [
        request(b"http://a/", CHUNKED + b"Content-Length: 3\r\n", b"POST"),
        request(b"http://a/", CHUNKED, b"POST", b"1.0"),
    ],
)
def test_a_body_with_two_ends_is_refused(data: bytes) -> None:
    assert refused(data) == (b"400", Why.PROTOCOL)


def test_a_request_without_a_body_has_ended() -> None:
    body = ask(request(b"http://a/")).body
    assert body.ended
    assert body.forward(b"GET http://b/ HTTP/1.1\r\n") == b""


def test_a_body_of_known_length_ends_there() -> None:
    data = request(b"http://a/", b"Content-Length: 3000\r\n", b"POST")
    server = HttpProxyServer()
    told = tell(server, [data + b"x" * 1500])
    assert isinstance(told.event, Forward)
    body = told.event.body
    pieces = (server.trailing_data, b"x" * 1500 + b"GET http://b/ HTTP/1.1\r\n", b"more")
    seen = [(body.forward(piece), body.ended) for piece in pieces]
    assert seen == [(b"x" * 1500, False), (b"x" * 1500, True), (b"", True)]


def read_back(event: Forward, body: bytes) -> bytes:
    """An origin server reads exactly one request; return its body."""
    origin = h11.Connection(h11.SERVER)
    origin.receive_data(event.head + body)
    assert isinstance(origin.next_event(), h11.Request)
    found = b""
    while isinstance(part := origin.next_event(), h11.Data):
        found += part.data
    assert isinstance(part, h11.EndOfMessage)
    assert origin.trailing_data[0] == b""
    return found


def test_chunks_go_through_with_their_trailer() -> None:
    event = ask(request(b"http://a/", CHUNKED, b"POST"))
    data = b"5;x=y\r\nhello\r\n400\r\n" + b"z" * 1024 + b"\r\n0\r\nX-Sum: 1\r\n\r\nGET /"
    passed = event.body.forward(data)
    assert event.body.ended
    assert passed.endswith(b"0\r\nX-Sum: 1\r\n\r\n")
    assert read_back(event, passed) == b"hello" + b"z" * 1024


@given(st.lists(hostile_bytes.filter(bool), max_size=6), st.booleans(), st.data())
def test_any_body_arrives_whole_however_it_is_cut(
    parts: list[bytes], chunked: bool, data: st.DataObject
) -> None:
    whole = b"".join(parts)
    if chunked:
        wire = b"".join(b"%X\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    else:
        wire = whole
    framing = CHUNKED if chunked else b"Content-Length: %d\r\n" % len(whole)
    event = ask(request(b"http://a/", framing, b"PUT"))
    surplus = data.draw(hostile_bytes)
    passed = b"".join(map(event.body.forward, data.draw(chopped(wire + surplus))))
    assert event.body.ended
    assert read_back(event, passed) == whole


@pytest.mark.parametrize(
    "data",
    [
        b"x\r\n",
        b"-5\r\nhello\r\n",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\n\n",
        b"fffffffffffffffffffff\r\n",
        b"5" + b";" * 5000,
        b"0\r\n" + b"A: b\r\n" * 5000,
        b"0\r\nA b\r\n\r\n",
        b"0\r\nA:" + b" " * 16_000 + b"\0\r\n\r\n",
        b"5;" + b" " * 16_000 + b"\n\r\n",
    ],
)
def test_chunks_that_make_no_sense_end_the_request_soon(data: bytes) -> None:
    for pieces in ([data], list(bytewise(data))):
        body = ask(request(b"http://a/", CHUNKED, b"POST")).body
        started = time.process_time()
        with pytest.raises(BadBody):
            list(map(body.forward, pieces))
        assert time.process_time() - started < 0.5


def test_an_upgrade_is_not_asked_for() -> None:
    headers = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    assert b"pgrade" not in ask(request(b"http://a/", headers)).head


def test_the_request_is_found_however_it_comes() -> None:
    data = request(b"http://a/", b"Content-Length: 3\r\n", b"POST") + b"abc"
    for pieces in ([data], list(bytewise(data))):
        told: Told = tell(HttpProxyServer(), pieces)
        assert isinstance(told.event, Forward)
        assert told.event.body.forward(told.ahead) == b"abc"

"""HTTP CONNECT and the proxy's own answers."""

import base64
import time
from http import HTTPStatus

import h11
import pytest

from modemproxy.surfaces.proxying.http_connect import (
    Connect,
    Forward,
    HttpProxyServer,
    answer,
)
from modemproxy.surfaces.proxying.http_head import HEAD_MAX
from modemproxy.surfaces.proxying.refusals import Refused, Why
from modemproxy.surfaces.proxying.users import Users
from tests.surfaces.proxying.driving import Told, bytewise, reason, tell

USERS = Users({"alice": "secret"})
HOST = b"Host: example.com:443\r\n"


def ask(data: bytes, users: Users | None = None) -> Told:
    """Whole and byte by byte must come to the same."""
    whole = tell(HttpProxyServer(users), [data])
    assert tell(HttpProxyServer(users), bytewise(data)) == whole
    return whole


def connect(target: bytes, headers: bytes = HOST, version: bytes = b"1.1") -> bytes:
    return b"CONNECT %b HTTP/%b\r\n%b\r\n" % (target, version, headers)


def login(text: bytes) -> bytes:
    return HOST + b"Proxy-Authorization: Basic " + base64.b64encode(text) + b"\r\n"


def parsed(data: bytes, method: str = "GET") -> tuple[h11.Response, bytes]:
    """Have a client read an answer; it must be whole, and the last."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "proxy")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    response = client.next_event()
    assert isinstance(response, h11.Response)
    assert (b"connection", b"close") in response.headers
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert client.their_state is h11.MUST_CLOSE
    assert client.trailing_data[0] == b""
    return response, body


def refused(told: Told) -> tuple[int, Why]:
    """The status that was sent, and the kind of refusal."""
    assert isinstance(told.event, Refused)
    assert reason(told)
    return parsed(told.sent)[0].status_code, told.event.why


@pytest.mark.parametrize(
    ("target", "event"),
    [
        (b"example.com:443", Connect("example.com", 443)),
        (b"EXAMPLE.com.:1", Connect("example.com", 1)),
        (b"192.0.2.1:65535", Connect("192.0.2.1", 65535)),
        (b"[2001:DB8::1]:443", Connect("2001:db8::1", 443)),
        (b"[::ffff:192.0.2.1]:443", Connect("192.0.2.1", 443)),
        (b"example.com:00443", Connect("example.com", 443)),
    ],
)
def test_connect_names_host_and_port(target: bytes, event: Connect) -> None:
    assert ask(connect(target)) == Told(event, b"", b"")


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_payload_sent_ahead_is_kept(version: bytes) -> None:
    payload = b"\x16\x03\x01\x00\r\n\r\n\x0b"
    told = ask(connect(b"example.com:443", version=version) + payload)
    assert told == Told(Connect("example.com", 443), b"", payload)


def test_old_clients_send_no_host_and_end_lines_with_lf() -> None:
    assert ask(b"\r\n\nCONNECT a.example:22 HTTP/1.0\n\nSSH-2.0").ahead == b"SSH-2.0"


def test_success_has_no_body_and_no_headers() -> None:
    accepted = HttpProxyServer().accept()
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="CONNECT", target="a:1", headers=[("Host", "a:1")]))
    client.send(h11.EndOfMessage())
    client.receive_data(accepted + b"payload")
    response = client.next_event()
    assert isinstance(response, h11.Response)
    assert response.status_code == 200
    assert not response.headers
    assert client.next_event() is h11.PAUSED
    assert client.trailing_data == (b"payload", False)


@pytest.mark.parametrize(
    "target",
    [
        b"example.com",
        b"example.com:",
        b"example.com:0",
        b"example.com:65536",
        b"example.com:99999999999",
        b"example.com:443x",
        b"example.com:+443",
        b"example.com:443:443",
        b"alice@example.com:443",
        b"[::1]",
        b"[::1]:",
        b"[::1:443",
        b"::1]:443",
        b"[example.com]:443",
        b"2001:db8::1:443",
        b"/",
        b"*",
        b"http://example.com/:443/",
    ],
)
def test_a_target_of_another_form_is_a_bad_request(target: bytes) -> None:
    assert refused(ask(connect(target)))[0] == 400


@pytest.mark.parametrize(
    "target",
    [
        b":443",
        b'a",80:443',
        b"a,b:443",
        b"a%22b:443",
        b"a\\22b:443",
        b"a_b.example:443",
        b"[fe80::1%eth0]:443",
        b"[::x]:443",
        b"2130706433:443",
        b"0x7f000001:443",
        b"x" * 300 + b":443",
    ],
)
def test_a_host_that_could_alter_a_command_is_a_bad_request(target: bytes) -> None:
    assert refused(ask(connect(target))) == (400, Why.UNFIT_HOST)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"CONNECT a\x00b:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:443\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nno header\r\n\r\n", 400),
        (b"CONNECT \xc3\xa9:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (connect(b"a:443", HOST + b"Content-Length: 5\r\n"), 400),
        (connect(b"a:443", HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n"), 400),
        (connect(b"a:443", HOST + b"Transfer-Encoding: chunked\r\n"), 400),
        (connect(b"a:443", HOST + b"Transfer-Encoding: gzip\r\n"), 501),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\x05\x01\x00", 400),
        (b" GET / HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_gets_an_answer(data: bytes, status: int) -> None:
    told = tell(HttpProxyServer(), bytewise(data))
    assert refused(told) == (status, Why.PROTOCOL)


def test_an_empty_body_is_none() -> None:
    data = connect(b"example.com:443", HOST + b"Content-Length: 0\r\n")
    assert ask(data).event == Connect("example.com", 443)


def test_a_head_has_a_size() -> None:
    start = b"CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\nX: "
    fits = start + b"x" * (HEAD_MAX - len(start) - 4) + b"\r\n\r\n"
    assert ask(fits).event == Connect("example.com", 443)
    more = start + b"x" * (HEAD_MAX - len(start) - 3) + b"\r\n\r\n"
    assert refused(tell(HttpProxyServer(), [more])) == (431, Why.PROTOCOL)
    endless = tell(HttpProxyServer(), (b"X" * 100 for _ in range(10_000)))
    assert refused(endless) == (431, Why.PROTOCOL)
    assert len(endless.ahead) >= 1_000_000 - HEAD_MAX


@pytest.mark.parametrize("scheme", [b"Basic", b"bAsIc", b"Basic "])
def test_a_user_logs_in(scheme: bytes) -> None:
    headers = login(b"alice:secret").replace(b"Basic", scheme)
    assert ask(connect(b"a:1", headers), USERS).event == Connect("a", 1)


def test_a_password_may_have_a_colon() -> None:
    users = Users({"b\u00f6b": "a:b:c"})
    data = connect(b"a:1", login("b\u00f6b:a:b:c".encode()))
    assert ask(data, users).event == Connect("a", 1)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        (HOST, Why.NO_LOGIN),
        (HOST + b"Authorization: Basic YWxpY2U6c2VjcmV0\r\n", Why.NO_LOGIN),
        (HOST + b"Proxy-Authorization: Digest abc\r\n", Why.NO_LOGIN),
        (HOST + b"Proxy-Authorization:\r\n", Why.NO_LOGIN),
        (login(b"alice:secret") + login(b"alice:secret")[len(HOST) :], Why.NO_LOGIN),
        (login(b"alice:Secret"), Why.WRONG_LOGIN),
        (login(b"alice"), Why.WRONG_LOGIN),
        (login(b""), Why.WRONG_LOGIN),
        (login(b"\xff\r\n:\0"), Why.WRONG_LOGIN),
        (login(b"n" * 9000 + b":x"), Why.WRONG_LOGIN),
        (HOST + b"Proxy-Authorization: Basic alice:secret\r\n", Why.WRONG_LOGIN),
        (HOST + b"Proxy-Authorization: Basic \xc3\xa9\r\n", Why.WRONG_LOGIN),
    ],
)
def test_without_a_right_login_it_is_asked_for(headers: bytes, why: Why) -> None:
    told = ask(connect(b"example.com:443", headers), USERS)
    assert refused(told) == (407, why)
    challenge = dict(parsed(told.sent)[0].headers)[b"proxy-authenticate"]
    assert challenge.startswith(b'Basic realm="')
    assert "secret" not in reason(told).lower()


def test_a_password_on_a_broken_line_is_not_repeated() -> None:
    data = connect(b"a:1", HOST + b"Proxy-Authorization : Basic YWxpY2U6c2VjcmV0\r\n")
    told = ask(data)
    assert refused(told) == (400, Why.PROTOCOL)
    assert b"YWxpY2U6" not in told.sent + reason(told).encode()


@pytest.mark.parametrize("status", [400, 403, 407, 431, 501, 502, 503, 504, 505])
def test_an_answer_is_whole_and_closes(status: int) -> None:
    response, body = parsed(HttpProxyServer().refuse(status, "Why\r\nnot: \u00e9."))
    assert response.status_code == status
    assert response.reason == HTTPStatus(status).phrase.encode()
    assert body == b"Why\r\nnot: \\xe9.\n"
    assert (b"retry-after" in dict(response.headers)) == (status == 503)


def test_an_answer_to_head_has_no_body() -> None:
    told = ask(b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert told.sent.endswith(b"\r\n\r\n")
    assert parsed(told.sent, "HEAD")[0].status_code == 400
    server = HttpProxyServer()
    assert isinstance(
        tell(server, [b"HEAD http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"]).event, Forward
    )
    assert server.refuse(504, "Late.") == answer(504, "Late.", bodiless=True)


@pytest.mark.parametrize("tail", [b"\0", b"\x0b", b"\x0c", b"\ry", b"\x1c", b"\x85", b"\x7f"])
def test_no_head_costs_more_than_its_length(tail: bytes) -> None:
    """h11 alone takes a second of CPU for the first four, 16 kB each."""
    started = time.process_time()
    spaces = b"A:" + b" " * (HEAD_MAX - 100) + tail
    tell(HttpProxyServer(), [connect(b"a:1", HOST + spaces + b"\r\n")])
    tell(HttpProxyServer(), [connect(b"a:1", HOST + b"a" * (HEAD_MAX - 100) + tail)])
    tell(HttpProxyServer(), bytewise(connect(b"a:1", HOST + spaces)))
    assert time.process_time() - started < 0.5

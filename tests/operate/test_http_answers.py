"""Which requests are answered with a page, and by which names this machine may be asked."""

import socket

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.operate.http_answers import Answer, BadHttp, Names, path_of

NAMES = Names(["gateway.example.com"])


def request(head: str) -> h11.Request:
    """Read a head."""
    http = h11.Connection(h11.SERVER)
    http.receive_data(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    event = http.next_event()
    assert isinstance(event, h11.Request)
    return event


@pytest.mark.parametrize(
    ("head", "path"),
    [
        ("GET / HTTP/1.1\nHost: localhost", "/"),
        ("HEAD /metrics HTTP/1.1\nHost: 127.0.0.1:9464", "/metrics"),
        ("GET /a?b=c HTTP/1.1\nHost: [::1]:9464", "/a"),
        ("GET /a HTTP/1.1\nHost: GATEWAY.example.com.", "/a"),
        ("GET http://localhost/a HTTP/1.1\nHost: other.example", "/a"),
        ("GET http://localhost HTTP/1.1\nHost: localhost", "/"),
        ("GET /a HTTP/1.0", "/a"),
        ("GET /a HTTP/1.1\nHost: localhost\nContent-Length: 0", "/a"),
    ],
)
def test_a_request_has_a_path(head: str, path: str) -> None:
    assert path_of(request(head), NAMES) == path


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("POST / HTTP/1.1\nHost: localhost", 405),
        ("OPTIONS * HTTP/1.1\nHost: localhost", 405),
        ("CONNECT a:1 HTTP/1.1\nHost: localhost", 405),
        ("GET / HTTP/1.1\nHost: localhost\nContent-Length: 1", 413),
        ("GET / HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked", 413),
        ("GET a HTTP/1.1\nHost: localhost", 400),
        ("GET https://localhost/ HTTP/1.1\nHost: localhost", 400),
        ("GET / HTTP/1.1\nHost: evil.example", 421),
        ("GET / HTTP/1.1\nHost: localhost.evil.example", 421),
        ("GET / HTTP/1.1\nHost: 127.0.0.1.evil.example:9464", 421),
        ("GET / HTTP/1.1\nHost:", 421),
        ("GET http://evil.example/ HTTP/1.1\nHost: localhost", 421),
    ],
)
def test_a_request_is_refused(head: str, status: int) -> None:
    with pytest.raises(BadHttp) as caught:
        path_of(request(head), NAMES)
    assert caught.value.status == status
    assert caught.value.answer().status == status


def test_a_refusal_of_a_method_says_which_there_are() -> None:
    with pytest.raises(BadHttp) as caught:
        path_of(request("PUT / HTTP/1.1\nHost: localhost"), NAMES)
    assert ("Allow", "GET, HEAD") in caught.value.answer().headers()


def test_the_machine_is_known_by_its_own_name() -> None:
    own = socket.gethostname()
    assert own in Names()
    assert f"{own}.local" in Names()
    assert "gateway.example.com" not in Names()


@given(st.ip_addresses())
def test_an_address_is_no_name_that_somebody_could_point_here(address: object) -> None:
    assert str(address) in Names()


@given(st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,20}){1,3}", fullmatch=True))
def test_a_foreign_name_is_none_of_ours(name: str) -> None:
    if not name.replace(".", "").isdigit() and name != f"{socket.gethostname()}.local":
        assert name not in Names()


def test_every_answer_is_safe_in_a_browser() -> None:
    headers = dict(Answer(b"x").headers())
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy.pop("default-src") == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Content-Length"] == "1"

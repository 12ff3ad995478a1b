"""SOCKS5: each answer byte by byte, and nothing lost behind the request."""

from collections.abc import Iterable

import pytest

from modemproxy.surfaces.proxying.refusals import Refused, Why
from modemproxy.surfaces.proxying.socks5 import (
    Associate,
    Connect,
    Reply,
    Socks5Server,
    reply,
)
from modemproxy.surfaces.proxying.users import Users
from tests.surfaces.proxying.driving import Told, bytewise, reason, tell

HELLO = b"\x05\x01\x00"
BOTH = b"\x05\x02\x00\x02"
LOGIN = b"\x01\x05alice\x06secret"
NAME = b"\x05\x01\x00\x03\x0bexample.com\x01\xbb"
USERS = Users({"alice": "secret"})
EMPTY = b"\x00\x01\x00\x00\x00\x00\x00\x00"


def refusal(code: int) -> bytes:
    return b"\x05" + bytes((code,)) + EMPTY


def ask(*data: bytes, users: Users | None = None) -> Told:
    """Whole and byte by byte must come to the same."""
    whole = tell(Socks5Server(users), [b"".join(data)])
    assert tell(Socks5Server(users), bytewise(b"".join(data))) == whole
    return whole


def connect(host: str, port: int) -> Connect:
    return Connect(host, port)


@pytest.mark.parametrize(
    ("request_bytes", "event"),
    [
        (NAME, connect("example.com", 443)),
        (b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50", connect("192.0.2.1", 80)),
        (
            b"\x05\x01\x00\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01\xff\xff",
            connect("2001:db8::1", 65535),
        ),
        (
            b"\x05\x01\x00\x04" + bytes(10) + b"\xff\xff\xc0\x00\x02\x01\x00\x50",
            connect("192.0.2.1", 80),
        ),
        (b"\x05\x01\x00\x03\x09192.0.2.1\x00\x50", connect("192.0.2.1", 80)),
        (b"\x05\x01\x00\x03\x03::1\x00\x50", connect("::1", 80)),
        (b"\x05\x01\x00\x03\x0cEXAMPLE.com.\x00\x01", connect("example.com", 1)),
        (b"\x05\x01\xff" + NAME[3:], connect("example.com", 443)),
        (b"\x05\x03\x00\x01" + bytes(6), Associate("0.0.0.0", 0)),
        (b"\x05\x03\x00\x01\x7f\x00\x00\x01\x13\x88", Associate("127.0.0.1", 5000)),
        (b"\x05\x03\x00\x04" + bytes(18), Associate("::", 0)),
    ],
)
def test_a_request_is_read(request_bytes: bytes, event: Connect | Associate) -> None:
    assert ask(HELLO, request_bytes) == Told(event, b"\x05\x00", b"")


def test_payload_sent_with_the_request_is_kept() -> None:
    assert ask(HELLO, NAME, b"\x16\x03\x01hello").ahead == b"\x16\x03\x01hello"


def test_nothing_more_is_read_once_the_request_is_there() -> None:
    server = Socks5Server()
    server.receive_data(HELLO + NAME)
    assert isinstance(server.next_event(), Connect)
    server.receive_data(HELLO + NAME)
    assert server.next_event() is None
    assert server.trailing_data == HELLO + NAME


@pytest.mark.parametrize("methods", [b"\x00", b"\x01\x00", b"\x00\x02", bytes(range(255))])
def test_no_login_is_chosen_where_there_are_no_users(methods: bytes) -> None:
    assert ask(b"\x05", bytes((len(methods),)), methods, NAME).sent == b"\x05\x00"


@pytest.mark.parametrize("methods", [b"\x02", b"\x00\x02", b"\x00\x01\x02\x80"])
def test_a_user_logs_in(methods: bytes) -> None:
    told = ask(b"\x05", bytes((len(methods),)), methods, LOGIN, NAME, b"x", users=USERS)
    assert told == Told(Connect("example.com", 443), b"\x05\x02\x01\x00", b"x")


def test_the_longest_login_is_read() -> None:
    name, password = b"n" * 255, b"p" * 255
    users = Users({name.decode(): password.decode()})
    login = b"\x01\xff" + name + b"\xff" + password
    assert isinstance(ask(BOTH, login, NAME, users=users).event, Connect)


@pytest.mark.parametrize(
    "login", [b"\x01\x05alice\x06Secret", b"\x01\x00\x00", b"\x01\x03bob\x06secret"]
)
def test_a_wrong_login_gets_a_failure_and_the_end(login: bytes) -> None:
    told = ask(BOTH, login, NAME, users=USERS)
    assert told.sent == b"\x05\x02\x01\x01"
    assert isinstance(told.event, Refused)
    assert told.event.why is Why.WRONG_LOGIN
    assert "secret" not in reason(told).lower()


@pytest.mark.parametrize(
    ("data", "users", "sent", "why"),
    [
        (b"\x05\x01\x00", USERS, b"\x05\xff", Why.NO_LOGIN),
        (b"\x05\x00", USERS, b"\x05\xff", Why.NO_LOGIN),
        (b"\x05\x00", None, b"\x05\xff", Why.PROTOCOL),
        (b"\x05\x01\x02", None, b"\x05\xff", Why.PROTOCOL),
        (b"\x04\x01\x00\x50\xc0\x00\x02\x01\x00", None, b"\0\x5b" + bytes(6), Why.PROTOCOL),
        (b"GET / HTTP/1.1\r\n\r\n", None, b"\x05\xff", Why.PROTOCOL),
        (b"\x16\x03\x01", USERS, b"\x05\xff", Why.PROTOCOL),
        (BOTH + b"\x05", USERS, b"\x05\x02\x01\x01", Why.PROTOCOL),
        (HELLO + b"\x04", None, b"\x05\x00" + refusal(1), Why.PROTOCOL),
        (HELLO + b"\x05\x02" + NAME[2:], None, b"\x05\x00" + refusal(7), Why.UNSUPPORTED),
        (HELLO + b"\x05\x00" + NAME[2:], None, b"\x05\x00" + refusal(7), Why.UNSUPPORTED),
        (HELLO + b"\x05\xf0" + NAME[2:], None, b"\x05\x00" + refusal(7), Why.UNSUPPORTED),
        (HELLO + b"\x05\x01\x00\x02", None, b"\x05\x00" + refusal(8), Why.UNSUPPORTED),
        (HELLO + b"\x05\x01\x00\x00", None, b"\x05\x00" + refusal(8), Why.UNSUPPORTED),
        (HELLO + NAME[:-2] + b"\0\0", None, b"\x05\x00" + refusal(2), Why.PROTOCOL),
    ],
)
def test_what_is_wrong_gets_the_protocols_own_answer(
    data: bytes, users: Users | None, sent: bytes, why: Why
) -> None:
    told = ask(data, users=users)
    assert told.sent == sent
    assert isinstance(told.event, Refused)
    assert told.event.why is why
    assert reason(told)


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b'a",80\r\nAT+CFUN=0\r\n',
        b'a"',
        b"a,b",
        b"a\0",
        b"\xc3\xa9.example",
        b"\xff" * 255,
        b"x" * 255,
        b"0x7f000001",
        b"fe80::1%eth0",
    ],
)
@pytest.mark.parametrize("command", [1, 3])
def test_a_name_that_could_alter_a_command_is_not_allowed(host: bytes, command: int) -> None:
    request = b"\x05" + bytes((command, 0, 3, len(host))) + host + b"\x01\xbb"
    told = ask(HELLO, request)
    assert told.sent == b"\x05\x00" + refusal(Reply.NOT_ALLOWED)
    assert isinstance(told.event, Refused)
    assert told.event.why is Why.UNFIT_HOST
    assert reason(told)


def prefixes(data: bytes) -> Iterable[bytes]:
    return (data[:end] for end in range(len(data)))


def test_half_a_request_is_waited_for() -> None:
    for part in prefixes(HELLO + NAME):
        assert tell(Socks5Server(), [part]).event is None
    for part in prefixes(BOTH + LOGIN + NAME):
        assert tell(Socks5Server(USERS), [part]).event is None


def test_bytes_are_due_only_once() -> None:
    server = Socks5Server()
    server.receive_data(HELLO)
    assert server.next_event() is None
    assert server.data_to_send() == b"\x05\x00"
    assert server.data_to_send() == b""


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("127.0.0.1", 5000, b"\x01\x7f\x00\x00\x01\x13\x88"),
        ("::1", 1, b"\x04" + bytes(15) + b"\x01\x00\x01"),
        ("fe80::1%lo", 1, b"\x04\xfe\x80" + bytes(13) + b"\x01\x00\x01"),
    ],
)
def test_success_names_the_bound_address(host: str, port: int, address: bytes) -> None:
    assert Socks5Server().accept(host, port) == b"\x05\x00\x00" + address


def test_a_refusal_is_a_reply_without_an_address() -> None:
    for code in Reply:
        assert Socks5Server().refuse(code) == reply(code) == refusal(code)

"""Ten thousand accidents for each protocol: no crash, a clear end, and nothing unsafe.

The seeds are fixed. What is asserted of each input: the outcome is a request or a refusal
in the protocol's own words, it is the same however the bytes were cut, and a destination
that came out of it makes one harmless AT command.
"""

import random
import re
from itertools import pairwise

import h11
from dnslib import DNSError, DNSRecord  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.surfaces.proxying import http_connect, socks5
from modemproxy.surfaces.proxying.dnsanswers import build_answer, build_error
from modemproxy.surfaces.proxying.dnspassing import question_for_server
from modemproxy.surfaces.proxying.dnsrules import answer_by_rule
from modemproxy.surfaces.proxying.dnswire import BadQuery, Query, parse_query
from modemproxy.surfaces.proxying.hosts import UnfitHost
from modemproxy.surfaces.proxying.http_body import BadBody
from modemproxy.surfaces.proxying.http_connect import Forward, HttpProxyServer
from modemproxy.surfaces.proxying.refusals import Refused
from modemproxy.surfaces.proxying.socks5 import Associate, Socks5Server
from modemproxy.surfaces.proxying.socks5_address import (
    BadDatagram,
    build_datagram,
    parse_datagram,
)
from modemproxy.surfaces.proxying.users import Users
from tests.surfaces.proxying.driving import Told, assert_safe, mutated, reason, tell

COUNT = 10_000
USERS = Users({"alice": "secret"})

#: Everything a SOCKS5 client can be told before payload (RFC 1928 3 and 6, RFC 1929 2).
_SOCKS_SAID = re.compile(
    rb"(\0\x5b\0{6}|\x05\xff|\x05[\0\x02](\x01[\0\x01])?(\x05[\1-\x08]\0\x01\0{6})?)?",
    re.DOTALL,
)

SOCKS = (
    b"\x05\x01\x00\x05\x01\x00\x03\x0bexample.com\x01\xbbpayload",
    b"\x05\x02\x00\x02\x01\x05alice\x06secret\x05\x01\x00\x03\x0bexample.com\x01\xbb",
    b"\x05\x01\x02\x01\x05alice\x06secret\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50",
    b"\x05\x01\x00\x05\x01\x00\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01\x01\xbb",
    b"\x05\x01\x00\x05\x03\x00\x01" + bytes(6),
    b"\x05\x01\x00\x05\x02\x00\x01\xc0\x00\x02\x01\x00\x50",
    b'\x05\x01\x00\x05\x01\x00\x03\x1ca",80\r\nAT+CFUN=0\r\nATE0;b\r.\x01\xbb',
)
DATAGRAMS = tuple(
    build_datagram(host, 53, b"data") for host in ("192.0.2.1", "2001:db8::1", "a.example")
)
_LOGIN = b"Proxy-Authorization: Basic YWxpY2U6c2VjcmV0\r\n"
HTTP = (
    b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n\x16\x03\x01",
    b"CONNECT [2001:db8::1]:443 HTTP/1.0\r\n\r\n",
    b"CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n" + _LOGIN + b"\r\npayload",
    b"GET http://a.example:8080/x?y#z HTTP/1.1\r\nHost: b\r\nConnection: close, x\r\n\r\n",
    b"POST http://[::1]/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /",
    b"PUT http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\nmore",
    b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b'CONNECT a",80\r\nAT+CFUN=0:443 HTTP/1.1\r\nHost: a\r\n\r\n',
)
_DNS_HEAD = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
DNS = (
    _DNS_HEAD + b"\x07example\x03com\x00\x00\x01\x00\x01",
    _DNS_HEAD + b"\x01a\x09localhost\x00\x00\x1c\x00\x01",
    _DNS_HEAD + b"\x05_sip._\x04_tcp\x01b\x00\x00\x21\x00\x01",
    _DNS_HEAD[:11] + b"\x01\x07Example\x03com\x00\x00\x01\x00\x01"
    b"\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x0c\x00\x0a\x00\x08abcdefgh",
    _DNS_HEAD[:7] + b"\x01\0\x01\0\x01\x01a\x00\x00\x01\x00\x01"
    b"\xc0\x0c\x00\x01\x00\x01\0\0\0\x05\0\x04abcd" * 2 + b"\0\0\x29\x10\0\0\0\0\0\0\0",
    _DNS_HEAD + b'\x0ea",80\r\nAT+CFUN\x03com\x00\x00\x01\x00\x01',
)


def in_pieces(data: bytes, rng: random.Random) -> list[bytes]:
    """Cut at random; no piece is empty."""
    places = sorted({0, len(data), *(rng.randint(0, len(data)) for _ in range(5))})
    return [data[a:b] for a, b in pairwise(places)]


def socks_told(data: bytes, pieces: list[bytes], users: Users | None) -> Told:
    told = tell(Socks5Server(users), pieces)
    assert tell(Socks5Server(users), [data]) == told
    assert _SOCKS_SAID.fullmatch(told.sent)
    if isinstance(told.event, Refused):
        assert reason(told)
        assert told.sent
    elif isinstance(told.event, socks5.Connect):
        assert_safe(told.event.host, told.event.port)
        assert data.endswith(told.ahead)
    elif isinstance(told.event, Associate):
        assert_safe(told.event.host, told.event.port or 1)
    else:
        assert told.event is None
        assert len(data) < 1100, "more than greeting, login and request, and no end"
    return told


def test_socks5() -> None:
    rng = random.Random(1)
    ends = [
        type(socks_told(data, in_pieces(data, rng), rng.choice((None, USERS))).event)
        for data in mutated(SOCKS, COUNT, seed=1)
    ]
    assert {*ends} == {socks5.Connect, Associate, Refused, type(None)}


@given(st.binary(max_size=600), st.booleans())
def test_socks5_with_any_bytes(data: bytes, login: bool) -> None:
    users = USERS if login else None
    for whole in (data, b"\x05\x01\x00" + data, b"\x05\x01\x00\x05\x01\x00\x03" + data):
        socks_told(whole, [whole], users)


def test_socks5_datagrams() -> None:
    passed = 0
    for data in mutated(DATAGRAMS, COUNT, seed=2):
        try:
            datagram = parse_datagram(data)
        except BadDatagram:
            continue
        passed += 1
        assert_safe(datagram.host, datagram.port)
        assert data.endswith(datagram.data)
        again = build_datagram(datagram.host, datagram.port, datagram.data)
        assert parse_datagram(again) == datagram
    assert 0 < passed < COUNT


def http_told(data: bytes, pieces: list[bytes], users: Users | None) -> Told:
    told = tell(HttpProxyServer(users), pieces)
    whole = tell(HttpProxyServer(users), [data])
    assert whole.sent == told.sent
    assert type(whole.event) is type(told.event)
    if isinstance(told.event, Refused):
        assert reason(told)
        assert re.match(rb"HTTP/1\.1 (4\d\d|50[15]) [A-Z]", told.sent)
        assert b"AT+" not in told.sent.partition(b"\r\n\r\n")[0]
    elif isinstance(told.event, http_connect.Connect):
        assert whole == told
        assert_safe(told.event.host, told.event.port)
    elif isinstance(told.event, Forward):
        assert_safe(told.event.host, told.event.port)
        assert_one_request(told.event, told.ahead)
    else:
        assert told.event is None
    return told


def assert_one_request(event: Forward, ahead: bytes) -> None:
    """An origin server sees the whole of one request, and nothing behind it."""
    try:
        passed = event.body.forward(ahead)
    except BadBody:
        passed = b""
    origin = h11.Connection(h11.SERVER)
    origin.receive_data(event.head + passed)
    head = origin.next_event()
    assert isinstance(head, h11.Request)
    assert head.target[:1] in b"/*"
    names = [name for name, _ in head.headers]
    assert not {*names} & {b"proxy-authorization", b"proxy-connection", b"upgrade"}
    while isinstance(part := origin.next_event(), h11.Data):
        pass
    assert (part is not h11.NEED_DATA) == event.body.ended
    assert not event.body.ended or origin.trailing_data[0] == b""


def test_http() -> None:
    rng = random.Random(3)
    ends = [
        type(http_told(data, in_pieces(data, rng), rng.choice((None, None, USERS))).event)
        for data in mutated(HTTP, COUNT, seed=3)
    ]
    assert {*ends} == {http_connect.Connect, Forward, Refused, type(None)}


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_http_with_any_bytes(data: bytes, more: bytes) -> None:
    tail = b" HTTP/1.1\r\nHost: a\r\n" + more + b"\r\n\r\n"
    for whole in (data, b"CONNECT " + data + tail, b"GET http://" + data + tail):
        http_told(whole, [whole], None)


def dns_answered(data: bytes) -> Query | None:
    """Answer as the surface would; every answer must be one to dnslib."""
    try:
        query = parse_query(data)
    except BadQuery as error:
        if error.query is None:
            return None
        answer = build_error(error.query, error.rcode)
        query = error.query
    else:
        assert query.shown.isprintable()
        answer = answer_by_rule(query) or build_answer(query, ["192.0.2.1", "::1"], ttl_s=60)
        assert question_for_server(query, 1)[12:].startswith(query.question)
        try:
            assert_safe(query.host(), 53)
        except UnfitHost:
            answer = build_error(query, 5)
    assert answer[:2] == data[:2]
    assert answer[2] & 0x80
    assert answer[12:].startswith(query.question)
    assert len(answer) <= len(data) + 16 + 28 + 11, "much more than was asked for"
    if all(label.isascii() for label in query.labels):  # dnslib wants UTF-8 in names
        DNSRecord.parse(answer)
    return query


def test_dns() -> None:
    read = 0
    for data in mutated(DNS, COUNT, seed=4):
        query = dns_answered(data)
        if query is None or not query.question:
            continue
        read += 1
        try:
            oracle = DNSRecord.parse(data)
        except DNSError:
            continue  # it reads the data of records too
        assert query.labels == tuple(label.lower() for label in oracle.q.qname.label)
        assert (query.qtype, query.qclass) == (oracle.q.qtype, oracle.q.qclass)
    assert 0 < read < COUNT


@given(st.binary(max_size=600))
def test_dns_with_any_bytes(data: bytes) -> None:
    for whole in (data, _DNS_HEAD + data, _DNS_HEAD[:-1] + b"\x03" + data):
        dns_answered(whole)

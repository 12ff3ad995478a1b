"""Reading DNS questions: byte by byte, and against dnslib."""

import struct

import pytest
from dnslib import EDNS0, DNSRecord  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.surfaces.proxying.dnswire import (
    EDNS_SIZE,
    QUERY_MAX,
    UDP_SIZE,
    BadQuery,
    Edns,
    Query,
    Rcode,
    RecordType,
    parse_query,
)
from modemproxy.surfaces.proxying.hosts import UnfitHost

HEADER = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
NAME = b"\x07eXample\x03COM\x00"
ASKS = HEADER + NAME + b"\x00\x01\x00\x01"


def header(
    flags: int = 0x0100, counts: tuple[int, int, int, int] = (1, 0, 0, 0), ident: int = 0x1234
) -> bytes:
    return struct.pack("!HHHHHH", ident, flags, *counts)


def opt(size: int = 4096, ttl: int = 0, data: bytes = b"", name: bytes = b"\0") -> bytes:
    return name + struct.pack("!HHIH", 41, size, ttl, len(data)) + data


def with_opt(record: bytes, more: bytes = b"") -> bytes:
    return header(counts=(1, 0, 0, 2 if more else 1)) + ASKS[12:] + record + more


def refused(data: bytes) -> BadQuery:
    with pytest.raises(BadQuery) as caught:
        parse_query(data)
    assert str(caught.value).isprintable()
    return caught.value


def test_a_question_is_read_as_it_came() -> None:
    query = parse_query(ASKS)
    assert query == Query(0x1234, 0x0100, NAME + b"\x00\x01\x00\x01", RecordType.A)
    assert query.host() == "example.com"
    assert query.shown == "example.com"
    assert query.udp_limit == UDP_SIZE


def test_upper_and_lower_case_are_one_question() -> None:
    lower = parse_query(ASKS.replace(b"eXample", b"example"))
    assert lower.key == parse_query(ASKS).key
    assert lower.question != parse_query(ASKS).question
    assert parse_query(ASKS[:-4] + b"\x00\x1c\x00\x01").key != lower.key


@pytest.mark.parametrize(
    ("size", "limit"), [(0, 512), (511, 512), (1000, 1000), (1232, 1232), (65535, EDNS_SIZE)]
)
def test_edns_makes_room(size: int, limit: int) -> None:
    query = parse_query(with_opt(opt(size, 0x8000, b"\x00\x0a\x00\x02ab")))
    assert query.edns == Edns(size, 0, True)
    assert query.udp_limit == limit


def test_records_that_mean_nothing_here_are_passed_over() -> None:
    other = b"\xc0\x0c" + struct.pack("!HHIH", 250, 255, 0, 3) + b"abc"
    assert parse_query(with_opt(opt(), other)).edns == Edns(4096, 0, False)
    assert parse_query(with_opt(other, opt())).edns == Edns(4096, 0, False)
    data = header(counts=(1, 1, 1, 0)) + ASKS[12:] + other + other
    assert parse_query(data).edns is None
    assert parse_query(ASKS + b"more") == parse_query(ASKS)


@pytest.mark.parametrize(
    ("data", "rcode"),
    [
        (header(0x2800) + ASKS[12:], Rcode.NOTIMP),
        (header(0x1000) + ASKS[12:], Rcode.NOTIMP),
        (header(counts=(0, 0, 0, 0)), Rcode.FORMERR),
        (header(counts=(2, 0, 0, 0)) + ASKS[12:] * 2, Rcode.FORMERR),
        (header(counts=(65535, 65535, 65535, 65535)) + ASKS[12:], Rcode.FORMERR),
        (header(counts=(1, 0, 0, 65535)) + ASKS[12:] + opt(), Rcode.FORMERR),
        (header() + b"\xc0\x0c\x00\x01\x00\x01", Rcode.FORMERR),
        (header() + b"\x01a\xc0\x0c\x00\x01\x00\x01", Rcode.FORMERR),
        (header() + b"\x40" + b"a" * 64 + b"\x00\x00\x01\x00\x01", Rcode.FORMERR),
        (header() + b"\x3f" + b"a" * 62, Rcode.FORMERR),
        (header() + b"\x01a" * 128 + b"\x00\x00\x01\x00\x01", Rcode.FORMERR),
        (header(), Rcode.FORMERR),
        (ASKS[:-1], Rcode.FORMERR),
        (ASKS + b"x" * QUERY_MAX, Rcode.FORMERR),
        (with_opt(opt(), opt()), Rcode.FORMERR),
        (with_opt(opt(name=b"\x01a\0")), Rcode.FORMERR),
        (with_opt(opt()[:-1]), Rcode.FORMERR),
        (with_opt(opt(data=b"abc")[:-1]), Rcode.FORMERR),
        (with_opt(b"\x80\x00" + opt()), Rcode.FORMERR),
        (header(counts=(1, 1, 0, 0)) + ASKS[12:] + opt(), Rcode.FORMERR),
        (with_opt(opt(ttl=0x00010000)), Rcode.BADVERS),
        (HEADER + NAME + b"\x00\x10\x00\x03", Rcode.REFUSED),
        (HEADER + NAME + b"\x00\x01\x00\xff", Rcode.REFUSED),
    ],
)
def test_what_is_wrong_is_answered(data: bytes, rcode: Rcode) -> None:
    error = refused(data)
    assert error.rcode == rcode
    assert error.query is not None
    assert error.query.id == 0x1234


@pytest.mark.parametrize("data", [b"", b"x", HEADER[:-1], header(0x8180) + ASKS[12:]])
def test_what_is_no_question_is_not_answered(data: bytes) -> None:
    assert refused(data).query is None


def named(*labels: bytes) -> Query:
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return parse_query(HEADER + name + b"\x00\x01\x00\x01")


@pytest.mark.parametrize(
    "labels",
    [
        (),
        (b"a.b", b"example"),
        (b'a"', b"example"),
        (b'x",80\r\nAT+CFUN=0\r\n',),
        (b"a,b",),
        (b"_dmarc", b"example"),
        (b"a\0b",),
        (b"\xc3\xa9",),
        (b"-a",),
        (b"192", b"0", b"2", b"1"),
        (b"1", b"2"),
        (b"0x7f000001",),
        (b"::1",),
        (b"*", b"example"),
    ],
)
def test_a_name_that_could_alter_a_command_is_no_host(labels: tuple[bytes, ...]) -> None:
    query = named(*labels)
    assert query.shown.isprintable()
    with pytest.raises(UnfitHost) as caught:
        query.host()
    assert str(caught.value).isprintable()


def test_the_longest_name_is_read() -> None:
    labels = (b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 61)
    assert named(*labels).host() == b".".join(labels).decode()
    with pytest.raises(BadQuery):
        named(b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 62)


labels = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,10}[A-Za-z])?", fullmatch=True)


@given(
    st.lists(labels, min_size=1, max_size=6).map(".".join),
    st.sampled_from(["A", "AAAA", "MX", "TXT", "SRV", "HTTPS"]),
    st.integers(0, 65535),
    st.one_of(st.none(), st.integers(0, 65535)),
)
def test_questions_of_another_hand_are_read(
    name: str, qtype: str, ident: int, size: int | None
) -> None:
    record = DNSRecord.question(name, qtype)
    record.header.id = ident
    if size is not None:
        record.add_ar(EDNS0(udp_len=size, flags="do"))
    query = parse_query(bytes(record.pack()))
    assert query.id == ident
    assert query.qtype == record.q.qtype
    assert query.labels == tuple(name.lower().encode().split(b"."))
    assert query.edns == (None if size is None else Edns(size, 0, True))

"""DNS answers, read back by dnslib."""

import pytest
from dnslib import QTYPE, RCODE, RR, DNSRecord  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.surfaces.proxying.dnsanswers import build_answer, build_error, build_truncated
from modemproxy.surfaces.proxying.dnspassing import (
    Messages,
    TooLong,
    answers,
    frame,
    question_for_server,
    reply_for_client,
)
from modemproxy.surfaces.proxying.dnsrules import answer_by_rule
from modemproxy.surfaces.proxying.dnswire import (
    QUERY_MAX,
    TCP_LIMIT,
    BadQuery,
    Query,
    parse_query,
)
from tests.strategies import chopped
from tests.surfaces.proxying.test_dnswire import ASKS, HEADER, header, opt, with_opt

FOUR, SIX = "192.0.2.1", "2001:db8::1"
ASKS6 = ASKS[:-4] + b"\x00\x1c\x00\x01"
PLAIN = parse_query(ASKS)
EDNS = parse_query(with_opt(opt(ttl=0x8000, data=b"\x00\x0a\x00\x08cookie!!")))


def read(message: bytes, query: Query = PLAIN) -> DNSRecord:
    """What is true of every answer."""
    record = DNSRecord.parse(message)
    assert record.header.id == query.id
    assert (record.header.qr, record.header.ra, record.header.aa) == (1, 1, 0)
    assert record.header.rd == bool(query.flags & 0x0100)
    assert message[12:].startswith(query.question)
    return record


def found(record: DNSRecord) -> list[tuple[str, str, int]]:
    return [(QTYPE[rr.rtype], str(rr.rdata), rr.ttl) for rr in record.rr]


def test_addresses_of_the_family_asked_for_are_given() -> None:
    given = ["not one", SIX, FOUR, "192.0.2.2"]
    assert found(read(build_answer(PLAIN, given, ttl_s=60))) == [
        ("A", FOUR, 60),
        ("A", "192.0.2.2", 60),
    ]
    query = parse_query(ASKS6)
    assert found(read(build_answer(query, given, ttl_s=60), query)) == [("AAAA", SIX, 60)]


def test_the_name_keeps_the_clients_spelling() -> None:
    record = read(build_answer(PLAIN, [FOUR], ttl_s=1))
    assert str(record.q.qname) == "eXample.COM."
    assert str(record.rr[0].rname) == "eXample.COM."


def test_no_address_of_the_family_is_no_data() -> None:
    record = read(build_answer(PLAIN, [SIX], ttl_s=60))
    assert (record.header.rcode, record.rr) == (0, [])


@pytest.mark.parametrize(("ttl_s", "told"), [(-1, 0), (0, 0), (2**40, 2**31 - 1)])
def test_a_lifetime_stays_in_its_range(ttl_s: int, told: int) -> None:
    assert found(read(build_answer(PLAIN, [FOUR], ttl_s=ttl_s))) == [("A", FOUR, told)]


@pytest.mark.parametrize("rcode", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("query", [PLAIN, EDNS])
def test_errors_are_said(rcode: int, query: Query) -> None:
    record = read(build_error(query, rcode), query)
    assert record.header.rcode == rcode
    assert not record.rr


def test_what_could_not_be_read_is_answered_by_its_header() -> None:
    with pytest.raises(BadQuery) as caught:
        parse_query(header(0x2910) + b"\xff")
    assert caught.value.query is not None
    answer = build_error(caught.value.query, caught.value.rcode)
    assert answer == b"\x12\x34\xa9\x94" + bytes(8)


def test_a_client_with_edns_gets_edns_without_its_options() -> None:
    record = read(build_answer(EDNS, [FOUR], ttl_s=60), EDNS)
    (edns,) = record.ar
    assert (edns.rtype, edns.edns_len, edns.edns_do, edns.rdata) == (41, 1232, 1, [])
    assert not read(build_answer(PLAIN, [FOUR], ttl_s=60)).ar


def test_another_version_of_edns_is_told_so() -> None:
    with pytest.raises(BadQuery) as caught:
        parse_query(with_opt(opt(ttl=0x00050000)))
    assert caught.value.query is not None
    record = read(build_error(caught.value.query, caught.value.rcode))
    assert (record.header.rcode, record.ar[0].edns_rcode, record.ar[0].edns_ver) == (0, 1, 0)


@pytest.mark.parametrize("query", [PLAIN, EDNS])
def test_too_many_addresses_are_cut_with_a_word(query: Query) -> None:
    many = [f"192.0.2.{n}" for n in range(200)]
    for limit in (*range(40, 700, 11), TCP_LIMIT):
        message = build_answer(query, many, ttl_s=60, limit=limit)
        record = read(message, query)
        assert len(message) <= max(limit, len(build_answer(query, [], ttl_s=60)))
        assert record.header.tc == (len(record.rr) < 200)
        assert len(message) + 16 > limit or len(record.rr) == 200


def test_a_client_is_asked_to_come_again() -> None:
    record = read(build_truncated(EDNS), EDNS)
    assert (record.header.tc, record.header.rcode, record.rr) == (1, 0, [])


@pytest.mark.parametrize(
    ("name", "qtype", "says"),
    [
        ("localhost", "A", [("A", "127.0.0.1", 86_400)]),
        ("a.LOCALHOST", "AAAA", [("AAAA", "::1", 86_400)]),
        ("localhost", "MX", []),
    ],
)
def test_localhost_is_the_client(name: str, qtype: str, says: list[object]) -> None:
    query = parse_query(bytes(DNSRecord.question(name, qtype).pack()))
    answer = answer_by_rule(query)
    assert answer is not None
    assert found(read(answer, query)) == says


@pytest.mark.parametrize("name", ["invalid", "a.b.Invalid", "x.test", "abc.onion"])
def test_names_that_do_not_exist_by_rule(name: str) -> None:
    query = parse_query(bytes(DNSRecord.question(name, "A").pack()))
    answer = answer_by_rule(query)
    assert answer is not None
    assert RCODE[read(answer, query).header.rcode] == "NXDOMAIN"


@pytest.mark.parametrize("name", ["example.com", "localhost.example.com", "invalid.org"])
def test_other_names_have_no_rule(name: str) -> None:
    assert answer_by_rule(parse_query(bytes(DNSRecord.question(name, "A").pack()))) is None
    assert answer_by_rule(parse_query(HEADER + b"\0\x00\x01\x00\x01")) is None


def test_a_question_is_passed_on_in_a_message_of_our_own() -> None:
    message = question_for_server(EDNS, 0xBEEF)
    record = DNSRecord.parse(message)
    assert record.header.id == 0xBEEF
    assert (record.header.qr, record.header.rd) == (0, 1)
    assert message[12:].startswith(EDNS.question)
    assert (record.ar[0].edns_len, record.ar[0].edns_do) == (1232, 1)
    assert b"cookie" not in message
    assert not DNSRecord.parse(question_for_server(PLAIN, 1)).ar


def test_a_servers_answer_reaches_its_client() -> None:
    asked = DNSRecord.parse(question_for_server(PLAIN, 0xBEEF))
    reply = asked.reply(aa=0)
    reply.add_answer(*RR.fromZone("example.com. 60 MX 10 mail.example.com."))
    assert answers(bytes(reply.pack()), PLAIN, 0xBEEF)
    assert found(read(reply_for_client(bytes(reply.pack()), PLAIN))) == [
        ("MX", "10 mail.example.com.", 60)
    ]


def test_an_answer_to_something_else_is_not_taken() -> None:
    reply = bytes(DNSRecord.parse(question_for_server(PLAIN, 0xBEEF)).reply().pack())
    assert answers(reply, PLAIN, 0xBEEF)
    assert not answers(reply, PLAIN, 0xBEEE)
    assert not answers(reply[:11], PLAIN, 0xBEEF)
    assert not answers(question_for_server(PLAIN, 0xBEEF), PLAIN, 0xBEEF)
    assert not answers(reply.replace(b"eXample", b"example"), PLAIN, 0xBEEF)
    assert not answers(reply, parse_query(ASKS6), 0xBEEF)
    assert not answers(reply[:5] + b"\2" + reply[6:], PLAIN, 0xBEEF)
    no_question = b"\xbe\xef\x81"
    assert answers(no_question + b"\x81" + bytes(8), PLAIN, 0xBEEF)
    assert not answers(no_question + b"\x80" + bytes(8), PLAIN, 0xBEEF)


@given(st.lists(st.binary(max_size=40), max_size=5), st.data())
def test_a_stream_is_cut_into_its_messages(sent: list[bytes], data: st.DataObject) -> None:
    messages = Messages()
    got: list[bytes] = []
    for piece in data.draw(chopped(b"".join(map(frame, sent)))):
        messages.receive_data(piece)
        got += iter(messages.next_message, None)
    assert got == sent


def test_a_stream_of_more_than_questions_ends() -> None:
    messages = Messages()
    messages.receive_data(frame(b"x" * QUERY_MAX))
    assert messages.next_message() == b"x" * QUERY_MAX
    messages.receive_data(b"\xff\xff")
    with pytest.raises(TooLong, match="65535"):
        messages.next_message()
    with pytest.raises(ValueError, match="65536"):
        frame(bytes(65536))

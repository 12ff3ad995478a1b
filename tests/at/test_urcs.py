"""Unsolicited result codes: each, in every spelling seen, and what they are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.at.urcs import (
    BootProgress,
    ClientConnected,
    CloseDone,
    DataWaiting,
    LinkClosed,
    LinkOpened,
    ModuleBooted,
    NetClosed,
    NetOpened,
    NetworkLost,
    PacketEvent,
    Registration,
    SendConfirmed,
    ServerStopped,
    SimState,
    Urc,
    parse_urc,
    split_fields,
    split_tag,
)

CANONICAL: list[tuple[bytes, Urc]] = [
    (b"+CIPRXGET: 1,3", DataWaiting(3)),
    (b"+CIPOPEN: 3,0", LinkOpened(3, 0)),
    (b"+CIPOPEN: 3,11", LinkOpened(3, 11)),
    (b"+IPCLOSE: 3,1", LinkClosed(3, 1)),
    (b"+CIPCLOSE: 3,0", CloseDone(3, 0)),
    (b"+CIPSEND: 3,1460,1460", SendConfirmed(3, 1460, 1460)),
    (b"+CIPSEND: 3,1460,-1", SendConfirmed(3, 1460, -1)),
    (b"+NETOPEN: 0", NetOpened(0)),
    (b"+NETCLOSE: 2", NetClosed(2)),
    (b"+SERVERSTOP: 0,0", ServerStopped(0, 0)),
    (b"+CLIENT: 2,0,192.168.0.9:4321", ClientConnected(2, 0, "192.168.0.9:4321")),
    (b"+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY", NetworkLost()),
    (b"+CPIN: READY", SimState("READY")),
    (b"+CPIN: SIM PIN", SimState("SIM PIN")),
    (b"+CREG: 1", Registration("CREG", 1)),
    (b"+CGREG: 5", Registration("CGREG", 5)),
    (b'+CEREG: 3,"1234","01AB"', Registration("CEREG", 3)),
    (b"+CGEV: EPS PDN DEACT 1", PacketEvent("EPS PDN DEACT 1")),
    (b"*ATREADY: 1", ModuleBooted("*ATREADY: 1")),
    (b"RDY", ModuleBooted("RDY")),
    (b"START", ModuleBooted("START")),
    (b"QCRDY", ModuleBooted("QCRDY")),
    (b"SMS DONE", BootProgress("SMS DONE")),
    (b"PB DONE", BootProgress("PB DONE")),
]
tagged = [row for row in CANONICAL if row[0][:1] in b"+*"]


@pytest.mark.parametrize(("line", "urc"), CANONICAL)
def test_as_the_manual_writes_it(line: bytes, urc: Urc) -> None:
    assert parse_urc(line) == urc


@pytest.mark.parametrize(("line", "urc"), tagged)
@pytest.mark.parametrize("colon", [b":", b" ", b":   ", b" : "])
def test_colon_and_spaces_vary(line: bytes, urc: Urc, colon: bytes) -> None:
    assert parse_urc(line.replace(b": ", colon, 1)) == urc


@pytest.mark.parametrize(("line", "urc"), tagged)
def test_spaces_round_the_commas(line: bytes, urc: Urc) -> None:
    assert parse_urc(line.replace(b",", b" , ") + b" ") == urc


@pytest.mark.parametrize(("line", "urc"), tagged)
def test_the_case_of_the_tag_does_not_matter(line: bytes, urc: Urc) -> None:
    tag, colon, rest = line.partition(b":")
    assert parse_urc(tag.lower() + colon + rest) == urc


@pytest.mark.parametrize(
    "line",
    [
        b"+CIPRXGET: 1",  # the answer to the mode query
        b"+CIPRXGET: 4,3,120",  # the answer to =4
        b"+CIPRXGET: 0,3",
        b"+CIPSEND: 3,5",
        b"+CIPCLOSE: 1,0,0,0,0,0,0,0,0,0",  # the answer to CIPCLOSE?
        b'+CIPOPEN: 0,"TCP","10.0.0.1",80,-1',  # the answer to CIPOPEN?
        b"+IPCLOSE: x,1",
        b"+IPCLOSE: 1",
        b"+IPCLOSE",
        b"+CLIENT: 0,1",
        b"+CREG: x",
        b"+CIPEVENT: SOMETHING ELSE",
        b"+CIPOPEN: " + b"9" * 5000 + b",0",
        b"+UNKNOWN: 1,2",
        b"rdy",
        b"RDY 1",
        b"OKLAHOMA",
        b"",
        b"+",
        b"+: 1",
        b"\xff\xfe",
    ],
)
def test_what_is_no_urc(line: bytes) -> None:
    assert parse_urc(line) is None


@given(line=st.binary(max_size=60))
def test_any_line_is_a_urc_or_none(line: bytes) -> None:
    urc = parse_urc(line)
    assert urc is None or isinstance(urc, Urc)


@given(tag=st.sampled_from([line for line, _ in tagged]), rest=st.binary(max_size=40))
def test_any_values_behind_a_known_tag(tag: bytes, rest: bytes) -> None:
    parse_urc(tag.partition(b":")[0] + b": " + rest)


@pytest.mark.parametrize(
    ("rest", "fields"),
    [
        (b"", [b""]),
        (b"1,2,3", [b"1", b"2", b"3"]),
        (b"1, 2 ,3 ", [b"1", b"2", b"3"]),
        (b"1,,3", [b"1", b"", b"3"]),
        (b'1,"IP","a,b"', [b"1", b"IP", b"a,b"]),
        (b'1,"IP",,"0.0.0.0"', [b"1", b"IP", b"", b"0.0.0.0"]),
        (b'1,"",""', [b"1", b"", b""]),
        (b'"a,b,c",1', [b"a,b,c", b"1"]),
        (b'"unbalanced,1', [b"unbalanced,1"]),
    ],
)
def test_fields(rest: bytes, fields: list[bytes]) -> None:
    assert split_fields(rest) == fields


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"+CIPSEND: 1,2", (b"+CIPSEND", b"1,2")),
        (b"+IPCLOSE 0,1", (b"+IPCLOSE", b"0,1")),
        (b"+cpin:READY", (b"+CPIN", b"READY")),
        (b"plain text", (b"", b"plain text")),
    ],
)
def test_tags(line: bytes, parts: tuple[bytes, bytes]) -> None:
    assert split_tag(line) == parts

"""PROXY protocol headers, against the bytes of HAProxy's specification."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.surfaces.proxying.proxy_protocol import proxy_header

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
FOUR = ("198.51.100.7", 40000)
HERE4 = ("192.0.2.1", 8080)
SIX = ("2001:db8::7", 40000)
HERE6 = ("2001:db8::1", 8080)


def test_version_1() -> None:
    assert (
        proxy_header("v1", FOUR, HERE4) == b"PROXY TCP4 198.51.100.7 192.0.2.1 40000 8080\r\n"
    )
    assert (
        proxy_header("v1", SIX, HERE6) == b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 8080\r\n"
    )


def test_version_2() -> None:
    ports = struct.pack("!HH", 40000, 8080)
    four = bytes((198, 51, 100, 7, 192, 0, 2, 1))
    assert proxy_header("v2", FOUR, HERE4) == SIGNATURE + b"\x21\x11\x00\x0c" + four + ports
    six = ipaddress.ip_address(SIX[0]).packed + ipaddress.ip_address(HERE6[0]).packed
    assert proxy_header("v2", SIX, HERE6) == SIGNATURE + b"\x21\x21\x00\x24" + six + ports


def test_mixed_families_are_written_as_ipv6() -> None:
    words = proxy_header("v1", SIX, HERE4).decode().split(" ")
    assert words[:3] == ["PROXY", "TCP6", "2001:db8::7"]
    assert ipaddress.ip_address(words[3]) == ipaddress.ip_address("::ffff:192.0.2.1")
    mixed = proxy_header("v2", FOUR, HERE6)
    assert mixed[12:16] == b"\x21\x21\x00\x24"
    assert mixed[16:32] == bytes(10) + b"\xff\xff" + bytes((198, 51, 100, 7))


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        (("", 1), HERE4),
        (("nonsense\r\nPROXY", 1), HERE4),
        (FOUR, ("", 8080)),
        (FOUR, ("0.0.0.0/0", 8080)),
        ((FOUR[0], 65536), HERE4),
        ((FOUR[0], -1), HERE4),
    ],
)
def test_what_is_no_address_is_said_to_be_unknown(
    source: tuple[str, int], destination: tuple[str, int]
) -> None:
    assert proxy_header("v1", source, destination) == b"PROXY UNKNOWN\r\n"
    assert proxy_header("v2", source, destination) == SIGNATURE + b"\x20\x00\x00\x00"


def test_a_zone_is_left_out() -> None:
    header = proxy_header("v1", ("fe80::7%eth0", 1), ("fe80::1", 2))
    assert header == b"PROXY TCP6 fe80::7 fe80::1 1 2\r\n"


addresses = st.ip_addresses().map(str)
ports = st.integers(0, 65535)


@given(addresses, ports, addresses, ports)
def test_a_reader_finds_what_was_written(a: str, aport: int, b: str, bport: int) -> None:
    one = proxy_header("v1", (a, aport), (b, bport))
    assert len(one) <= 107  # the specification's bound for a reader's buffer
    words = one.removesuffix(b"\r\n").decode().split(" ")
    assert words[0] == "PROXY"
    assert words[4:] == [str(aport), str(bport)]
    for text, address in zip(words[2:4], (a, b), strict=True):
        found = ipaddress.ip_address(text)
        assert found.version == int(words[1][3])
        assert found.packed.endswith(ipaddress.ip_address(address).packed)
    two = proxy_header("v2", (a, aport), (b, bport))
    assert len(two) == 16 + struct.unpack("!H", two[14:16])[0]
    assert two.endswith(struct.pack("!HH", aport, bport))

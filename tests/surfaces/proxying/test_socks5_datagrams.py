"""The header of SOCKS5 datagrams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.surfaces.proxying.socks5_address import (
    BadDatagram,
    Datagram,
    build_datagram,
    pack_address,
    parse_datagram,
    unpack_address,
)
from tests.surfaces.proxying.driving import assert_safe

HOSTS = ["192.0.2.1", "2001:db8::1", "example.com"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5])
def test_a_datagram_goes_through(host: str, data: bytes) -> None:
    wire = build_datagram(host, 53, data)
    assert wire.startswith(b"\0\0\0")
    assert parse_datagram(wire) == Datagram(host, 53, data)


def test_the_reserved_bytes_mean_nothing() -> None:
    wire = b"\x12\x34\0" + build_datagram("192.0.2.1", 53, b"x")[3:]
    assert parse_datagram(wire) == Datagram("192.0.2.1", 53, b"x")


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (b"", "0 bytes"),
        (b"\0\0\0", "3 bytes"),
        (b"\0\0\x01\x01\xc0\x00\x02\x01\x00\x35x", "fragment 1"),
        (b"\0\0\x80\x01\xc0\x00\x02\x01\x00\x35x", "fragment 128"),
        (b"\0\0\0\x02\xc0\x00\x02\x01\x00\x35x", "address type 2"),
        (b"\0\0\0\x01\xc0\x00\x02\x01\x00", "cut off"),
        (b"\0\0\0\x03", "cut off"),
        (b"\0\0\0\x03\xffabc", "cut off"),
        (b"\0\0\0\x01\xc0\x00\x02\x01\x00\x00x", "port 0"),
    ],
)
def test_what_is_no_datagram_is_dropped_with_a_reason(wire: bytes, says: str) -> None:
    with pytest.raises(BadDatagram, match=says) as caught:
        parse_datagram(wire)
    assert not caught.value.unfit


@pytest.mark.parametrize("host", [b"", b'a"\r', b"\xe9", b"x" * 64])
def test_an_unfit_name_is_dropped_and_known_as_such(host: bytes) -> None:
    wire = b"\0\0\0\x03" + bytes((len(host),)) + host + b"\0\x35data"
    with pytest.raises(BadDatagram) as caught:
        parse_datagram(wire)
    assert caught.value.unfit
    assert str(caught.value).isprintable()


@given(st.binary(max_size=300))
def test_any_bytes_are_a_safe_datagram_or_dropped(wire: bytes) -> None:
    for data in (wire, b"\0\0\0" + wire, b"\0\0\0\x03" + wire):
        try:
            datagram = parse_datagram(data)
        except BadDatagram:
            continue
        assert_safe(datagram.host, datagram.port)
        assert data.endswith(datagram.data)


@pytest.mark.parametrize(
    ("host", "port"),
    [("example.com", 65536), ("example.com", -1), ("x" * 256, 1), ("", 1), ("\xe9", 1)],
)
def test_what_cannot_be_written_is_not(host: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"port|name|ascii"):
        pack_address(host, port)


@given(st.sampled_from(HOSTS), st.integers(0, 65535), st.binary(max_size=20))
def test_an_address_knows_its_size(host: str, port: int, rest: bytes) -> None:
    wire = pack_address(host, port)
    address = unpack_address(wire + rest)
    assert address is not None
    assert (address.host(), address.port, address.size) == (host, port, len(wire))
    assert all(unpack_address(wire[:end]) is None for end in range(len(wire)))

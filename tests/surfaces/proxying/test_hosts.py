"""The one door for host names: what passes is harmless, and has one spelling."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modemproxy.surfaces.proxying.hosts import (
    UnfitHost,
    clean_host,
    is_address,
    packed_address,
)
from tests.surfaces.proxying.driving import assert_safe


@pytest.mark.parametrize(
    ("raw", "host"),
    [
        ("example.com", "example.com"),
        ("Example.COM.", "example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("localhost", "localhost"),
        ("a-b.c9", "a-b.c9"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("x" * 63 + "." + "y" * 63, "x" * 63 + "." + "y" * 63),
        ("0xab.example", "0xab.example"),
    ],
)
def test_a_host_has_one_spelling(raw: str, host: str) -> None:
    assert clean_host(raw) == clean_host(raw.encode()) == host
    assert clean_host(host) == host
    assert_safe(host, 443)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        ".",
        "a..b",
        ".a",
        'a"b',
        'a",80\r\nAT+CFUN=0\r\n',
        "a,b",
        "a b",
        "a\0b",
        "a\x1ab",
        "a\rb",
        "a\nb",
        "a\\22b",
        "a%22b",
        "a/b",
        "a@b",
        "a:80",
        "a_b.example",
        "*.example",
        "-a.example",
        "a-.example",
        "b\u00fccher.example",
        "ex\u0430mple.com",
        "example\u3002com",
        "x" * 64 + ".example",
        "x." * 127 + "xx",
        "x" * 257,
        "x" * 100_000,
        "fe80::1%eth0",
        'fe80::1%"\r',
        "[::1]",
        "::1::",
        "1.2.3",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "192.0.2.1.",
        "256.0.0.1",
        "0x7f000001",
        "127.0.0.0x1",
        "0X7F.0X1",
        "10.0.0.0x",
    ],
)
def test_what_could_mean_something_else_is_refused(raw: str) -> None:
    for given_as in (raw, raw.encode()):
        with pytest.raises(UnfitHost) as caught:
            clean_host(given_as)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 700


def test_bytes_of_another_encoding_are_refused() -> None:
    with pytest.raises(UnfitHost, match="xn--"):
        clean_host("b\u00fccher.example".encode("latin-1"))
    with pytest.raises(UnfitHost):
        clean_host("\ud800.example")


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)))
def test_whatever_passes_is_safe_and_stays_as_it_is(raw: bytes | str) -> None:
    try:
        host = clean_host(raw)
    except UnfitHost:
        return
    assert_safe(host, 65535)
    assert clean_host(host) == host


@given(st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)))
def test_packed_addresses_come_out_as_text(packed: bytes) -> None:
    host = packed_address(packed)
    assert is_address(host)
    assert ip_address(packed).packed.endswith(ip_address(host).packed)
    assert_safe(host, 1)


@given(st.binary(max_size=20).filter(lambda data: len(data) not in (4, 16)))
def test_other_lengths_are_no_addresses(packed: bytes) -> None:
    with pytest.raises(ValueError, match="address"):
        packed_address(packed)

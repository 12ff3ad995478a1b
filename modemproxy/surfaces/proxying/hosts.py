"""The one door for host names that clients choose.

A name that passes here goes to the module inside the quotes of an AT command, so it can
hold nothing but letters, digits, dots and hyphens, or be the text of an IP address that
this program wrote itself. It leaves in one spelling only (lower case, no dot at the end,
addresses as ``ipaddress`` writes them), so that rules about destinations cannot be got
round by another spelling of the same host.
"""

import re
from ipaddress import IPv6Address, ip_address
from typing import Final

from modemproxy.config.checks import check_host

#: Resolvers built on inet_aton() take these for IPv4 addresses: 0x7f000001, 10.0.0.0x1.
_HEX_NUMBER: Final = re.compile(r"0x[0-9a-f]*")
#: Longer than any host (a name has at most 254 characters): not even looked at.
_RAW_MAX: Final = 256


class UnfitHost(ValueError):
    """A client named a host that must not reach the module; the text says why."""


def clean_host(raw: bytes | str) -> str:
    """Return a client's host in its one safe spelling.

    Non-ASCII is refused rather than encoded: neither SOCKS nor DNS says which encoding it
    would be in, and IDNA 2003 and 2008 lead some names to different hosts. Clients send
    the ``xn--`` form themselves (RFC 5890).

    Args:
        raw: an IPv4 or IPv6 address (no brackets, no zone) or a domain name.

    Raises:
        UnfitHost: it is neither, or could not be sent to the module as it is.
    """
    if len(raw) > _RAW_MAX:
        raise UnfitHost(f"the host has {len(raw)} characters")
    text = _ascii(raw)
    if problem := check_host(text):
        raise UnfitHost(problem)
    if is_address(text):
        return address_text(text)
    name = text.lower().removesuffix(".")
    if _HEX_NUMBER.fullmatch(name.rpartition(".")[2]):
        raise UnfitHost(f"{name!r} is a number where a name or an address is meant")
    return name


def address_text(text: str) -> str:
    """Return an IP address in its one spelling; IPv4 inside IPv6 is IPv4 (RFC 4291 2.5.5.2).

    Raises:
        ValueError: it is no address.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def is_address(text: str) -> bool:
    """Say whether a text is an IP address, in any spelling."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def packed_address(packed: bytes) -> str:
    """Return the text of 4 or 16 address bytes, in the one spelling.

    Raises:
        ValueError: they are neither 4 nor 16.
    """
    return address_text(str(ip_address(packed)))


def _ascii(raw: bytes | str) -> str:
    data = raw if isinstance(raw, bytes) else raw.encode("utf-8", "backslashreplace")
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise UnfitHost(f"the host name {data!r} is not ASCII (write its xn-- form)") from None

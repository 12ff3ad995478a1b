"""The PROXY protocol's header, versions 1 and 2, as a sender writes it.

From HAProxy's specification "The PROXY protocol, versions 1 & 2", sections 2.1 and 2.2:
the first bytes on the connection to a server, naming the client that is behind it.
"""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Literal

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_TCP4: Final = 0x11
_TCP6: Final = 0x21

Address = IPv4Address | IPv6Address
Pair = tuple[str, int]


def proxy_header(version: Literal["v1", "v2"], source: Pair, destination: Pair) -> bytes:
    """Build the header.

    A pair of mixed families is written as IPv6, the IPv4 one inside ``::ffff:0:0/96``, as
    HAProxy does: the address of a client is not given up because the module has told one
    address of two. If either is no address at all, the header says that nothing is known
    (``UNKNOWN``, ``LOCAL``), and the server takes the addresses of the connection itself.

    Args:
        version: of the protocol.
        source: the far client's address, as text, and its port.
        destination: the module's address and the server's port.
    """
    pair = _addresses(source, destination)
    if version == "v1":
        return _version_1(pair, source[1], destination[1])
    return _version_2(pair, source[1], destination[1])


def _addresses(source: Pair, destination: Pair) -> tuple[Address, Address] | None:
    """Return both addresses in one family, or None when there is nothing to say."""
    if not (_is_port(source[1]) and _is_port(destination[1])):
        return None
    try:
        pair = ip_address(source[0]), ip_address(destination[0])
    except ValueError:
        return None
    if pair[0].version == pair[1].version:
        return pair
    return _mapped(pair[0]), _mapped(pair[1])


def _is_port(port: int) -> bool:
    return 0 <= port <= 65535


def _mapped(address: Address) -> IPv6Address:
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)


def _version_1(pair: tuple[Address, Address] | None, source: int, destination: int) -> bytes:
    if pair is None:
        return b"PROXY UNKNOWN\r\n"
    # A zone would be no part of the address to a server on another machine.
    texts = [str(type(address)(address.packed)) for address in pair]
    family = f"TCP{pair[0].version}"
    return f"PROXY {family} {texts[0]} {texts[1]} {source} {destination}\r\n".encode()


def _version_2(pair: tuple[Address, Address] | None, source: int, destination: int) -> bytes:
    if pair is None:
        return _SIGNATURE + struct.pack("!BBH", _LOCAL, 0, 0)
    addresses = pair[0].packed + pair[1].packed + struct.pack("!HH", source, destination)
    family = _TCP4 if pair[0].version == 4 else _TCP6
    return _SIGNATURE + struct.pack("!BBH", _PROXY, family, len(addresses)) + addresses

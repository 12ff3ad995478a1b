"""ATYP, address and port, as SOCKS5 requests, replies and datagrams carry them.

RFC 1928 section 5: one byte of type, then 4 bytes of IPv4, 16 of IPv6, or a length and
that many bytes of a name; then the port in network order. The header of datagrams
(section 7) is two reserved bytes and the fragment number before it.
"""

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address
from typing import Final

from modemproxy.surfaces.proxying.hosts import UnfitHost, clean_host, packed_address

_PORT_MAX: Final = 65535
_NAME_MAX: Final = 255
_UDP_LEAD: Final = 3


class AddressType(IntEnum):
    """The ATYP field."""

    IPV4 = 1
    NAME = 3
    IPV6 = 4


class UnknownAddressType(ValueError):
    """ATYP is none of the three: where the address ends cannot be known."""


class BadDatagram(ValueError):
    """A client's datagram is to be dropped; the text says why.

    Attributes:
        unfit: it names a host that must not reach the module.
    """

    def __init__(self, reason: str, *, unfit: bool = False) -> None:
        super().__init__(reason)
        self.unfit = unfit


@dataclass(frozen=True, slots=True)
class Address:
    """An address as it came: only ``host()`` makes it fit for use.

    Attributes:
        kind: what ``raw`` is.
        raw: the bytes of the address or name, unchecked.
        port: 0 to 65535.
        size: how many bytes the whole of it has on the wire.
    """

    kind: AddressType
    raw: bytes
    port: int
    size: int

    def host(self) -> str:
        """Return the host in its one safe spelling.

        Raises:
            UnfitHost: the name must not reach the module.
        """
        if self.kind is AddressType.NAME:
            return clean_host(self.raw)
        return packed_address(self.raw)


@dataclass(frozen=True, slots=True)
class Datagram:
    """A datagram of a client's, with where it goes.

    Attributes:
        host: a safe name or address.
        port: 1 to 65535.
        data: the payload.
    """

    host: str
    port: int
    data: bytes


def unpack_address(data: bytes) -> Address | None:
    """Read the address that ``data`` begins with, or None when it is not whole.

    Raises:
        UnknownAddressType: its type is not known.
    """
    if not data:
        return None
    try:
        kind = AddressType(data[0])
    except ValueError:
        raise UnknownAddressType(f"address type {data[0]}") from None
    start, length = _extent(kind, data)
    end = start + length
    if len(data) < end + 2:
        return None
    port = int.from_bytes(data[end : end + 2], "big")
    return Address(kind, data[start:end], port, end + 2)


def _extent(kind: AddressType, data: bytes) -> tuple[int, int]:
    """Say where the address or name begins, and its length."""
    if kind is AddressType.IPV4:
        return 1, 4
    if kind is AddressType.IPV6:
        return 1, 16
    return 2, data[1] if len(data) > 1 else _NAME_MAX


def pack_address(host: str, port: int) -> bytes:
    """Build type, address and port.

    Args:
        host: an address as text, or a name of at most 255 ASCII characters.
        port: 0 to 65535.

    Raises:
        ValueError: it cannot be written.
    """
    if not 0 <= port <= _PORT_MAX:
        raise ValueError(f"port {port}")
    try:
        packed = ip_address(host).packed
    except ValueError:
        packed = host.encode("ascii")
        if not 0 < len(packed) <= _NAME_MAX:
            raise ValueError(f"a name of {len(packed)} bytes") from None
        lead = bytes((AddressType.NAME, len(packed)))
    else:
        lead = bytes((AddressType.IPV4 if len(packed) == 4 else AddressType.IPV6,))
    return lead + packed + port.to_bytes(2, "big")


def parse_datagram(data: bytes) -> Datagram:
    """Take a client's datagram apart (RFC 1928 section 7).

    Raises:
        BadDatagram: it is to be dropped. Fragments are: an implementation that does not
            put them together must drop them.
    """
    if len(data) < _UDP_LEAD + 1:
        raise BadDatagram(f"{len(data)} bytes are no header")
    if data[2]:
        raise BadDatagram(f"fragment {data[2]}")
    try:
        address = unpack_address(data[_UDP_LEAD:])
    except UnknownAddressType as error:
        raise BadDatagram(str(error)) from None
    if address is None:
        raise BadDatagram("the header is cut off")
    if not address.port:
        raise BadDatagram("port 0")
    try:
        host = address.host()
    except UnfitHost as error:
        raise BadDatagram(str(error), unfit=True) from None
    return Datagram(host, address.port, data[_UDP_LEAD + address.size :])


def build_datagram(host: str, port: int, data: bytes) -> bytes:
    """Put the header before a datagram for the client: where it came from.

    Args:
        host: the far side, as the client named it.
        port: its port.
        data: the payload.

    Raises:
        ValueError: the host or port cannot be written.
    """
    return bytes(_UDP_LEAD) + pack_address(host, port) + data

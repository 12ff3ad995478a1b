"""Answers to DNS questions, made here (RFC 1035 section 4, RFC 6891)."""

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address
from typing import Final

from modemproxy.surfaces.proxying.dnswire import (
    EDNS_SIZE,
    FLAG_CHECKING_DISABLED,
    FLAG_DNSSEC_OK,
    FLAG_RECURSION_AVAILABLE,
    FLAG_RECURSION_DESIRED,
    FLAG_RESPONSE,
    FLAG_TRUNCATED,
    OPCODE_MASK,
    TCP_LIMIT,
    Query,
    RecordType,
)

_TTL_MAX: Final = 2**31 - 1
_COPIED_FLAGS: Final = OPCODE_MASK | FLAG_RECURSION_DESIRED | FLAG_CHECKING_DISABLED
#: A pointer to the question's name, which begins right behind the header.
_NAME_POINTER: Final = b"\xc0\x0c"


def build_answer(
    query: Query, addresses: Iterable[str], *, ttl_s: int, limit: int = TCP_LIMIT
) -> bytes:
    """Answer a question for A or AAAA with those addresses that are of its family.

    No address of the family is an empty answer (NODATA), not an error: the name exists.

    Args:
        query: the question.
        addresses: as text, in the order to be given; what is no address is left out.
        ttl_s: how long the client may keep the answer, in seconds.
        limit: bytes the answer may have; what does not fit is left out, and said so.
    """
    ttl_s = min(max(ttl_s, 0), _TTL_MAX)
    records = [
        _NAME_POINTER
        + struct.pack("!HHIH", query.qtype, query.qclass, ttl_s, len(packed))
        + packed
        for packed in _packed(query, addresses)
    ]
    room = limit - len(_message(query, 0, []))
    fitting = max(0, room // len(records[0])) if records else 0
    flags = FLAG_TRUNCATED if fitting < len(records) else 0
    return _message(query, 0, records[:fitting], flags)


def build_error(query: Query, rcode: int) -> bytes:
    """Answer a question with a response code and no record.

    A negative answer has no SOA record, which nobody here knows: clients that follow
    RFC 2308 section 5 do not keep it, and ask again.

    Args:
        query: the question, or what of it could be read.
        rcode: a code of ``Rcode``; above 15 it is said only to a client that has EDNS.
    """
    return _message(query, rcode, [])


def build_truncated(query: Query) -> bytes:
    """Ask the client to come again over TCP (RFC 2181 section 9)."""
    return _message(query, 0, [], FLAG_TRUNCATED)


def _packed(query: Query, addresses: Iterable[str]) -> Iterable[bytes]:
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError:
            continue
        family = RecordType.A if isinstance(address, IPv4Address) else RecordType.AAAA
        if family == query.qtype:
            yield address.packed


def _message(query: Query, rcode: int, records: list[bytes], extra_flags: int = 0) -> bytes:
    flags = FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | extra_flags
    flags |= query.flags & _COPIED_FLAGS | rcode & 0x0F
    counts = (bool(query.question), len(records), 0, query.edns is not None)
    header = struct.pack("!HHHHHH", query.id, flags, *counts)
    return b"".join((header, query.question, *records, opt_record(query, rcode)))


def opt_record(query: Query, rcode: int = 0) -> bytes:
    """Build our OPT record for the message to, or about, a client that sent one.

    Without any of its options: they concern it and us alone (RFC 6891 section 6.1.1).
    """
    if query.edns is None:
        return b""
    ttl = rcode >> 4 << 24 | (FLAG_DNSSEC_OK if query.edns.dnssec_ok else 0)
    return b"\0" + struct.pack("!HHIH", RecordType.OPT, EDNS_SIZE, ttl, 0)

"""DNS messages on the wire: reading a client's question (RFC 1035 section 4).

Only what a forwarder needs: one question, and EDNS (RFC 6891). A question has no business
with compression, so a pointer in its name is an error and there is nothing to loop over.
Answers are built in ``dnsanswers.py``.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from modemproxy.surfaces.proxying.hosts import UnfitHost, clean_host, is_address

HEADER_SIZE: Final = 12
#: Without EDNS a client takes this much over UDP (RFC 1035 section 2.3.4) ...
UDP_SIZE: Final = 512
#: ... and with it no more than this is ever sent (the value of DNS flag day 2020).
EDNS_SIZE: Final = 1232
#: More than any question with its options; bounds what a client of TCP makes us keep.
QUERY_MAX: Final = 4096
#: TCP's length field has 16 bits (RFC 1035 section 4.2.2).
TCP_LIMIT: Final = 65535
_NAME_MAX: Final = 255
_LABEL_MAX: Final = 63
_RECORD: Final = struct.Struct("!HHIH")
_HEADER: Final = struct.Struct("!HHHHHH")

FLAG_RESPONSE: Final = 0x8000
FLAG_TRUNCATED: Final = 0x0200
FLAG_RECURSION_DESIRED: Final = 0x0100
FLAG_RECURSION_AVAILABLE: Final = 0x0080
FLAG_AUTHENTIC_DATA: Final = 0x0020
FLAG_CHECKING_DISABLED: Final = 0x0010
OPCODE_MASK: Final = 0x7800
#: The DO bit, in the low half of the OPT record's TTL field (RFC 3225).
FLAG_DNSSEC_OK: Final = 0x8000


class RecordType(IntEnum):
    """The types that are answered here."""

    A = 1
    AAAA = 28
    OPT = 41


class Rcode(IntEnum):
    """Response codes (RFC 1035 section 4.1.1); above 15 they need EDNS."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


#: The class of everything on the Internet.
CLASS_IN: Final = 1


@dataclass(frozen=True, slots=True)
class Edns:
    """What a client's OPT record says.

    Attributes:
        udp_size: the largest answer it takes over UDP, in bytes.
        version: of EDNS; 0 is the only one there is.
        dnssec_ok: the DO bit, to be copied.
    """

    udp_size: int
    version: int
    dnssec_ok: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A client's question.

    Attributes:
        id: to be copied into the answer.
        flags: the header's second word.
        question: name, type and class as they came, the spelling of the name included:
            a client may have put its own entropy into upper and lower case.
        qtype: the type asked for.
        qclass: the class asked for.
        edns: None when the client has none.
    """

    id: int
    flags: int
    question: bytes = b""
    qtype: int = 0
    qclass: int = CLASS_IN
    edns: Edns | None = None

    @property
    def key(self) -> tuple[bytes, int, int]:
        """The same for questions for addresses that have the same answer.

        Not for questions that are passed on: their flags and EDNS matter too.
        """
        return self.question[:-4].lower(), self.qtype, self.qclass

    @property
    def labels(self) -> tuple[bytes, ...]:
        """The labels of the name, in lower case; may hold any byte."""
        return tuple(_labels(self.question.lower()))

    @property
    def shown(self) -> str:
        """The name as a log may show it."""
        name = b".".join(self.labels).decode("ascii", "backslashreplace")
        return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name) or "."

    @property
    def udp_limit(self) -> int:
        """The largest answer over UDP, in bytes."""
        if self.edns is None:
            return UDP_SIZE
        return min(max(self.edns.udp_size, UDP_SIZE), EDNS_SIZE)

    def host(self) -> str:
        """Return the name in the one spelling that is safe for the module.

        Raises:
            UnfitHost: the module cannot be asked about it.
        """
        labels = self.labels
        if any(b"." in label for label in labels):
            raise UnfitHost("a label of the name holds a dot")
        host = clean_host(b".".join(labels))
        if is_address(host):
            raise UnfitHost(f"{host} is an address, not a name")
        return host


class BadQuery(ValueError):
    """A message that is not a question to be answered with records.

    Attributes:
        query: what of it could be read, to answer it with ``rcode``; None: drop it.
        rcode: the error to answer with.
    """

    def __init__(self, reason: str, query: Query | None = None, rcode: int = 0) -> None:
        super().__init__(reason)
        self.query = query
        self.rcode = rcode


def parse_query(data: bytes) -> Query:
    """Read a client's message.

    Raises:
        BadQuery: it is none to be answered with records.
    """
    if len(data) < HEADER_SIZE:
        raise BadQuery(f"{len(data)} bytes are no header")
    ident, flags, questions, *counts = _HEADER.unpack_from(data)
    if flags & FLAG_RESPONSE:
        # Answering an answer is how two servers can be set upon each other.
        raise BadQuery("an answer, not a question")
    bare = Query(ident, flags)
    if flags & OPCODE_MASK:
        raise BadQuery(f"opcode {(flags & OPCODE_MASK) >> 11}", bare, Rcode.NOTIMP)
    if questions != 1 or len(data) > QUERY_MAX:
        reason = f"{questions} questions in {len(data)} bytes"
        raise BadQuery(reason, bare, Rcode.FORMERR)
    try:
        end = _question_end(data)
        qtype, qclass = struct.unpack_from("!HH", data, end - 4)
        question = data[HEADER_SIZE:end]
        edns = _find_edns(data, end, counts)
    except _Malformed as error:
        raise BadQuery(str(error), bare, Rcode.FORMERR) from None
    return _supported(Query(ident, flags, question, qtype, qclass, edns))


def _supported(query: Query) -> Query:
    if query.edns is not None and query.edns.version:
        raise BadQuery(f"EDNS version {query.edns.version}", query, Rcode.BADVERS)
    if query.qclass != CLASS_IN:
        raise BadQuery(f"class {query.qclass}", query, Rcode.REFUSED)
    return query


class _Malformed(ValueError):
    """The message breaks the format."""


def _question_end(data: bytes) -> int:
    end = HEADER_SIZE
    while size := _byte(data, end):
        if size > _LABEL_MAX:
            raise _Malformed("the name is compressed")
        end += 1 + size
        if end - HEADER_SIZE >= _NAME_MAX:
            raise _Malformed("the name is too long")
    end += 1 + 4
    if end > len(data):
        raise _Malformed("the question is cut off")
    return end


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise _Malformed("the message is cut off")
    return data[at]


def _labels(question: bytes) -> list[bytes]:
    labels = []
    at = 0
    while at < len(question) and (size := question[at]):
        labels.append(question[at + 1 : at + 1 + size])
        at += 1 + size
    return labels


def _find_edns(data: bytes, at: int, counts: list[int]) -> Edns | None:
    """Look for the OPT record among the additional ones; the others mean nothing here.

    Counts are a client's claim: the loop ends with the bytes, each record has at least 11.
    """
    found: Edns | None = None
    ordinary = counts[0] + counts[1]
    for number in range(sum(counts)):
        name = at
        at = _skip_name(data, at)
        if at + _RECORD.size > len(data):
            raise _Malformed("a record is cut off")
        rtype, size, ttl, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size + length
        if at > len(data):
            raise _Malformed("a record's data is cut off")
        if rtype != RecordType.OPT:
            continue
        if found is not None or number < ordinary or data[name]:
            raise _Malformed("an OPT record out of place")
        found = Edns(size, ttl >> 16 & 0xFF, bool(ttl & FLAG_DNSSEC_OK))
    return found


def _skip_name(data: bytes, at: int) -> int:
    """Find where a name ends; a pointer ends it, and is not followed."""
    while size := _byte(data, at):
        if size >= 0xC0:
            return at + 2
        if size > _LABEL_MAX:
            raise _Malformed("an unknown kind of label")
        at += 1 + size
    return at + 1

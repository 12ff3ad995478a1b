"""DNS messages that are passed on: to a server, back from it, and over TCP.

Only the question, its flags and the DO bit go to the server, in a message of our own: a
client's other records and options concern it and us alone, and its EDNS size could ask
for an answer that the module's 1500 bytes a datagram cannot hold.
"""

import struct
from typing import Final

from modemproxy.surfaces.proxying.dnsanswers import opt_record
from modemproxy.surfaces.proxying.dnswire import (
    FLAG_AUTHENTIC_DATA,
    FLAG_CHECKING_DISABLED,
    FLAG_RECURSION_DESIRED,
    HEADER_SIZE,
    QUERY_MAX,
    TCP_LIMIT,
    Query,
)

_LENGTH: Final = struct.Struct("!H")
_PASSED_FLAGS: Final = FLAG_RECURSION_DESIRED | FLAG_AUTHENTIC_DATA | FLAG_CHECKING_DISABLED


class TooLong(ValueError):
    """A client of TCP announces more than any question has."""


def question_for_server(query: Query, ident: int) -> bytes:
    """Build the message that asks a server a client's question.

    Args:
        query: the question.
        ident: the identifier to use, 0 to 65535: a random one, as a forger's guess at it
            and at the port are all that protects the answer.
    """
    counts = (1, 0, 0, query.edns is not None)
    flags = query.flags & _PASSED_FLAGS
    header = struct.pack("!HHHHHH", ident, flags, *counts)
    return header + query.question + opt_record(query)


def answers(reply: bytes, query: Query, ident: int) -> bool:
    """Say whether a server's datagram answers a question of ``question_for_server``.

    Args:
        reply: what came from the server's address.
        query: the client's question.
        ident: the identifier it was sent under.
    """
    if len(reply) < HEADER_SIZE or reply[:2] != _LENGTH.pack(ident) or not reply[2] & 0x80:
        return False
    if reply[4:6] == b"\0\0":  # an error may come without the question
        return bool(reply[3] & 0x0F)
    return reply[4:6] == b"\0\1" and reply[HEADER_SIZE:].startswith(query.question)


def reply_for_client(reply: bytes, query: Query) -> bytes:
    """Return a server's answer under the client's identifier; nothing else is changed."""
    return _LENGTH.pack(query.id) + reply[2:]


def frame(message: bytes) -> bytes:
    """Put the length before a message for TCP.

    Raises:
        ValueError: it has more than 65535 bytes.
    """
    if len(message) > TCP_LIMIT:
        raise ValueError(f"a message of {len(message)} bytes")
    return _LENGTH.pack(len(message)) + message


class Messages:
    """Cuts the byte stream of a TCP client into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive_data(self, data: bytes) -> None:
        """Store bytes of the client."""
        self._buffer += data

    def next_message(self) -> bytes | None:
        """Return the next message, or None when more bytes are needed.

        Raises:
            TooLong: it would be longer than any question; the connection is of no use.
        """
        buffer = self._buffer
        if len(buffer) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(buffer)
        if size > QUERY_MAX:
            raise TooLong(f"a message of {size} bytes")
        end = _LENGTH.size + size
        if len(buffer) < end:
            return None
        message = bytes(buffer[_LENGTH.size : end])
        del buffer[:end]
        return message

"""Byte streams that say where each of their bytes belongs.

A stream is a row of blocks. Each has the number of its connection, its direction, its
position and a checksum, and between them bytes that a careless parser takes for the
module's own words. So bytes that are lost, doubled, swapped, or of another connection are
recognised, and named, from what was received alone.

No line in here starts with ``AT``: a module that was told a wrong length runs the rest of a
payload as commands, and no driver on earth can prevent that.
"""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

BLOCK: Final = 64
_HEAD: Final = struct.Struct(">BBII")
_CRC: Final = struct.Struct(">I")
_MARK: Final = 0xA5
_FILL: Final = BLOCK - _HEAD.size - _CRC.size

_WORDS: Final = (
    b"\r\nOK\r\n\r\nERROR\r\n\r\n> \r\n>\r\n+CME ERROR: 3\r\n\x00\x00\x00\x11\x13\x1a\x1b+++"
    b"\r\n\r\n+IPCLOSE: 3,1\r\n\r\n+CIPRXGET: 2,4,5,0\r\nhello\r\nOK\r\n\r\n"
    b"+CIPSEND: 5,1460,1460\r\n\r\n+CIPRXGET: 1,6\r\n0,CONNECT\r\n+CIPERROR: 8\r\n"
    b"xAT+CIPCLOSE=7\r\n\r\nRECV FROM:1\r\n+RECEIVE,8,20:\r\n\r\n*ATREADY 1\r\n~~~\xff\xff\xfe"
) + bytes(range(256))


class Direction(IntEnum):
    """Which way a stream goes."""

    UP = 1
    DOWN = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block belongs."""

    connection: int
    direction: int
    offset: int


def _fillings() -> list[bytes]:
    doubled = _WORDS + _WORDS
    return [doubled[start : start + _FILL] for start in range(0, len(_WORDS), 7)]


_FILLINGS: Final = _fillings()


def _block(connection: int, direction: int, index: int) -> bytes:
    filling = _FILLINGS[(connection * 31 + direction * 17 + index * 5) % len(_FILLINGS)]
    body = _HEAD.pack(_MARK, direction, connection, index) + filling
    return body + _CRC.pack(zlib.crc32(body))


@lru_cache(maxsize=16)
def _whole(connection: int, direction: int, size: int) -> bytes:
    return b"".join(_block(connection, direction, i) for i in range(-(-size // BLOCK)))


def stream(connection: int, direction: Direction, size: int) -> bytes:
    """Return the first ``size`` bytes of a stream."""
    rounded = 1 << max(10, (size - 1).bit_length()) if size else 0
    return _whole(connection, int(direction), rounded)[:size]


def forget_streams() -> None:
    """Give back what is kept of streams that were asked for: it may be many megabytes."""
    _whole.cache_clear()


def place_of(data: bytes) -> Place | None:
    """Say where a whole block belongs; None if it is not one."""
    if len(data) < BLOCK or data[0] != _MARK:
        return None
    body, checksum = data[: BLOCK - _CRC.size], data[BLOCK - _CRC.size : BLOCK]
    if _CRC.pack(zlib.crc32(body)) != checksum:
        return None
    _, direction, connection, index = _HEAD.unpack_from(data)
    return Place(connection, direction, index * BLOCK)


def find_block(data: bytes, start: int = 0) -> tuple[int, Place] | None:
    """Find the first whole block at or after ``start``: where it stands, and belongs."""
    while (start := data.find(bytes([_MARK]), start)) >= 0:
        place = place_of(data[start : start + BLOCK])
        if place is not None:
            return start, place
        start += 1
    return None

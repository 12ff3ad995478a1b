"""The bytes that are carried: a known stream, so that every received byte is compared."""

import random
from typing import Final

PERIOD: Final = 4093  # a prime: a lost, doubled or shifted chunk cannot look right
_PATTERN: Final = random.Random(7).randbytes(PERIOD)
_LONG: Final = _PATTERN * (131072 // PERIOD + 2)


def stretch(position: int, count: int) -> bytes:
    """Return ``count`` bytes (at most 131072) of the stream from ``position`` on."""
    start = position % PERIOD
    return _LONG[start : start + count]


class Checker:
    """Compares a stream with what was sent.

    Attributes:
        position: how many bytes came.
        wrong: chunks that differed.
    """

    def __init__(self) -> None:
        self.position = 0
        self.wrong = 0

    def feed(self, data: bytes | bytearray) -> None:
        """Compare the next bytes."""
        if data != stretch(self.position, len(data)):
            self.wrong += 1
        self.position += len(data)

"""Data entry: the module has said ``>`` and takes bytes (manual 15.2.6, CIPSEND).

Fixed length: exactly n raw bytes, nothing is special. Changeable length: until 0x1A, given
up by 0x1B, and 0x03 makes the next byte ordinary.
"""

import re
from collections.abc import Callable
from typing import Final

from modemproxy.emulator.timers import Timer

#: Given the payload, or None when the DTE gave up with ESC.
Done = Callable[[bytes | None], None]

_MARK: Final = re.compile(rb"[\x1a\x1b\x03]")


class Entry:
    """One data entry under way.

    Args:
        size: how many bytes; None for the changeable form.
        done: called by the core when it is complete.

    Attributes:
        data: what came so far.
        complete: whether that is all.
        aborted: whether ESC ended it.
        timer: ends an entry that never completes.
    """

    def __init__(self, size: int | None, done: Done, timer: Timer) -> None:
        self._size = size
        self._quoted = False
        self.done = done
        self.timer = timer
        self.data = bytearray()
        self.complete = False
        self.aborted = False

    def feed(self, data: bytes | bytearray) -> int:
        """Take bytes; return how many of them belonged to this entry."""
        return self._feed_free(data) if self._size is None else self._feed_fixed(data)

    def _feed_fixed(self, data: bytes | bytearray) -> int:
        assert self._size is not None
        taken = data[: self._size - len(self.data)]
        self.data += taken
        self.complete = len(self.data) >= self._size
        return len(taken)

    def _feed_free(self, data: bytes | bytearray) -> int:
        position = 0
        while position < len(data) and not self.complete:
            if self._quoted:
                self.data += data[position : position + 1]
                self._quoted, position = False, position + 1
                continue
            match = _MARK.search(data, position)
            end = match.start() if match else len(data)
            self.data += data[position:end]
            position = end + (match is not None)
            if match:
                self._mark(match[0])
        return position

    def _mark(self, mark: bytes) -> None:
        self._quoted = mark == b"\x03"
        self.complete = not self._quoted
        self.aborted = mark == b"\x1b"

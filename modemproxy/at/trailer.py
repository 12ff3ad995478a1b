"""What stands between the payload of a read and its OK: whether the payload is whole.

A payload that lost bytes on the line eats what follows it, and a header whose count lost a
digit leaves payload to be read as text. Either shows here:

* the two documented trailers differ by one CR LF; a session has one of them, learned from
  its first read;
* lines of the module's own that land here add two CR LF each: one before, one behind. The
  payload's text has none before its first line, and seldom two for each of the others;
* no prompt is ever here, nor text without a tag.
"""

from typing import Final

_TRAILERS: Final = (b"\r\n", b"\r\n\r\n")
#: So many reads in a row that do not fit mean that the one learned from was damaged.
_MISFITS: Final = 5
#: So often two bytes that may be half of a trailer are not believed.
_DISBELIEF: Final = 2


class Trailer:
    """Judges the end of one read after the other.

    Attributes:
        learned: the form of this session, once seen.
        seen: the CR LF since the payload; ``?`` for what can not be there.
    """

    def __init__(self) -> None:
        self.learned: bytes | None = None
        self.seen = b""
        self._lines = 0
        self._misfits = 0

    def begin(self) -> None:
        """A payload has ended."""
        self.seen = b""
        self._lines = 0

    def add_line(self, lead: bytes) -> None:
        """A line that is not the end, behind ``lead`` of CR LF."""
        self.seen += lead or b"?"
        self._lines += 1

    def doubt(self) -> None:
        """Something came that is never here: it may be text of the payload."""
        self.seen += b"?"

    def fits(self, lead: bytes, payload: bytes | bytearray | memoryview) -> bool:
        """Judge.

        Args:
            lead: the CR LF before the final OK.
            payload: when it has no bytes, there may be no trailer.
        """
        self.seen += lead
        only_line_ends = self.seen == b"\r\n" * (len(self.seen) // 2)
        if not payload:
            return only_line_ends
        if self.learned is None and payload == b"\r\n" and self._misfits < _DISBELIEF:
            self._misfits += 1  # half of a trailer, its own two lost, would look the same
            return False
        trailer = self.seen[: max(0, len(self.seen) - 4 * self._lines)]
        legal = trailer in _TRAILERS and only_line_ends
        if legal and trailer == (self.learned or trailer):
            self._misfits = 0
            self.learned = trailer
            return True
        self._misfits += 1
        if self._misfits >= _MISFITS:
            self.learned = None
            self._misfits = 0
        return False

r"""Framing: a byte stream from the module becomes lines, prompts and counted payloads.

Strategy. Framing looks at bytes only, never at what was asked, so a reply that arrives
after its time-out still frames right. Three things exist on the wire:

* a line: text ended by LF, or by a CR that no LF follows (an echoed command);
* the prompt: ``>`` where a line would start; it has no line end of its own, and the one
  space that some firmware puts behind it is blank text of the next line;
* a payload: exactly the bytes that a header line announced. ``+CIPRXGET: 2,l,n,rest``
  is the header in buffer access mode; ``+IPD<n>`` and ``+RECEIVE,l,n`` are those of
  direct push, framed so that pushed bytes are never taken for text.

Inside a payload nothing is special. Outside, every token carries ``lead``: the CR and LF
bytes since the token before it. A read whose payload lost bytes on the line shows up as
a wrong lead of what follows, which is how the floor above finds out.

A line ends for sure only when its LF is here: acting on ``OK\r`` would start the next
command inside the module's line end, which some firmware answers with silence.
"""

import re
from dataclasses import dataclass
from typing import Final

from modemproxy.errors import RemoteProtocolError

MAX_LINE_BYTES: Final = 4096
#: No report and no read carries more (manual 15.2.5); a longer count is a damaged header.
MAX_PAYLOAD_BYTES: Final = 1500

_READ_HEADER: Final = re.compile(
    rb"\+CIPRXGET:\s*2\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*$"
)
_PUSH_HEADER: Final = re.compile(rb"\+IPD\s*(\d{1,9}):?$")
_LINK_PUSH_HEADER: Final = re.compile(rb"\+RECEIVE,\s*(\d{1,9})\s*,\s*(\d{1,9}):?$")
_BLANK: Final = b"\r\n \t\0"
_BLANKS: Final = re.compile(rb"[\r\n \t\0]+")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text without its line end; ``lead`` is the CR LF run before it."""

    text: bytes
    lead: bytes = b""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The ``>`` that asks for payload."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Counted bytes and what their header said.

    Attributes:
        data: the payload.
        link: the link number, or None where the header names none (``+IPD``).
        rest: bytes still buffered behind these; None for direct push.
    """

    data: bytes
    link: int | None
    rest: int | None


Token = Line | Prompt | Payload


class Framer:
    """Cut the module's bytes into tokens: feed ``receive_data()``, ask ``next_token()``."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lead = bytearray()
        self._after_payload = False
        self._header: tuple[int | None, int, int | None] | None = None
        self._echo = b""
        #: How many bytes were dropped as an echo, in all.
        self.echoed = 0

    @property
    def missing(self) -> int:
        """How many bytes of an announced payload have not arrived yet."""
        if self._header is None:
            return 0
        return max(0, self._header[1] - len(self._buffer))

    @property
    def buffered(self) -> int:
        """How many bytes are here that no token has taken yet."""
        return len(self._buffer)

    @property
    def rubbish(self) -> int:
        """How long a line has begun that is not text."""
        return 0 if self._echo or self._buffer.isascii() else len(self._buffer)

    @property
    def awaits_echo(self) -> bool:
        """Whether an echo is due; then all that is buffered is its beginning."""
        return bool(self._echo)

    def receive_data(self, data: bytes) -> None:
        """Store bytes from the line."""
        self._buffer += data

    def expect_echo(self, data: bytes) -> None:
        """Drop ``data`` if it comes next: with echo on, what we send comes back.

        What may be its beginning is held until that is known. The first byte that differs
        makes text of all of it.
        """
        self._echo = data

    def _waits_for_echo(self) -> bool:
        """Drop the echo if it is here; say whether it may still come."""
        echo, size = self._echo, len(self._buffer)
        if size < len(echo) and echo.startswith(self._buffer):
            return True
        if self._buffer.startswith(echo):
            del self._buffer[: len(echo)]
            self.echoed += len(echo)
        self._echo = b""
        return False

    def next_token(self) -> Token | None:
        """Return the next token, or None when more bytes are needed.

        Raises:
            RemoteProtocolError: a line longer than any the module writes; what was
                buffered of it is dropped, and framing goes on behind it.
        """
        if self._echo and self._waits_for_echo():
            return None
        if self._header is None:
            token = self._next_text()
            if token is not None or self._header is None:
                return token
        return self._next_payload()

    def reset(self) -> None:
        """Give up a payload or its echo, and drop what came of it: it was never text."""
        if self._header is not None or self._echo:
            self._buffer.clear()
        self._header = None
        self._echo = b""
        self._after_payload = False
        self._lead.clear()

    def _next_payload(self) -> Payload | None:
        assert self._header is not None
        link, size, rest = self._header
        if len(self._buffer) < size:
            return None
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._header = None
        self._after_payload = True
        return Payload(data, link, rest)

    def _next_text(self) -> Line | Prompt | None:
        self._skip_blank()
        buffer = self._buffer
        if not buffer:
            return None
        if buffer[0] == 0x3E:
            del buffer[0]
            self._lead.clear()
            return Prompt()
        end = self._line_end()
        if end < 0:
            return None
        text = bytes(buffer[:end]).rstrip(_BLANK)
        if self._starts_payload(text, end):
            return None
        del buffer[:end]
        return Line(text, self._take_lead())

    def _skip_blank(self) -> None:
        match = _BLANKS.match(self._buffer)
        if match is not None:
            # Right behind a payload a blank is a byte of it that the header did not count.
            drop = b"" if self._after_payload else b" \t\0"
            self._lead += match[0].translate(None, drop)
            del self._lead[:-64]  # a line idling in CRs must not grow us
            end = match.end()
            del match  # it holds on to the buffer, which is about to change
            del self._buffer[:end]

    def _line_end(self) -> int:
        """Where the text of the first line ends, or -1 while that is not known."""
        buffer = self._buffer
        newline = buffer.find(b"\n")
        carriage = buffer.find(b"\r", 0, newline if newline >= 0 else len(buffer))
        end = carriage if carriage >= 0 else newline
        if end > MAX_LINE_BYTES or (end < 0 and len(buffer) > MAX_LINE_BYTES):
            # The same cut wherever the reads fall, so that what follows frames the same.
            del buffer[: MAX_LINE_BYTES + 1]
            raise RemoteProtocolError(f"line of more than {MAX_LINE_BYTES} bytes")
        return -1 if end == len(buffer) - 1 and end == carriage else end

    def _starts_payload(self, text: bytes, end: int) -> bool:
        header = _parse_header(text)
        if header is None:
            return False
        line_end = 2 if self._buffer[end : end + 2] == b"\r\n" else 1
        if self._buffer[end + line_end - 1] != 0x0A:
            return False
        del self._buffer[: end + line_end]
        self._lead.clear()
        self._header = header
        return True

    def _take_lead(self) -> bytes:
        lead = bytes(self._lead)
        self._lead.clear()
        self._after_payload = False
        return lead


def _parse_header(text: bytes) -> tuple[int | None, int, int | None] | None:
    """Return (link, size, rest) if the line announces a payload."""
    if not text.startswith(b"+"):
        return None
    header: tuple[int | None, int, int | None]
    if match := _READ_HEADER.match(text):
        header = int(match[1]), int(match[2]), int(match[3])
    elif match := _LINK_PUSH_HEADER.match(text):
        header = int(match[1]), int(match[2]), None
    elif match := _PUSH_HEADER.match(text):
        header = None, int(match[1]), None
    else:
        return None
    return header if header[1] <= MAX_PAYLOAD_BYTES else None

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

#: A line that announces a payload: of a read, pushed by a link, or pushed by nobody said whom.
_HEADER: Final = re.compile(
    rb"\+(?:"
    rb"CIPRXGET:\s*2\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*"
    rb"|RECEIVE,\s*(\d{1,9})\s*,\s*(\d{1,9}):?"
    rb"|IPD\s*(\d{1,9}):?"
    rb")$"
)
_BLANK: Final = b"\r\n \t\0"
_BLANKS: Final = re.compile(rb"[\r\n \t\0]+")
#: What is blank, and behind it the prompt or a line whose end is here for sure. One match
#: of this is most of what framing costs, and no byte is looked at twice.
_TEXT: Final = re.compile(
    rb"([\r\n \t\0]*+)(?:>|([^>\r\n \t\0][^\r\n]{0,%d}+)(?=\n|\r[\x00-\xff]))"
    % (MAX_LINE_BYTES - 1)
)


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
        self._lead = b""
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
        return self._header[1] - len(self._buffer)

    @property
    def buffered(self) -> int:
        """How many bytes are here that no token has taken yet."""
        return len(self._buffer)

    @property
    def rubbish(self) -> int:
        """How many bytes have come, outside any payload, that are the start of no text."""
        if self._buffer.isascii() or self._echo or self._header is not None:
            return 0
        return len(self._buffer)

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
        self._lead = b""

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
        match = _TEXT.match(self._buffer)
        if match is None:
            self._wait_for_line()
            return None
        blank, text = match.groups()
        end = match.end()
        del match  # it holds on to the buffer, which is about to change
        if text is None:
            del self._buffer[:end]
            self._lead = b""
            return Prompt()
        text = text.rstrip(_BLANK)
        if text[0] == 0x2B and self._starts_payload(text, end):
            return None
        del self._buffer[:end]
        self._note_blank(blank)
        lead, self._lead = self._lead, b""
        self._after_payload = False
        return Line(text, lead)

    def _wait_for_line(self) -> None:
        """No line ends yet: take what is blank before it, and see that it can end at all."""
        buffer = self._buffer
        match = _BLANKS.match(buffer)
        if match is not None:
            blank = match[0]
            del match
            del buffer[: len(blank)]
            self._note_blank(blank)
        if len(buffer) > MAX_LINE_BYTES and b"\r" not in buffer[: MAX_LINE_BYTES + 1]:
            # The same cut wherever the reads fall, so that what follows frames the same.
            del buffer[: MAX_LINE_BYTES + 1]
            raise RemoteProtocolError(f"line of more than {MAX_LINE_BYTES} bytes")

    def _note_blank(self, blank: bytes) -> None:
        if not self._after_payload:
            # Right behind a payload a blank is a byte of it that the header did not count.
            blank = blank.translate(None, b" \t\0")
        self._lead = (self._lead + blank)[-64:]  # a line idling in CRs must not grow us

    def _starts_payload(self, text: bytes, end: int) -> bool:
        """Take a header and its line end (its text ends at ``end``), if it is one."""
        header = _parse_header(text)
        if header is None:
            return False
        line_end = 2 if self._buffer[end] == 0x0D else 1
        if self._buffer[end + line_end - 1] != 0x0A:
            return False
        del self._buffer[: end + line_end]
        self._lead = b""
        self._header = header
        return True


def _parse_header(text: bytes) -> tuple[int | None, int, int | None] | None:
    """Return (link, size, rest) if the line announces a payload."""
    match = _HEADER.match(text)
    if match is None:
        return None
    header: tuple[int | None, int, int | None]
    if match.lastindex == 3:
        header = int(match[1]), int(match[2]), int(match[3])
    elif match.lastindex == 5:
        header = int(match[4]), int(match[5]), None
    else:
        header = None, int(match[6]), None
    return header if header[1] <= MAX_PAYLOAD_BYTES else None

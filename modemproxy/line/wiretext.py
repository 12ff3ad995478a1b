r"""The words of a wire transcript: bytes in a notation, events in a line, secrets in neither.

What a module says is shown where it is the module's own word, and masked to the same
length where it may be somebody's data:

* payload is ``{n}``: n bytes that nobody needs to see;
* a line that means nothing (the rest of a payload whose header was damaged looks like
  that) is a run of ``x``, from 40 on ``{nx}``, unless it has the form of a module's word;
  what such a word has in quotes is masked too: it may be a caller's number;
* whatever stands behind ``CPIN=`` or ``CGAUTH=`` in an echo is ``*``.

A masked line means the same as the real one did: the event that it makes is written from
the masked bytes, and is what a player gets when it sends them.
"""

import re
from typing import Final

from modemproxy.at.dte import Broken, Completed, Echoed, Event, Failed, Stray, Unknown
from modemproxy.at.transfer import ReadReply
from modemproxy.at.urcs import Pushed
from modemproxy.errors import RemoteProtocolError

#: What the framer skips between lines.
BLANK: Final = b"\r\n \t\0"

_WORD: Final = re.compile(rb"[+*^][A-Z]{2,16}(?: ERROR)?(?:[:=?, ][ -~]{0,120})?$")
_WORDS: Final = frozenset(
    b"AT|CONNECT|RING|BUSY|NO CARRIER|NO ANSWER|NO DIALTONE|CALL READY|SMS READY|"
    b"NORMAL POWER DOWN|POWER DOWN|UNDER-VOLTAGE WARNNING|OVER-VOLTAGE WARNNING".split(b"|")
)
_SECRET: Final = re.compile(rb"(.*?C(?:PIN|GAUTH)\s*=)(.*)$", re.DOTALL | re.IGNORECASE)
_QUOTED: Final = re.compile(rb'"[^"]*"?')
_LONG_RUN: Final = re.compile(r"x{40,}")


def escaped(data: bytes, *, also: bytes = b"") -> str:
    """Write bytes as printable ASCII.

    Args:
        data: the bytes.
        also: printable ones to escape as well.
    """
    return "".join(_hex(byte) if byte in also else _ESCAPES[byte] for byte in data)


def said(data: bytes) -> str:
    """Write what the module said, as a ``<`` line where it is one, else as exact bytes."""
    text = data[2:-2]
    plain = data == b"\r\n" + text + b"\r\n" and text and text == text.strip(BLANK)
    if plain and not (b"\r" in text or b"\n" in text or b"x" * 40 in text):
        return "< " + escaped(text)
    return "<| " + _shorten(_guarded(data))


def describe(event: Event | RemoteProtocolError) -> str:
    """Write an event in a line, payload and secrets masked; equal events, equal lines."""
    words = _describe(event)
    if words.isascii() and words.isprintable():
        return words
    return "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in words)


def _describe(event: Event | RemoteProtocolError) -> str:
    if isinstance(event, Completed):
        return f"Completed {event.command.shown}{_reply(event.reply)}"
    if isinstance(event, Failed):
        why, after = event.failure, " after the payload" if event.handed_over else ""
        return f"Failed {event.command.shown}: {why.dialect.value} {why.code} {why.text}{after}"
    if isinstance(event, Broken | RemoteProtocolError):
        return f"Broken {event.problem if isinstance(event, Broken) else event}"
    if isinstance(event, Echoed | Unknown):
        return f"{type(event).__name__} {_shorten(escaped(visible(event.line, event)))}"
    if isinstance(event, Pushed):
        return f"Pushed link {event.link} {{{len(event.data)}}}"
    return f"Stray {event.what}" if isinstance(event, Stray) else repr(event)


def visible(text: bytes, event: object) -> bytes:
    """Return a line as a transcript may show it, at the same length.

    Args:
        text: what the module said.
        event: what it meant; None if the command in flight took it.
    """
    if isinstance(event, Echoed):
        return without_dialled(without_secret(text))
    if isinstance(event, Unknown):
        return _without_data(without_secret(text))
    return without_secret(text)


def without_secret(line: bytes) -> bytes:
    """Mask what stands behind a command that carries a PIN or a password."""
    if b"=" not in line or (match := _SECRET.match(line)) is None:
        return line
    return match[1] + b"*" * len(match[2])


def without_dialled(echo: bytes) -> bytes:
    """Mask the values of an echo that has a string in it; its name may be damaged."""
    if b'"' not in echo:
        return echo
    kept = echo.find(b"=") + 1 or min(3, len(echo))
    return echo[:kept] + b"*" * (len(echo) - kept)


def _without_data(line: bytes) -> bytes:
    """Mask a line that means nothing, unless it has the form of a module's word."""
    if line in _WORDS:
        return line
    if _WORD.match(line):
        return _QUOTED.sub(_without_quoted, line)
    tagged = line[:1] in (b"+", b"*") and line[1:2].isalpha()  # it stays tagged, or not
    return line[:tagged] + b"x" * (len(line) - tagged)


def _without_quoted(match: re.Match[bytes]) -> bytes:
    return re.sub(rb'[^",]', b"x", match[0])  # the fields stay fields


def _reply(reply: object) -> str:
    if reply is None:
        return ""
    if isinstance(reply, ReadReply):
        return f": {{{len(reply.data)}}} rest {reply.rest}"
    return f": {reply!r}"


def _guarded(data: bytes) -> str:
    """Exact bytes: no placeholder by accident, and no blank that gets lost at an end."""
    inner = data.strip(b" ")
    if not inner:
        return "\\x20" * len(data)
    left = len(data) - len(data.lstrip(b" "))
    right = len(data) - len(data.rstrip(b" "))
    return "\\x20" * left + escaped(inner, also=b"{") + "\\x20" * right


def _shorten(text: str) -> str:
    return _LONG_RUN.sub(lambda run: f"{{{len(run[0])}x}}", text)


def _hex(byte: int) -> str:
    return f"\\x{byte:02x}"


def _escape(byte: int) -> str:
    if 0x20 <= byte < 0x7F and byte != 0x5C:
        return chr(byte)
    return {0x0D: "\\r", 0x0A: "\\n", 0x5C: "\\\\"}.get(byte) or _hex(byte)


_ESCAPES: Final = tuple(_escape(byte) for byte in range(256))

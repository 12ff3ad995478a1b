r"""The wire transcript: what crosses the line, in a notation that replays as a test.

``> AT+CIPSEND=3,5`` is a command line (CR added), ``< OK`` a line from the module (CR LF
around it), ``>|`` and ``<|`` exact bytes. Payload is written as ``{n}``, n bytes that
nobody needs to see and that may hold passwords; a player expands it to n bytes.

Logger ``modemproxy.wire``, level DEBUG. When it is off, nothing here is called.
"""

import logging

from modemproxy.at.dte import AnyCommand
from modemproxy.at.framer import Line, Payload, Token

wire = logging.getLogger("modemproxy.wire")


def log_command(command: AnyCommand) -> None:
    """Write a command line, secrets masked to the same length."""
    wire.debug("> %s", command.shown)


def log_payload(size: int) -> None:
    """Write that ``size`` payload bytes were handed over."""
    wire.debug(">| {%d}", size)


def log_token(token: Token) -> None:
    """Write what the module sent."""
    if isinstance(token, Line):
        wire.debug("< %s", _readable(token.text))
    elif isinstance(token, Payload):
        wire.debug("< %s", _header(token))
        wire.debug("<| {%d}", len(token.data))
    else:
        wire.debug("<| \\r\\n>")


def _header(payload: Payload) -> str:
    """The line that announced a payload; without it a player could not frame the bytes."""
    size = len(payload.data)
    if payload.rest is not None:
        return f"+CIPRXGET: 2,{payload.link},{size},{payload.rest}"
    return f"+IPD{size}" if payload.link is None else f"+RECEIVE,{payload.link},{size}:"


def _readable(text: bytes) -> str:
    return text.decode("latin-1").encode("unicode_escape").decode("ascii")

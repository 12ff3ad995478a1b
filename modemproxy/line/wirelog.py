r"""The wire transcript: what crosses the line, in a notation that replays as a test.

::

    > AT+CIPSEND=3,5     a command line (and CR); a secret is ``*``, as many as it has bytes
    >| {5}               payload handed over: 5 bytes that nobody needs to see
    < +CIPSEND: 3,5,5    the module: CR LF, this line, CR LF
    <| \r\n>             the module: exactly these bytes; ``{n}`` is payload, ``{nx}`` n of
                         ``x`` in place of text that may be payload gone astray
    @ 4.9                the line was silent for a little longer than that, in seconds
    ! hangup             the device is gone
    = StrayPrompt()      what the line above it meant; or Opened, GivenUp, Closed: what was
                         done to the dialogue without a byte on the line
    # words              for people

It is complete: ``RecordingDte`` stands where the dialogue is, so nothing goes in or out
without being written, and the bytes are those that came, masked places excepted (how, is
in ``wiretext.py``). Whoever feeds them to a new ``Dte`` gets the same events. What the
module said is written when it is known what it is: a line at its end, a payload with its
last byte or when it is given up.

Logger ``modemproxy.wire``, level DEBUG. Whether it is on is asked when a line is opened and
before every exchange; when it is off, nothing else of this is called.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Final

from modemproxy import __version__
from modemproxy.at.dte import AnyCommand, Dte, Event
from modemproxy.at.framer import Line, Payload, Token
from modemproxy.errors import RemoteProtocolError
from modemproxy.line.wiretext import BLANK, describe, said, visible, without_secret

wire = logging.getLogger("modemproxy.wire")

#: A shorter silence says nothing.
_SILENCE_S: Final = 0.12


def open_dialogue(clock: Callable[[], float]) -> Dte:
    """Return the dialogue of a line just opened, recorded if the transcript is on.

    Args:
        clock: the time in seconds, from anywhere.
    """
    return RecordingDte(clock) if wire.isEnabledFor(logging.DEBUG) else Dte()


def renewed(dte: Dte, clock: Callable[[], float]) -> Dte:
    """Return the dialogue to go on with: another one when the transcript was switched.

    Args:
        dte: the dialogue; in the midst of something it is kept.
        clock: the time in seconds, from anywhere.
    """
    if isinstance(dte, RecordingDte):
        fits = wire.isEnabledFor(logging.DEBUG) and dte.era == RecordingDte.latest_era
    else:
        fits = not wire.isEnabledFor(logging.DEBUG)
    if fits or not dte.at_rest:
        return dte
    other = open_dialogue(clock)
    other.trailer = dte.trailer
    return other


def begin_anew() -> None:
    """Have the next exchange begin a dialogue, for a transcript that begins elsewhere."""
    RecordingDte.latest_era += 1


def note_end(dte: Dte, *, hung_up: bool) -> None:
    """Write that a line ended.

    Args:
        dte: its dialogue.
        hung_up: the device went; otherwise we closed it.
    """
    if isinstance(dte, RecordingDte):
        dte.close(hung_up=hung_up)


def _log(line: str) -> None:
    wire.debug("%s", line)


class RecordingDte(Dte):
    """A dialogue that writes down everything that goes in and out.

    A line that carries a secret back (an echo) is masked before it is understood, so
    that no event carries it either.

    Attributes:
        era: which transcript it belongs to.
        latest_era: which one is written now.
    """

    latest_era = 0

    def __init__(
        self, clock: Callable[[], float], write: Callable[[str], object] = _log
    ) -> None:
        """Args:
        clock: the time in seconds, from anywhere.
        write: takes a line of transcript.
        """
        super().__init__()
        self.era = RecordingDte.latest_era
        self._clock = clock
        self._write = write
        self._active_at = clock()
        #: Heard and not written. The framer has its last ``buffered`` bytes; fewer may be
        #: here, because the end of a line is written with the line.
        self._raw = bytearray()
        self._payload_written = 0
        self._echo_written = 0
        write("= Opened")
        write(f"# {time.strftime('%Y-%m-%d %H:%M:%S')} modemproxy {__version__}")

    def send(self, command: AnyCommand) -> bytes:
        """As ``Dte``; written as ``shown`` has it."""
        line = super().send(command)
        self._before_ours()
        self._write(f"> {command.shown}")
        return line

    def take_payload(self) -> bytes:
        """As ``Dte``; its size is written."""
        payload = super().take_payload()
        self._before_ours()
        self._write(f">| {{{len(payload)}}}")
        return payload

    def abandon(self) -> None:
        """As ``Dte``; what came of a payload is written, as many bytes as it were."""
        self._before_ours()
        self._say_echo_begun()
        self._write("= GivenUp")
        self._payload_written = 0
        super().abandon()

    def receive_data(self, data: bytes) -> None:
        """As ``Dte``; written when it is known what the bytes are."""
        self._note_time(self._flush)
        self._raw += data
        super().receive_data(data)

    def next_event(self) -> Event | None:
        """As ``Dte``; written with the bytes that it was made of."""
        try:
            return super().next_event()
        except RemoteProtocolError as error:
            self._say_echo()
            self._say_line(self._take(self._consumed), lambda text: b"x" * len(text))
            self._write(f"= {describe(error)}")
            raise

    def close(self, *, hung_up: bool) -> None:
        """Write what is left, and the end of the line."""
        self._before_ours()
        self._say_echo_begun()
        if self._raw:  # a line cut short: it means nothing
            self._say_line(self._take(len(self._raw)), lambda text: b"x" * len(text))
        self._write("! hangup" if hung_up else "= Closed")

    def _meaning(self, token: Token) -> Event | None:
        if isinstance(token, Line):
            token = Line(without_secret(token.text), token.lead)
        event = super()._meaning(token)
        self._say_echo()
        span = self._take(self._consumed)
        if isinstance(token, Payload):
            self._say_payload(span, len(token.data))
        elif isinstance(token, Line):
            shown = visible(token.text, event)
            self._say_line(span + self._take_line_end(), lambda _: shown)
        else:
            self._write(said(span))
        if event is not None:
            self._write(f"= {describe(event)}")
        return event

    # -- bytes that were heard ----------------------------------------------------------

    @property
    def _consumed(self) -> int:
        """How much of what is not written is no longer in the framer's buffer."""
        return max(0, len(self._raw) - self._framer.buffered)

    def _take(self, size: int) -> bytes:
        data = bytes(self._raw[:size])
        del self._raw[:size]
        return data

    def _take_line_end(self) -> bytes:
        """The end of the line just read, which the framer still has before it."""
        return self._take(2 if self._raw.startswith(b"\r\n") else 1)

    def _say_line(self, span: bytes, show: Callable[[bytes], bytes]) -> None:
        """Write a line with all that is blank around it, its text as ``show`` makes it."""
        text = span.strip(BLANK)
        start = len(span) - len(span.lstrip(BLANK))
        self._write(said(span[:start] + show(text) + span[start + len(text) :]))

    def _say_payload(self, span: bytes, size: int) -> None:
        """Write a payload (what was not written of it before), and its header if due."""
        left = size - self._payload_written
        header = span[: len(span) - left]
        if header:
            self._write(said(header))
        if left:
            self._write(f"<| {{{left}}}")
        self._payload_written = 0

    def _say_echo(self) -> None:
        """Write the payload that came back, in one piece, as a player needs it."""
        if size := self._framer.echoed - self._echo_written:
            self._echo_written += len(self._take(size))
            self._write(f"<| {{{size}}}")

    def _say_echo_begun(self) -> None:
        if self._framer.awaits_echo and self._raw:
            self._write(f"<| {{{len(self._take(len(self._raw)))}}}")

    def _flush(self) -> None:
        """Write what need not wait: blanks, and what has come of a payload."""
        self._say_echo()
        if self._framer.missing == 0:
            if blanks := self._take(self._consumed):
                self._write(said(blanks))
            return
        if header := self._take(self._consumed):
            self._write(said(header))
        if self._raw:
            self._write(f"<| {{{len(self._raw)}}}")
            self._payload_written += len(self._take(len(self._raw)))

    # -- time ---------------------------------------------------------------------------

    def _before_ours(self) -> None:
        self._flush()
        self._note_time(lambda: None)

    def _note_time(self, before: Callable[[], None]) -> None:
        """Write the silence that ends now, a little short: a player's timers come after."""
        now = self._clock()
        silence, self._active_at = now - self._active_at, now
        if silence >= _SILENCE_S:
            before()
            self._write(f"@ {math.floor(silence * 10 - 0.2) / 10:g}")

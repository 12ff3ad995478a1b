"""The DTE's half of the dialogue, sans-IO: one command in flight, events out.

``send(command)`` returns the bytes to write, ``receive_data()`` stores what the line
brought, ``next_event()`` yields one event or None. Rules:

1. Tokens come from the framer, which knows nothing; meaning is given here. A token
   belongs to the command in flight only if the command takes it; everything else is
   unsolicited, wherever it stands.
2. A command ends with OK, ERROR or +CME ERROR on a line of its own. ``abandon()`` gives
   one up; what it still says later belongs to nobody and satisfies nobody.
3. ``>`` counts only while a prompt is due. OK before it is somebody else's.
4. A read must bring its own header (right link, not more than asked) and a trailer
   (``at/trailer.py``). Anything else means that bytes were lost on the line: ``Broken``.
"""

from dataclasses import dataclass
from typing import Any

from modemproxy.at.commands import Command
from modemproxy.at.framer import Framer, Line, Payload, Token
from modemproxy.at.results import (
    BARE_ERROR,
    Dialect,
    Failure,
    parse_failure_line,
    parse_final,
    tcpip_error_text,
)
from modemproxy.at.trailer import Trailer
from modemproxy.at.transfer import ReadData, ReadReply
from modemproxy.at.urcs import Pushed, Urc, may_be_urc, parse_urc
from modemproxy.errors import LocalProtocolError, RemoteProtocolError

AnyCommand = Command[Any]


@dataclass(frozen=True, slots=True)
class Completed:
    """The command in flight ended with OK; ``reply`` is what its parser made."""

    command: AnyCommand
    reply: object


@dataclass(frozen=True, slots=True)
class Failed:
    """The command in flight ended with an error; ``handed_over``: payload was written."""

    command: AnyCommand
    failure: Failure
    handed_over: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """The command in flight ended, but its answer was damaged on the way."""

    command: AnyCommand
    problem: str


@dataclass(frozen=True, slots=True)
class PromptReady:
    """The module wants the payload now: ``take_payload()``."""


@dataclass(frozen=True, slots=True)
class Echoed:
    """A command line came back: echo is on, so the module forgot its settings."""

    line: bytes


@dataclass(frozen=True, slots=True)
class StrayPrompt:
    """A prompt with no payload due: the module may be in data entry."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A final result code or payload that nobody asked for."""

    what: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A line that means nothing here."""

    line: bytes


Event = Completed | Failed | Broken | PromptReady | Echoed | Stray | StrayPrompt | Unknown | Urc


class Dte:
    """Data Terminal Equipment: pairs the module's lines with the one command in flight."""

    def __init__(self) -> None:
        self._framer = Framer()
        self._command: AnyCommand | None = None
        self._forget()
        self.trailer = Trailer()

    def _forget(self) -> None:
        self._command = None
        self._sent_line = b""
        self._info: list[bytes] = []
        self._failure: Failure | None = None
        self._prompted = False
        self._handed_over = False
        self._echoed = False
        self._payload: Payload | None = None
        self._final_lead = b""

    @property
    def in_flight(self) -> AnyCommand | None:
        """The command that has no final result code yet."""
        return self._command

    @property
    def at_rest(self) -> bool:
        """Nothing is under way in either direction, not even a line."""
        return self._command is None and not self.receiving and not self._framer.buffered

    @property
    def missing(self) -> int:
        """Bytes of an announced payload still to come."""
        return self._framer.missing

    @property
    def receiving(self) -> bool:
        """An answer with a payload has begun and not ended."""
        return self._payload is not None or self._framer.missing > 0

    @property
    def unframed_rubbish(self) -> int:
        """How many bytes have come, outside any payload, that are the start of no text."""
        return self._framer.rubbish

    @property
    def prompted(self) -> bool:
        """The prompt of the command in flight has been seen."""
        return self._prompted

    def send(self, command: AnyCommand) -> bytes:
        """Put a command in flight and return its line; CR only, a LF could become payload.

        Raises:
            LocalProtocolError: another command is still in flight.
        """
        if self._command is not None:
            raise LocalProtocolError(
                f"{command.shown} while {self._command.shown} is in flight"
            )
        self._echoed = False  # all else was forgotten with the command before
        self._command = command
        self._sent_line = b"AT" + command.text.encode("ascii")
        return self._sent_line + b"\r"

    def take_payload(self) -> bytes:
        """Return the payload for the prompt just seen; from here on its outcome counts.

        Raises:
            LocalProtocolError: no prompt is open.
        """
        payload = self._command.payload if self._command is not None else None
        if payload is None or not self._prompted or self._handed_over:
            raise LocalProtocolError("payload without a prompt")
        self._handed_over = True
        if self._echoed:
            self._framer.expect_echo(payload)
        return payload

    def abandon(self) -> None:
        """Give the command in flight up; its late answer will be stray."""
        self._forget()
        self._framer.reset()

    def receive_data(self, data: bytes) -> None:
        """Store bytes from the line."""
        self._framer.receive_data(data)

    def next_event(self) -> Event | None:
        """Return the next event, or None when more bytes are needed.

        Raises:
            RemoteProtocolError: bytes that are no AT dialogue; framing goes on behind them.
        """
        next_token = self._framer.next_token
        while (token := next_token()) is not None:
            event = self._meaning(token)
            if event is not None:
                return event
        return None

    def _meaning(self, token: Token) -> Event | None:
        if isinstance(token, Line):
            return self._read_line(token)
        if isinstance(token, Payload):
            return self._read_payload(token)
        return self._read_prompt()

    def _read_prompt(self) -> Event:
        command = self._command
        if self._payload is not None:
            self.trailer.doubt()
        if command is None or command.payload is None or self._prompted:
            return StrayPrompt()
        self._prompted = True
        return PromptReady()

    def _read_payload(self, payload: Payload) -> Event | None:
        if payload.rest is None:
            return Pushed(payload.link, payload.data)
        command = self._command
        if self._payload is not None:
            self.trailer.doubt()
        if not isinstance(command, ReadData) or self._payload is not None:
            return Stray(f"{len(payload.data)} bytes of link {payload.link}")
        self._payload = payload
        self.trailer.begin()
        return None

    def _read_line(self, line: Line) -> Event | None:
        final = parse_final(line.text)
        if final is not None:
            self._final_lead = line.lead
            return self._end(final)
        if self._payload is not None:
            self.trailer.add_line(line.lead)
        if line.text == self._sent_line or line.text[:3] in (b"AT+", b"ATE"):
            if self._payload is not None:
                self.trailer.doubt()
            self._echoed = True
            return Echoed(line.text)
        return self._read_information(line.text)

    def _read_information(self, text: bytes) -> Event | None:
        command = self._command
        if command is not None:
            if command.takes(text):
                self._info.append(text)
                return None
            if (failure := parse_failure_line(text)) is not None:
                if self._payload is not None:  # it has succeeded
                    self.trailer.doubt()
                self._failure = failure
                return None
        urc = parse_urc(text)
        if urc is None:
            if self._payload is not None and not may_be_urc(text):
                self.trailer.doubt()
            return Unknown(text)
        if command is not None and (err := command.outcome(urc)) is not None:
            self._failure = Failure(Dialect.TAGGED, err, tcpip_error_text(err)) if err else None
        return urc

    def _end(self, final: Failure | bool) -> Event | None:
        command = self._command
        if command is None:
            return Stray("OK" if final is True else "ERROR")
        if final is True and command.payload is not None and not self._handed_over:
            return Stray("OK before the prompt")
        event = self._completed(command) if final is True else self._failed(command, final)
        self._forget()
        return event

    def _failed(self, command: AnyCommand, final: Failure | bool) -> Failed | Broken:
        if self._payload is not None:
            return Broken(command, f"{command.shown}: ERROR behind the payload")
        explained = self._failure if final is BARE_ERROR and self._failure else final
        assert isinstance(explained, Failure)
        return Failed(command, explained, self._handed_over)

    def _completed(self, command: AnyCommand) -> Completed | Broken:
        try:
            if isinstance(command, ReadData):
                return Completed(command, self._read_reply(command))
            return Completed(command, command.parse(self._info))
        except RemoteProtocolError as error:
            return Broken(command, str(error))

    def _read_reply(self, command: ReadData) -> ReadReply:
        payload = self._payload
        if payload is None:
            raise RemoteProtocolError(f"{command.shown}: OK without a header")
        if payload.link != command.link or len(payload.data) > command.size:
            raise RemoteProtocolError(
                f"{command.shown}: got {len(payload.data)} bytes of link {payload.link}"
            )
        if not self.trailer.fits(self._final_lead, payload.data):
            raise RemoteProtocolError(f"{command.shown}: wrong trailer {self.trailer.seen!r}")
        return ReadReply(payload.data, payload.rest or 0)

"""Replay recorded transcripts against the sans-IO core: ``python -m tests.replay FILE...``

A transcript is what ``modemproxy run --record FILE`` writes, or any log at level debug (text,
journal or JSON: the lines of the logger ``wire`` are taken). Commands are put in flight,
what the module said is fed in, at every chop size; the events must be those recorded, in
the ``=`` lines. A transcript without ``=`` lines was written by hand: then only every chop
size must give the same.

The ``=`` lines of a shipped transcript are changed by hand where the meaning of a line was
changed on purpose (a code that was unknown is known now); nothing else is.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from modemproxy.at.dte import Dte
from modemproxy.at.raw import RawCommand
from modemproxy.errors import RemoteProtocolError
from modemproxy.line.wiretext import BLANK, describe
from tests.command_lines import parse_command_line
from tests.strategies import pieces
from tests.transcript import CHOPS, Step, parse

RECORDED = Path(__file__).parent / "transcripts" / "recorded"

_LOG_LINE = re.compile(r"(?![<>@!=#]\|? ).*?\bwire: (.*)")
_ACTS = ("Opened", "GivenUp", "Closed")


class Differs(AssertionError):
    """The replay does not give what was recorded."""


@dataclass(frozen=True)
class Happened:
    """An event, and the line of the transcript that it came with."""

    number: int
    text: str


@dataclass
class Report:
    """What a transcript holds.

    Attributes:
        recorded: the events were in it, and not only what came of every chop size.
    """

    commands: int = 0
    sessions: int = 0
    events: list[str] = field(default_factory=list)
    recorded: bool = False


def said_by(step: Step) -> bytes:
    """What the module says in a step."""
    return bytes(byte for byte in step.data if byte is not None)


class Replay:
    """One pass over a transcript."""

    def __init__(self, steps: list[Step], chop: int) -> None:
        """Args:
        steps: the transcript.
        chop: feed the module's bytes in pieces of this size; 0 is as much as there is.
        """
        self._steps = steps
        self._chop = chop
        self._by_hand = not any(step.kind == "=" for step in steps)
        self._dte = Dte()
        self._unfed = b""
        self._number = 0
        self._last_said = b""
        self.commands = 0
        self.sessions = 0
        self.events: list[Happened] = []

    def run(self) -> None:
        """Replay to the end."""
        for at, step in enumerate(self._steps):
            self._number = step.number
            if step.kind == "<":
                self._last_said = said_by(step)
                self._unfed += self._last_said
            elif step.kind == ">" or step.text.startswith(_ACTS):
                self._feed()
                self._end_line(at)
                self._act(at, step)
        self._feed()

    def _act(self, at: int, step: Step) -> None:
        if step.kind == "=":
            if step.text.startswith("GivenUp"):
                self._dte.abandon()
            elif step.text.startswith("Opened"):
                self._dte = Dte()
                self.sessions += 1
        elif step.text:
            self._send(at, step.text)
        elif len(self._dte.take_payload()) != len(step.data):
            raise Differs(f"line {step.number}: not the payload that was announced")

    def _send(self, at: int, line: str) -> None:
        if self._by_hand and self._dte.in_flight is not None:
            self._dte.abandon()
        typed = self._is_typed(at, line)
        command = RawCommand(line.removeprefix("AT")) if typed else parse_command_line(line)
        self._dte.send(command)
        self.commands += 1

    def _is_typed(self, at: int, line: str) -> bool:
        """An operator typed it: what came of it are lines."""
        ends = (f"Completed {line}: ('", f"Completed {line}: ()")
        later = (step for step in self._steps[at + 1 :] if step.kind in "=>" and step.text)
        for step in later:
            if step.kind == ">" or step.text.startswith(("Completed", "Failed", "Broken")):
                return step.text.startswith(ends)
        return False

    def _feed(self) -> None:
        data, self._unfed = self._unfed, b""
        for piece in pieces(data, self._chop):
            self._hear(piece)

    def _end_line(self, at: int) -> None:
        """Feed the byte that shows that a CR ended the line before this act.

        The recorder wrote the line, so it had that byte, the first of something that was
        written when it was whole: after this act.
        """
        said = self._last_said
        if not said.endswith(b"\r") or not said.strip(BLANK):
            return
        for later in range(at, len(self._steps)):
            step = self._steps[later]
            if step.kind == "<":
                self._steps[later] = replace(step, data=step.data[1:])
                self._last_said = said_by(step)[:1]
                return self._hear(self._last_said)

    def _hear(self, data: bytes) -> None:
        self._dte.receive_data(data)
        while True:
            try:
                event = self._dte.next_event()
            except RemoteProtocolError as error:
                self.events.append(Happened(self._number, describe(error)))
                continue
            if event is None:
                return
            self.events.append(Happened(self._number, describe(event)))


def recorded(steps: list[Step]) -> list[Happened]:
    """The events that were recorded."""
    return [
        Happened(step.number, step.text)
        for step in steps
        if step.kind == "=" and not step.text.startswith(_ACTS)
    ]


def replay(text: str) -> Report:
    """Replay a transcript at every chop size.

    Raises:
        Differs: events differ from those recorded, or between two sizes.
        ValueError: a line is no transcript.
    """
    steps = parse("\n".join(lines_of(text)))
    expected = recorded(steps)
    report = Report(recorded=any(step.kind == "=" for step in steps))
    for chop in CHOPS:
        run = Replay(list(steps), chop)
        run.run()
        if chop == CHOPS[0]:
            expected = expected if report.recorded else run.events
            report.commands, report.sessions = run.commands, run.sessions
            report.events = [event.text for event in expected]
        _compare(expected, run.events, chop)
    return report


def _compare(expected: list[Happened], got: list[Happened], chop: int) -> None:
    nothing = Happened(0, "nothing more")
    for due, event in zip_longest(expected, got, fillvalue=nothing):
        if due.text != event.text:
            raise Differs(
                f"line {due.number or event.number}, read {chop or 'many'} bytes at a time\n"
                f"  recorded  {due.text}\n  replayed  {event.text}"
            )


def lines_of(text: str) -> Iterator[str]:
    """The transcript in a text: all of it, or what a log has of the logger ``wire``."""
    lines = text.splitlines()
    found = [line for line in map(_logged, lines) if line is not None]
    return iter(found or lines)


def _logged(line: str) -> str | None:
    if line.startswith("{"):
        record = json.loads(line)
        return record["message"] if record.get("logger") == "modemproxy.wire" else None
    match = _LOG_LINE.fullmatch(line)
    return match[1] if match else None


def main(files: list[str]) -> int:
    """Replay files, and say what came of each; the exit code is 1 if any differs."""
    bad = 0
    for name in files:
        try:
            report = replay(Path(name).read_text())
        except (Differs, ValueError, OSError) as error:
            bad = 1
            sys.stdout.write(f"{name}: {error}\n")
        else:
            sys.stdout.write(
                f"{name}: {report.sessions} openings, {report.commands} commands, "
                f"{len(report.events)} events: the same at {len(CHOPS)} chop sizes\n"
            )
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

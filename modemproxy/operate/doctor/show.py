"""The examination as a person reads it, line by line as it goes, or as one JSON object."""

import json
import shutil
import textwrap
from typing import Any, Final, Protocol, TextIO

from modemproxy.operate.doctor.finding import Finding, Grade

_WORDS: Final = {
    Grade.OK: "ok",
    Grade.WARNING: "warning",
    Grade.FAILED: "FAILED",
    Grade.SKIPPED: "skipped",
}
_COLOURS: Final = {
    Grade.OK: "\x1b[32m",
    Grade.WARNING: "\x1b[33m",
    Grade.FAILED: "\x1b[1;31m",
    Grade.SKIPPED: "\x1b[2m",
}
_PLAIN: Final = "\x1b[0m"
_BACK: Final = "\r\x1b[K"
_GRADE_WIDTH: Final = 9
_NAME_WIDTH: Final = 15
_INDENT: Final = " " * (_GRADE_WIDTH + _NAME_WIDTH)
_WIDEST: Final = 110
_NARROWEST: Final = 30


class Display(Protocol):
    """Where the steps are shown."""

    def begin(self, name: str) -> None:
        """A step has begun."""

    def end(self, name: str, finding: Finding) -> None:
        """It has ended."""

    def finish(self, verdict: str) -> None:
        """All steps have ended; ``verdict`` sums them up in a line."""


class TextDisplay:
    """A line a step, and below it what to do."""

    def __init__(self, out: TextIO, *, lively: bool, coloured: bool) -> None:
        """Args:
        out: where to.
        lively: a terminal: the step under way is shown too, and long lines are wrapped.
        coloured: it has colours, and the user does not mind.
        """
        self._out = out
        self._lively = lively
        self._coloured = coloured
        self._skipped: dict[str, Finding] = {}

    def begin(self, name: str) -> None:
        """Show the step under way where that can be taken back."""
        if self._lively:
            self._out.write(f"{'...':<{_GRADE_WIDTH}}{name}")
            self._out.flush()

    def end(self, name: str, finding: Finding) -> None:
        """Show the line, and the advice; steps skipped in a row share a line."""
        if finding.grade is Grade.SKIPPED:
            self._skipped[name] = finding
        else:
            self._show_skipped()
            self._show(name, finding)

    def _show_skipped(self) -> None:
        if len(self._skipped) == 1:
            self._show(*self._skipped.popitem())
        elif self._skipped:
            width = self._width(_GRADE_WIDTH)
            lines = self._wrapped(", ".join(self._skipped), width)
            indent = " " * _GRADE_WIDTH
            self._write(self._word(Grade.SKIPPED) + f"\n{indent}".join(lines))
            self._skipped.clear()

    def _show(self, name: str, finding: Finding) -> None:
        width = self._width(len(_INDENT))
        lines = self._wrapped(finding.found, width)
        if finding.advice:
            first, *more = self._wrapped(finding.advice, width - len("-> "))
            lines += [f"-> {first}", *(f"   {line}" for line in more)]
        word = self._word(finding.grade)
        self._write(f"{word}{name:<{_NAME_WIDTH}}" + f"\n{_INDENT}".join(lines))

    def _word(self, grade: Grade) -> str:
        word = f"{_WORDS[grade]:<{_GRADE_WIDTH}}"
        return f"{_COLOURS[grade]}{word}{_PLAIN}" if self._coloured else word

    def _write(self, text: str) -> None:
        self._out.write(f"{_BACK if self._lively else ''}{text}\n")
        self._out.flush()

    def finish(self, verdict: str) -> None:
        """Show it below the steps."""
        self._show_skipped()
        self._out.write(f"\n{verdict}\n")
        self._out.flush()

    def _width(self, indent: int) -> int:
        columns = min(shutil.get_terminal_size().columns, _WIDEST)
        return max(_NARROWEST, columns - indent)

    def _wrapped(self, text: str, width: int) -> list[str]:
        """Cut to the terminal's width; what goes into a file or pipe keeps its lines."""
        if not self._lively:
            return text.split("\n")
        cut = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
        return [piece for line in text.split("\n") for piece in cut.wrap(line)] or [""]


class JsonDisplay:
    """One object at the end: ``{"verdict": ..., "ok": ..., "steps": [...]}``."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._steps: list[dict[str, Any]] = []

    def begin(self, name: str) -> None:
        """Nothing to show yet."""

    def end(self, name: str, finding: Finding) -> None:
        """Keep it."""
        step = {"step": name, "grade": finding.grade.value, "found": finding.found}
        self._steps.append(step | ({"advice": finding.advice} if finding.advice else {}))

    def finish(self, verdict: str) -> None:
        """Write everything."""
        bad = any(step["grade"] == Grade.FAILED.value for step in self._steps)
        whole = {"ok": not bad, "verdict": verdict, "steps": self._steps}
        self._out.write(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
        self._out.flush()

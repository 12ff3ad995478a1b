"""From the text of a file to YAML nodes, and the list of what is wrong with it.

Only the shape of YAML is judged here; config/reader.py gives the nodes a meaning.
"""

import re
from dataclasses import dataclass, field

import yaml

from modemproxy.config.checks import printable


@dataclass(slots=True)
class Report:
    """The mistakes found so far in one file."""

    file: str
    _found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int | None, path: str, what: str) -> None:
        """Note a mistake; ``path`` is empty where it is about the file as a whole."""
        where = self.file if line is None else f"{self.file}:{line}"
        text = ": ".join(part for part in (where, path, what) if part)
        self._found.append((line or 0, "".join(map(printable, text))))

    def __len__(self) -> int:
        return len(self._found)

    @property
    def problems(self) -> list[str]:
        """The mistakes in the order of the file."""
        return [text for _, text in sorted(self._found, key=lambda found: found[0])]


def parse(text: str, report: Report) -> yaml.Node | None:
    """Parse YAML; what is not YAML, or has nothing in it, is reported."""
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        report.add(_mark_line(exc), "", _syntax(exc))
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        report.add(line, "", "holds a control character (write it as \\x… between quotes)")
    except RecursionError:
        report.add(None, "", "not valid YAML: nested too deeply")
    except (ValueError, OverflowError, IndexError):
        # PyYAML converts escapes and %YAML version numbers without checking their range.
        report.add(None, "", "not valid YAML: a number or an escape is out of range")
    else:
        if root is None:
            report.add(1, "", "empty (modemproxy init prints a configuration to start from)")
        return root
    return None


def _mark_line(exc: yaml.MarkedYAMLError) -> int | None:
    mark = exc.problem_mark or exc.context_mark
    return mark.line + 1 if mark else None


def _syntax(exc: yaml.MarkedYAMLError) -> str:
    """Put a syntax error into words, without the words of the file: one may be a secret."""
    problem = exc.problem or "syntax error"
    for sign, words in _SYNTAX.items():
        if sign in problem:
            return words
    # Single characters and <token> names of PyYAML stay; anything longer came from the file.
    return "not valid YAML: " + re.sub(r"(['\"])(?!<)(.{2,})\1", "…", problem)


_SYNTAX = {
    "but found another document": "several documents (one only; remove the --- lines)",
    "undefined alias": "not valid YAML: a value begins with * (put it between quotes)",
    "tag handle": "not valid YAML: a value begins with ! (put it between quotes)",
    "found character '\\t'": "not valid YAML: a tab in the indentation (use spaces)",
    "mapping values are not allowed": (
        "not valid YAML: an unexpected ': ' (wrong indentation, or a text that needs quotes)"
    ),
}

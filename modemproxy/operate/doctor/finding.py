"""What a step of the examination found, and how bad that is."""

from dataclasses import dataclass
from enum import Enum


class Grade(Enum):
    """How a step ended; the value is the word for it in JSON."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of a step.

    Attributes:
        grade: how it ended.
        found: what is so, in plain words; several lines only for several mistakes of a file.
        advice: the next thing to do; empty where there is nothing to do.
    """

    grade: Grade
    found: str
    advice: str = ""


def ok(found: str) -> Finding:
    """All is well."""
    return Finding(Grade.OK, found)


def warning(found: str, advice: str) -> Finding:
    """It works, or may work, and the user should know something."""
    return Finding(Grade.WARNING, found, advice)


def failed(found: str, advice: str) -> Finding:
    """It cannot work like this."""
    return Finding(Grade.FAILED, found, advice)


def skipped(found: str) -> Finding:
    """It could not be looked at."""
    return Finding(Grade.SKIPPED, found)

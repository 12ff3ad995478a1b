"""What a command handler gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of one command.

    Attributes:
        info: information lines, said before the final result code.
        final: ``OK`` lets the rest of the command line run; anything else ends it.
        after: run right after the final result code of the whole line was said.
    """

    info: tuple[str, ...] = ()
    final: str = "OK"
    after: Callable[[], None] | None = None


OK: Final = Reply()
ERROR: Final = Reply(final="ERROR")


def ok(*info: str, after: Callable[[], None] | None = None) -> Reply:
    """Succeed, saying some lines before."""
    return Reply(info, "OK", after)


def error(*info: str) -> Reply:
    """Fail with ``ERROR``, saying some lines before."""
    return Reply(info, "ERROR")

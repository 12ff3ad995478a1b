"""The product's log in a world: how connections ended, what was a bug, and what led to it."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import trio

_KEPT: Final = 60_000


class LogKeeper(logging.Handler):
    """Listens to the product.

    Attributes:
        ends: connection number -> what the proxy logged as its end.
        verbose: keep everything, the dialogue with the module included.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.ends: dict[int, str] = {}
        self.verbose = False
        self._errors: list[str] = []
        self._lines: deque[str] = deque(maxlen=_KEPT)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Listen for as long as the body runs."""
        root, forwards = (
            logging.getLogger("modemproxy"),
            logging.getLogger("modemproxy.access"),
        )
        levels = root.level, forwards.level, root.propagate
        root.setLevel(logging.DEBUG if self.verbose else logging.ERROR)
        forwards.setLevel(logging.INFO)
        root.propagate = False
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)
            root.setLevel(levels[0])
            forwards.setLevel(levels[1])
            root.propagate = levels[2]

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        if record.name == "modemproxy.access":
            self._note_end(getattr(record, "fields", {}))
        if record.levelno >= logging.ERROR and record.exc_info:
            self._errors.append(self.format(record))
        if self.verbose:
            name = record.name.removeprefix("modemproxy.")
            self.say(f"{record.levelname[:1]} {name}: {self.format(record)}")

    def _note_end(self, fields: Mapping[str, Any]) -> None:
        self.ends[int(fields["peer"].rpartition(":")[2])] = fields["end"]

    def say(self, line: str) -> None:
        """Add a line of the world's own."""
        self._lines.append(f"{trio.current_time():9.3f} {line}")

    def take_errors(self) -> list[str]:
        """Return the bugs logged since the last call."""
        errors, self._errors = self._errors, []
        return errors

    def print_last(self, count: int) -> None:
        """Print the end of the log."""
        for line in list(self._lines)[-count:]:
            print(line)  # noqa: T201

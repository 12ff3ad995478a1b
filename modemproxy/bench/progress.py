"""What is being measured now: one line on standard error that rewrites itself."""

import sys
import time
from typing import TextIO

_CLEAR = "\r\x1b[K"


class Progress:
    """Shows the steps of a run; silent where nobody watches.

    Args:
        file: where; only a terminal is written to.
    """

    def __init__(self, file: TextIO = sys.stderr) -> None:
        self._file = file
        self._watched = file.isatty()
        self._since = time.monotonic()

    def step(self, text: str) -> None:
        """Say what begins now."""
        self._write(f"{_CLEAR}{time.monotonic() - self._since:5.0f} s  {text[:100]}")

    def done(self) -> None:
        """Take the line away."""
        self._write(_CLEAR)

    def _write(self, text: str) -> None:
        if self._watched:
            self._file.write(text)
            self._file.flush()

"""The events of all runs, in two files of bounded size: why did it reset at 03:12?

One JSON object a line: ``at`` (seconds since the epoch), ``kind``, ``level``, ``text``. A
full file takes the place of the older one. Nothing is synced: what a crash of the machine
may cost is the last half minute, and a flash card is written no more often than the kernel
writes anything. A line that was cut short, or is no event, is passed over.
"""

import json
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any, Final

from modemproxy.journal import Entry, Journal

log = logging.getLogger(__name__)

_FILE_MAX: Final = 512 << 10
_TEXT_MAX: Final = 1000

Told = dict[str, Any]


class Chronicle:
    """Keeps events across restarts."""

    def __init__(self, stem: Path) -> None:
        """Args: stem: of the files' names; ``.events`` and ``.events.old`` are added."""
        self._file = Path(f"{stem}.events")
        self._old = Path(f"{stem}.events.old")
        self._fd = -1
        self._size = 0
        self._listeners: list[Callable[[Told], None]] = []

    def attach(self, journal: Journal) -> None:
        """Keep what a journal has, and all that it is told from now on.

        Where nothing can be written, that is said once, and only listeners are told.
        """
        try:
            self._open()
        except OSError as error:
            log.warning("events are not kept: %s: %s", self._file, error.strerror)
        for entry in journal:
            self._note(entry)
        journal.listen(self._note)

    def listen(self, listener: Callable[[Told], None]) -> Callable[[], None]:
        """Have ``listener`` called with every event; it must not wait.

        Returns:
            Ends that.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        """Write no more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self, count: int, since: float = -inf) -> list[Told]:
        """Return the last events, the newest last.

        Args:
            count: at most so many.
            since: none before this time, seconds since the epoch.
        """
        if count <= 0:
            return []
        found = (each for each in self._all() if each["at"] >= since)
        return list(deque(found, maxlen=count))

    def _all(self) -> Iterator[Told]:
        for path in (self._old, self._file):
            try:
                data = path.read_bytes()
            except OSError:
                continue
            for line in data.split(b"\n"):
                if (told := parse(line)) is not None:
                    yield told

    def _note(self, entry: Entry) -> None:
        told = told_of(entry)
        line = json.dumps(told).encode() + b"\n"
        try:
            self._append(line)
        except OSError as error:
            log.warning("events are not kept any more: %s: %s", self._file, error.strerror)
            self.close()
        for listener in list(self._listeners):
            listener(told)

    def _append(self, line: bytes) -> None:
        if self._fd < 0:
            return
        if self._size + len(line) > _FILE_MAX:
            self.close()
            self._file.replace(self._old)
            self._open()
        self._size += os.write(self._fd, line)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self._file, flags, 0o600)
        self._size = os.fstat(self._fd).st_size
        if self._size and not self._file.read_bytes().endswith(b"\n"):
            self._size += os.write(self._fd, b"\n")  # the last run was cut short in a line


def told_of(entry: Entry) -> Told:
    """Put an event into what is kept of it."""
    event = entry.event
    return {
        "at": round(entry.at, 3),
        "kind": type(event).__name__,
        "level": logging.getLevelName(event.level).lower(),
        "text": event.text[:_TEXT_MAX],
    }


def parse(line: bytes) -> Told | None:
    """Read a line of a file; None when it is no event."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or type(told.get("at")) not in (int, float):
        return None
    if not all(isinstance(told.get(key), str) for key in ("kind", "level", "text")):
        return None
    return {key: told[key] for key in ("at", "kind", "level", "text")}

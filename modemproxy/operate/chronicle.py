"""The events of all runs, kept in files of bounded size: why did it reset at 03:12?

One JSON object a line: ``at`` (seconds since the epoch), ``kind``, ``level``, ``text``. A
line that was cut short, or is no event, is passed over.

Somebody who knocks at a port ten times a second must not wash away what an operator looks
for a day later. So of one kind of event only so many are kept, and how many are not is
kept instead; the log, and who follows, have all of them.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any, Final

from modemproxy.journal import KEPT, Entry, Journal
from modemproxy.operate.chronicle_files import TurnedFiles

log = logging.getLogger(__name__)

_TEXT_MAX: Final = 1000
#: Events of one kind that are kept in a row, and then one more in so many seconds: about
#: 200 kB a day, so that the files hold the last days even then.
_BURST: Final = 100
_REFILL_S: Final = 60.0
#: From one failure to the next try.
_RETRY_S: Final = 60.0
#: What a calendar has room for in every time zone (the year 9000).
_LATEST: Final = 221_845_392_000

Told = dict[str, Any]


@dataclass(slots=True)
class _Share:
    """Of one kind.

    Attributes:
        left: how many may be kept now.
        at: when that was so.
        passed_over: how many were not kept since this was said.
    """

    left: float
    at: float
    passed_over: int = 0

    def may_pass(self, now: float) -> bool:
        self.left = min(_BURST, self.left + (now - self.at) / _REFILL_S)
        self.at = now
        if self.left < 1:
            self.passed_over += 1
            return False
        self.left -= 1
        return True


class Chronicle:
    """Keeps events across restarts; where it can write nothing, those of this run."""

    def __init__(self, stem: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Args:
        stem: of the files' names; ``.events`` and ``.events.old`` are added.
        clock: seconds that go on evenly.
        """
        self._files = TurnedFiles(stem)
        self._clock = clock
        self._shares: dict[str, _Share] = {}
        self._unwritten: deque[Told] = deque(maxlen=KEPT)
        self._retry_at = inf
        self._complained = False
        self._listeners: list[Callable[[Told], None]] = []

    def attach(self, journal: Journal) -> None:
        """Keep what a journal has, and all that it is told from now on.

        Where nothing can be written, that is said once, and tried again now and then.
        """
        self._open()
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
        for kind in self._shares:
            self._own_up(kind, time.time())
        self._files.close()
        self._retry_at = inf

    def read(self, count: int, since: float = -inf) -> list[Told]:
        """Return the last events, the newest last.

        Args:
            count: at most so many.
            since: none before this time, seconds since the epoch.
        """
        found = (each for each in self.newest_first() if each is not None)
        wanted = (each for each in found if each["at"] >= since)
        return list(islice(wanted, max(0, count)))[::-1]

    def newest_first(self) -> Iterator[Told | None]:
        """Give the events that there are now one by one: for those who must pause.

        None is a line that is no event.
        """
        unwritten, lines = list(reversed(self._unwritten)), self._files.newest_first()
        return (each for some in (unwritten, map(parse, lines)) for each in some)

    def _note(self, entry: Entry) -> None:
        told = told_of(entry)
        kind, now = told["kind"], self._clock()
        if self._shares.setdefault(kind, _Share(_BURST, now)).may_pass(now):
            self._own_up(kind, told["at"])
            self._keep(told)
        for listener in list(self._listeners):
            listener(told)

    def _own_up(self, kind: str, at: float) -> None:
        """Say how many events of a kind were not kept, if any."""
        share = self._shares[kind]
        if share.passed_over:
            words = f"{share.passed_over} more of {kind} until here, too many to keep"
            self._keep(
                {
                    "at": round(at, 3),
                    "kind": "EventsPassedOver",
                    "level": "warning",
                    "text": f"{words} (the log has them)",
                }
            )
            share.passed_over = 0

    def _keep(self, told: Told) -> None:
        if not self._files.is_open and self._clock() >= self._retry_at:
            self._open()
        if self._files.is_open and self._write(told):
            return
        self._unwritten.append(told)

    def _open(self) -> None:
        try:
            self._files.open()
        except OSError as error:
            self._failed(error)
            return
        while self._unwritten and self._write(self._unwritten[0]):
            self._unwritten.popleft()

    def _write(self, told: Told) -> bool:
        try:
            self._files.append(json.dumps(told).encode())
        except OSError as error:
            self._failed(error)
            return False
        self._complained = False
        return True

    def _failed(self, error: OSError) -> None:
        self._retry_at = self._clock() + _RETRY_S
        if not self._complained:
            why = f"{self._files.path}: {error.strerror}"
            log.warning("events are only remembered, not kept across restarts: %s", why)
        self._complained = True


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
    if not 0 <= told["at"] <= _LATEST:  # as what is "not a number" is not, either
        return None
    if not all(isinstance(told.get(key), str) for key in ("kind", "level", "text")):
        return None
    return {key: told[key] for key in ("at", "kind", "level", "text")}

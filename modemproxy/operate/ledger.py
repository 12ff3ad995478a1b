"""How many bytes each listener moved, by day and by month, kept across restarts. Sync.

Days are those of the local clock; a month begins on the provider's billing day. A clock
that is obviously not set (a board without a battery starts in 1970, or when its system was
made) is not believed: what moves meanwhile stands apart, across restarts too, and is booked
when the clock is set. A clock that was wrong for a while, in whichever direction, costs no
more than that what moved then is on another page.
"""

import json
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

log = logging.getLogger(__name__)

#: Nothing of ours ran before.
_FIRST_YEAR: Final = 2025
_DAYS_KEPT: Final = 62
_MONTHS_KEPT: Final = 25

#: By listener: bytes up, bytes down.
Page = dict[str, list[int]]


@dataclass(slots=True)
class Ledger:
    """The books.

    Attributes:
        days, months: pages by the date on which they begin, as text (ISO 8601).
        unbooked: what moved while the clock was not set.
        billing_day: of the month, 1 to 28.
    """

    billing_day: int = 1
    days: dict[str, Page] = field(default_factory=dict)
    months: dict[str, Page] = field(default_factory=dict)
    unbooked: Page = field(default_factory=dict)
    _sound: bool = False  # the newer file is one that can be read

    @staticmethod
    def believes(now: datetime) -> bool:
        """Whether the clock has been set."""
        return now.year >= _FIRST_YEAR

    def day(self, now: datetime) -> str:
        """Name the page of a day."""
        return now.date().isoformat()

    def month(self, now: datetime) -> str:
        """Name the page of a month."""
        return self.month_begins(now.date()).isoformat()

    def month_begins(self, today: date) -> date:
        """Say when the month of a day began."""
        if today.day >= self.billing_day:
            return today.replace(day=self.billing_day)
        return (today.replace(day=1) - timedelta(days=1)).replace(day=self.billing_day)

    def bill_on(self, billing_day: int, now: datetime) -> None:
        """Have months begin on another day; this month's page has what its days have.

        That waits until the clock is set.
        """
        if billing_day == self.billing_day or not self.believes(now):
            return
        self.billing_day = billing_day
        begins = self.month_begins(now.date())
        page: Page = {}
        for day, of_day in self.days.items():
            if self.month_begins(date.fromisoformat(day)) == begins:
                for name, moved in of_day.items():
                    _add(page, name, moved)
        if page:
            known = self.months.setdefault(begins.isoformat(), {})
            for name, moved in page.items():  # the page may be older than the days kept
                ways = zip(known.get(name, moved), moved, strict=True)
                known[name] = [max(both) for both in ways]

    def book(self, now: datetime, name: str, up: int, down: int) -> None:
        """Add bytes of a listener."""
        if not self.believes(now):
            _add(self.unbooked, name, [up, down])
            return
        _add(self.days.setdefault(self.day(now), {}), name, [up, down])
        _add(self.months.setdefault(self.month(now), {}), name, [up, down])
        _trim(self.days, _DAYS_KEPT, now.date())
        _trim(self.months, _MONTHS_KEPT, now.date())

    def settle(self, now: datetime) -> bool:
        """Book what moved while the clock was not set, once it is; whether there was any."""
        if not self.unbooked or not self.believes(now):
            return False
        for name, (up, down) in self.unbooked.items():
            self.book(now, name, up, down)
        self.unbooked = {}
        return True

    def used(self, period: str, now: datetime, name: str | None = None) -> int:
        """Sum up what was moved in the day or month of ``now``.

        While the clock is not set, nobody knows which that is, and only what moved since
        then counts: an earlier month's cap must not keep out the time server's answer.

        Args:
            period: ``day`` or ``month``.
            now: the local time.
            name: of one listener; None for all of them.
        """
        if not self.believes(now):
            page = self.unbooked
        elif period == "day":
            page = self.days.get(self.day(now), {})
        else:
            page = self.months.get(self.month(now), {})
        return sum(sum(moved) for each, moved in page.items() if name in (None, each))

    # -- the files ----------------------------------------------------------------------

    def load(self, path: Path) -> None:
        """Take over what an earlier run kept; a file that makes no sense is passed over.

        Args:
            path: of the file; the one before it, ``.old``, has its turn when this one is
                unreadable, as files can be after a power cut.
        """
        for each in (path, _before(path)):
            kept = _read(each)
            if kept is not None:
                self.days, self.months = _pages(kept.get("days")), _pages(kept.get("months"))
                self.unbooked = _page(kept.get("unbooked"))
                self._sound = each == path
                return

    def save(self, path: Path) -> None:
        """Replace the file in one step, and keep the one before it.

        Raises:
            OSError: it can not be written.
        """
        beside = path.with_name(path.name + ".new")
        kept = {"days": self.days, "months": self.months, "unbooked": self.unbooked}
        descriptor = os.open(
            beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )
        with open(descriptor, "w") as file:
            file.write(json.dumps(kept))
        if self._sound:
            with suppress(OSError):  # a file system without links has only the one file
                _before(path).unlink(missing_ok=True)
                os.link(path, _before(path))
        beside.replace(path)
        self._sound = True


def _before(path: Path) -> Path:
    return path.with_name(path.name + ".old")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        kept = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        log.warning("usage of earlier runs can not be read: %s: %s", path, error)
        return None
    return kept if isinstance(kept, dict) else None


def _add(page: Page, name: str, moved: list[int]) -> None:
    entry = page.setdefault(name, [0, 0])
    entry[0] += moved[0]
    entry[1] += moved[1]


def _trim(pages: dict[str, Page], most: int, today: date) -> None:
    """Drop what is farthest from today: a page of the future is of a clock that was wrong."""
    while len(pages) > most:
        del pages[max(pages, key=lambda day: abs(date.fromisoformat(day) - today))]


def _pages(kept: Any) -> dict[str, Page]:  # noqa: ANN401 (whatever was in the file)
    """Keep what is what it should be."""
    pages: dict[str, Page] = {}
    for key, page in kept.items() if isinstance(kept, dict) else ():
        with suppress(ValueError):
            pages[date.fromisoformat(key).isoformat()] = _page(page)
    return pages


def _page(kept: Any) -> Page:  # noqa: ANN401 (whatever was in the file)
    entries = kept.items() if isinstance(kept, dict) else ()
    return {name: entry for name, entry in entries if _is_entry(entry)}


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 2
        and all(type(count) is int and count >= 0 for count in entry)
    )

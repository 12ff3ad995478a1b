"""How many bytes each listener moved, by day and by month, kept across restarts. Sync.

Days are those of the local clock; a month begins on the provider's billing day. A clock
that is obviously not set (a board without a battery starts in 1970, or where it was
switched off) is not believed: what moves meanwhile is booked when it is set.
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
        billing_day: of the month, 1 to 28.
    """

    billing_day: int = 1
    days: dict[str, Page] = field(default_factory=dict)
    months: dict[str, Page] = field(default_factory=dict)

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

    def book(self, now: datetime, name: str, up: int, down: int) -> None:
        """Add bytes of a listener."""
        for pages, key in ((self.days, self.day(now)), (self.months, self.month(now))):
            entry = pages.setdefault(key, {}).setdefault(name, [0, 0])
            entry[0] += up
            entry[1] += down
        _trim(self.days, _DAYS_KEPT)
        _trim(self.months, _MONTHS_KEPT)

    def used(self, period: str, now: datetime, name: str | None = None) -> int:
        """Sum up what was moved in the day or month of ``now``.

        Args:
            period: ``day`` or ``month``.
            now: the local time.
            name: of one listener; None for all of them.
        """
        pages, key = self.days, self.day(now)
        if period == "month":
            pages, key = self.months, self.month(now)
        page = pages.get(key, {})
        return sum(sum(entry) for each, entry in page.items() if name in (None, each))

    # -- the file -----------------------------------------------------------------------

    def load(self, path: Path) -> None:
        """Take over what an earlier run kept; a file that makes no sense is begun anew."""
        try:
            kept = json.loads(path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            log.warning("usage of earlier runs is lost: %s: %s", path, error)
            return
        kept = kept if isinstance(kept, dict) else {}
        self.days, self.months = _pages(kept.get("days")), _pages(kept.get("months"))

    def save(self, path: Path) -> None:
        """Replace the file in one step.

        Raises:
            OSError: it can not be written.
        """
        beside = path.with_name(path.name + ".new")
        text = json.dumps({"days": self.days, "months": self.months})
        descriptor = os.open(
            beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )
        with open(descriptor, "w") as file:
            file.write(text)
        beside.replace(path)


def _trim(pages: dict[str, Page], most: int) -> None:
    while len(pages) > most:
        del pages[min(pages)]


def _pages(kept: Any) -> dict[str, Page]:  # noqa: ANN401 (whatever was in the file)
    """Keep what is what it should be."""
    pages: dict[str, Page] = {}
    for key, page in kept.items() if isinstance(kept, dict) else ():
        with suppress(ValueError):
            date.fromisoformat(key)
            if isinstance(page, dict):
                pages[key] = {name: entry for name, entry in page.items() if _is_entry(entry)}
    return pages


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 2
        and all(type(count) is int and count >= 0 for count in entry)
    )

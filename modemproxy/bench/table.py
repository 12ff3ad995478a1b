"""Results as tables: for people as text, for programs as JSON.

A row is a dict; a column says which value it shows and how exactly. Nothing is shown more
exactly than it was measured; what was not measured is a dash, and null in JSON.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

Value = str | int | float | None
Row = dict[str, Value]

_DASH = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        key: of the row.
        title: above it, with the unit.
        digits: behind the point.
        words: it holds text.
    """

    key: str
    title: str
    digits: int = 1
    words: bool = False

    def show(self, row: Row) -> str:
        """Return the cell as text."""
        value = clean(row.get(self.key))
        if value is None:
            return _DASH
        return f"{value:.{self.digits}f}" if isinstance(value, float) else str(value)


@dataclass(slots=True)
class Table:
    """What one scenario has found.

    Attributes:
        name: of the scenario.
        title: in words, with the conditions that all rows share.
        bars: keys of the columns that a plot shows, one bar each.
        notes: what a reader should know.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: list[Row] = field(default_factory=list)
    bars: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)

    def label(self, row: Row) -> str:
        """Return what a row is called: its words."""
        return " ".join(column.show(row) for column in self.columns if column.words)

    def as_text(self) -> str:
        """Return the table as aligned lines."""
        head = [column.title for column in self.columns]
        body = [[column.show(row) for column in self.columns] for row in self.rows]
        widths = [max(map(len, cells)) for cells in zip(head, *body, strict=True)]
        lines = [
            self._line(cells, widths) for cells in (head, ["-" * w for w in widths], *body)
        ]
        return "\n".join([f"{self.name}: {self.title}", "", *lines, *self._notes()])

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = [
            cell.ljust(width) if column.words else cell.rjust(width)
            for column, cell, width in zip(self.columns, cells, widths, strict=True)
        ]
        return ("  " + "  ".join(padded)).rstrip()

    def _notes(self) -> list[str]:
        return ["", *(f"  {note}" for note in self.notes)] if self.notes else []

    def as_json(self) -> dict[str, object]:
        """Return the table for ``json.dumps``: columns explained, values unrounded."""
        return {
            "scenario": self.name,
            "title": self.title,
            "columns": {column.key: column.title for column in self.columns},
            "rows": [{key: clean(value) for key, value in row.items()} for row in self.rows],
            "notes": self.notes,
        }


def clean(value: Value) -> Value:
    """Return None for what is no number: JSON has no nan."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def words(key: str, title: str) -> Column:
    """Make a column of text."""
    return Column(key, title, words=True)


def number(value: Value) -> float:
    """Return a cell as a number, nan where it is none."""
    return float(value) if isinstance(value, int | float) else math.nan

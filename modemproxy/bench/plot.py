"""Tables as bar charts, one below the other; matplotlib is needed for this only.

It is no dependency, and type checkers need not have it: hence the import by name.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from modemproxy.bench.table import Table, number

_WIDTH_IN: Final = 11.0
_HEIGHT_IN: Final = 3.4
#: Told apart by readers who do not see all colours (Okabe and Ito).
_COLOURS: Final = ("#999999", "#56b4e9", "#0072b2", "#e69f00", "#d55e00", "#009e73")


def draw(tables: Sequence[Table], file: Path) -> None:
    """Draw every table that has bars into ``file``; its suffix is the format."""
    shown = [table for table in tables if table.bars and table.rows]
    size = (_WIDTH_IN, _HEIGHT_IN * max(1, len(shown)))
    # a Figure of one's own draws without a display, and pyplot would look for one
    figure = importlib.import_module("matplotlib.figure").Figure(size, layout="constrained")
    for place, table in enumerate(shown, 1):
        _draw_one(figure.add_subplot(len(shown), 1, place), table)
    figure.savefig(file)


def _draw_one(axes: Any, table: Table) -> None:  # noqa: ANN401 - matplotlib is optional
    titles = {column.key: column.title for column in table.columns}
    width = 0.8 / len(table.bars)
    for index, key in enumerate(table.bars):
        places = [place + index * width for place in range(len(table.rows))]
        heights = [number(row.get(key)) for row in table.rows]
        axes.bar(places, heights, width, label=titles[key], color=_COLOURS[index])
    middles = [place + 0.4 - width / 2 for place in range(len(table.rows))]
    labels = [table.label(row) for row in table.rows]
    axes.set_xticks(middles, labels, rotation=20, ha="right", fontsize=7)
    axes.set_title(f"{table.name}: {table.title}", fontsize=9, loc="left")
    axes.legend(fontsize=7)
    axes.spines[["top", "right"]].set_visible(False)

"""Words, numbers and tables for a terminal: of what others wrote, only what cannot harm it."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

#: A column of names is never made narrower than this.
_NARROWEST: Final = 6


def clean(text: str) -> str:
    """Leave of a text what takes one column each; the rest becomes ``?``.

    Control characters would be obeyed, marks that combine and wide characters would shift
    what stands beside them.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_plain(char) else "?" for char in text)


def _is_plain(char: str) -> bool:
    wide = unicodedata.east_asian_width(char) in "WF"
    return char.isprintable() and not wide and unicodedata.category(char)[0] != "M"


def elide(text: str, most: int) -> str:
    """Cut a text that is too long in its middle."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def fit(text: str, width: int) -> str:
    """Cut a line at its end."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def span(seconds: float) -> str:
    """Write a time: ``12 s``, ``3 min``, ``5 h``, ``8 d``."""
    for limit, unit, length in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def short_span(seconds: float) -> str:
    """Write a time in four characters: ``0.3s``, ``12s``, ``119m``, ``47h``, ``999d``."""
    if 0 < seconds < 9.95:
        return f"{seconds:.1f}s"
    return span(seconds).replace("min", "m").replace(" ", "")


def size(count: float) -> str:
    """Write a number of bytes: ``512 B``, ``1.5 kB``, ``23 MB``."""
    number, unit = _scaled(count)
    return f"{number} {unit}B"


def short_size(count: float) -> str:
    """Write a number of bytes in four characters: ``512``, ``1.5k``, ``999M``."""
    return "".join(_scaled(count))


def _scaled(count: float) -> tuple[str, str]:
    for unit in ("", "k", "M"):
        if count < 999.5:
            return _digits(count, whole=not unit), unit
        count /= 1000
    return _digits(count, whole=False), "G"


def _digits(count: float, *, whole: bool) -> str:
    return f"{count:.0f}" if whole or count >= 9.95 else f"{count:.1f}"


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, left: Sequence[int]
) -> Iterator[str]:
    """Put cells below each other.

    Args:
        heads: of the columns.
        rows: the cells.
        width: of a line, in characters.
        left: the columns of names, which stand to the left, and lose characters in their
            middle when there are too many; the others are numbers, to the right.
    """
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    while sum(widths) + len(widths) - 1 > width:
        longest = max(left, key=lambda at: widths[at])
        if widths[longest] <= _NARROWEST:
            break
        widths[longest] -= 1
    for row in (heads, *rows):
        cells = [
            elide(cell, room).ljust(room) if at in left else cell.rjust(room)
            for at, (cell, room) in enumerate(zip(row, widths, strict=True))
        ]
        yield fit(" ".join(cells).rstrip(), width)

"""The text format of Prometheus, version 0.0.4, written line by line. Sync, no I/O.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, Literal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["counter", "gauge"]
Labels = Mapping[str, str]
#: A value and what sets it apart from others of its family.
Sample = tuple[Labels, float]

_IN_LABEL: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_IN_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Exposition:
    """Collects families of metrics and writes them down."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def add(self, name: str, kind: Kind, about: str, samples: Iterable[Sample]) -> None:
        """Write a family; one without samples is left out.

        Args:
            name: with unit, and ``_total`` for a counter.
            kind: of the family.
            about: what it is, one sentence.
            samples: labels and value of each; labels differ.
        """
        rows = [f"{name}{_braces(labels)} {_number(value)}\n" for labels, value in samples]
        if rows:
            self._parts.append(_head(name, kind, about))
            self._parts += rows

    def counter(self, name: str, about: str, value: float) -> None:
        """Write a counter without labels."""
        self.add(name, "counter", about, [({}, value)])

    def gauge(self, name: str, about: str, value: float | None) -> None:
        """Write a gauge without labels; None is not known, and is left out."""
        if value is not None:
            self.add(name, "gauge", about, [({}, value)])

    def text(self) -> str:
        """Give the whole."""
        return "".join(self._parts)


@lru_cache(maxsize=128)
def _head(name: str, kind: Kind, about: str) -> str:
    return f"# HELP {name} {about.translate(_IN_HELP)}\n# TYPE {name} {kind}\n"


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = [f'{name}="{_escaped(value)}"' for name, value in labels.items()]
    return f"{{{','.join(pairs)}}}"


def _escaped(value: str) -> str:
    """A lone surrogate, which no UTF-8 can carry, becomes a question mark."""
    if value.isalnum() and value.isascii():
        return value
    return value.translate(_IN_LABEL).encode("utf-8", "replace").decode()


def _number(value: float) -> str:
    """As Go reads it: ``NaN``, ``+Inf``, ``-Inf`` and plain numbers."""
    if isinstance(value, int):
        return str(int(value))
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)

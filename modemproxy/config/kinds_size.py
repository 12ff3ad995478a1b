"""Kinds of values: numbers of bytes."""

import re
from typing import Final

from modemproxy.config.checks import Wrong, show
from modemproxy.config.kinds import Scalar

_UNITS: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MOST: Final = 10**15
_PATTERN: Final = r"[0-9]{1,15}[kMGT]?"


def size() -> Scalar:
    """A number of bytes, with k, M, G or T for thousands, millions and so on."""
    schema = {"type": ["integer", "string"], "minimum": 0, "pattern": f"^{_PATTERN}$"}
    return Scalar("a number of bytes", _size, schema)


def _size(raw: str) -> int:
    if not re.fullmatch(_PATTERN, raw):
        raise Wrong(f"expected a number of bytes, got text {show(raw)} (like 500M or 2G)")
    value = int(raw.rstrip("kMGT")) * _UNITS[raw.lstrip("0123456789")]
    if value > _MOST:
        raise Wrong(f"{raw} is out of range (at most {_MOST} bytes)")
    return value

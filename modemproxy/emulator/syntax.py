"""Command lines taken apart (V.250 5.2, 5.4; AT manual 1.3-1.5).

``parse_line(b"+CMEE=2;E0")`` gives the calls in order. Nothing here knows what a command
means; a line that cannot be a command gives None.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Form(Enum):
    """How a command was put."""

    EXECUTE = ""
    QUERY = "?"
    TEST = "=?"
    SET = "="


@dataclass(frozen=True, slots=True)
class Call:
    """One command of a line.

    Attributes:
        name: upper case, with its prefix: ``+CIPSEND``, ``E``, ``&F``.
        form: how it was put.
        args: the parameters, unquoted and stripped; "" where one was left out.
        raw: everything after the ``=``, as it came.
    """

    name: str
    form: Form = Form.EXECUTE
    args: tuple[str, ...] = ()
    raw: str = ""

    def text(self, index: int) -> str:
        """Return a parameter, "" when it was not given."""
        return self.args[index] if index < len(self.args) else ""

    def number(self, index: int) -> int | None:
        """Return a parameter as a decimal number, None when it is none or not given."""
        text = self.text(index)
        return int(text) if text.isdecimal() and text.isascii() else None


_PIECES: Final = re.compile(r'(?:[^;"]|"[^"]*"?)*')
_FIELDS: Final = re.compile(r'((?:[^,"]|"[^"]*"?)*)(,|$)')
_EXTENDED: Final = re.compile(r"([+*$^][A-Z][A-Z0-9_]*)\s*(\?|=\?|=(.*))?$", re.S | re.I)
_BASIC: Final = re.compile(r"\s*(S\d+(?:=\d*|\?)|[&\\%]?[A-Z])(\d*)", re.I)
_REGISTER: Final = re.compile(r"S\d+", re.I)


def parse_line(body: str) -> list[Call] | None:
    """Take a line (without its AT) apart.

    Args:
        body: what followed the prefix, CR removed.

    Returns:
        The calls in order ([] for a bare AT); None when the line is no command.
    """
    calls: list[Call] = []
    for piece in _split(body):
        parsed = _parse_piece(piece.strip())
        if parsed is None:
            return None
        calls += parsed
    return calls


def _split(body: str) -> list[str]:
    """Cut at ``;`` outside quotes."""
    return [piece for piece in _PIECES.findall(body) if piece.strip()]


def _parse_piece(piece: str) -> list[Call] | None:
    calls: list[Call] = []
    while piece and piece[0] not in "+*$^":
        match = _BASIC.match(piece)
        if match is None:
            return None
        calls.append(_basic(match[1].upper(), match[2]))
        piece = piece[match.end() :].strip()
    if not piece:
        return calls
    match = _EXTENDED.match(piece)
    if match is None:
        return None
    return [*calls, _extended(match[1].upper(), match[2] or "", match[3] or "")]


def _basic(name: str, digits: str) -> Call:
    if _REGISTER.match(name):
        register, _, value = name.partition("=")
        form = Form.QUERY if name.endswith("?") else Form.SET
        return Call("S", form, (register.strip("S?"), value))
    return Call(name, Form.EXECUTE, (digits,) if digits else ())


def _extended(name: str, tail: str, raw: str) -> Call:
    if tail == "?":
        return Call(name, Form.QUERY)
    if tail.rstrip() == "=?":
        return Call(name, Form.TEST)
    if tail.startswith("="):
        return Call(name, Form.SET, _fields(raw), raw)
    return Call(name)


def _fields(raw: str) -> tuple[str, ...]:
    """Cut at commas outside quotes; spaces around a field do not count."""
    fields: list[str] = []
    for match in _FIELDS.finditer(raw):
        fields.append(match[1].strip().removeprefix('"').removesuffix('"'))
        if not match[2]:
            break
    return tuple(fields)

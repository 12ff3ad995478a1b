"""Values of faults: given as plain data (YAML, keyword arguments), checked by type hints.

A class with parameters is a dataclass; a parameter is a field with a comment behind it, which
is what ``--list-faults`` shows. Numbers are 0 or more unless the field says otherwise.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

_COMMENT: Final = re.compile(r"^    (\w+): .*?  # (.*)$", re.M)
_WORDS: Final = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}

Problem = tuple[str, str]
"""Where below the thing itself (``on_command.nth``, or ""), and what is wrong."""


def number(default: Any, *, least: float = 0, most: float | None = None) -> Any:  # noqa: ANN401
    """Declare a number field with bounds other than "0 or more"."""
    return field(default=default, metadata={"least": least, "most": most})


class BadValue(ValueError):
    """A value is not what its parameter takes; ``path`` says where inside it."""

    def __init__(self, what: str, path: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.path = path


def near(name: str, known: "Mapping[str, object]") -> str:
    """Return ``(did you mean X?)``, or the names there are."""
    found = get_close_matches(name, list(known), 1, 0.5)
    return f"(did you mean {found[0]}?)" if found else f"(one of {', '.join(known)})"


def parameters(kind: type) -> dict[str, Field[Any]]:
    """Return the parameters of a dataclass by name."""
    return {item.name: item for item in fields(kind) if item.init} if is_dataclass(kind) else {}


def describe(kind: type) -> Iterator[str]:
    """Give one line per parameter: ``name=default  meaning``."""
    sources = [inspect.getsource(base) for base in reversed(kind.__mro__) if is_dataclass(base)]
    comments = dict(_COMMENT.findall("\n".join(sources)))
    for name, item in parameters(kind).items():
        choices = _choices(get_type_hints(kind)[name])
        shown = f"{name}={_show(default_of(item))}" + (f" ({choices})" if choices else "")
        yield f"{shown}  {comments.get(name, '')}".rstrip()


def default_of(item: Field[Any]) -> object:
    """Return what a parameter is when it is not given."""
    if item.default_factory is not MISSING:
        return item.default_factory()
    return None if item.default is MISSING else item.default


def _show(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "none" if value is None else str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_show, value))}]"
    return str(value)


def _choices(hint: Any) -> str:  # noqa: ANN401 - a type as a value
    if get_origin(hint) is Literal:
        return " | ".join(map(str, get_args(hint)))
    return next(filter(None, map(_choices, get_args(hint))), "")


def problems_of(kind: type, given: Mapping[str, object]) -> list[Problem]:
    """Return every mistake in the parameters of a dataclass."""
    known = parameters(kind)
    problems = [(name, f"unknown {near(name, known)}") for name in given if name not in known]
    hints = get_type_hints(kind)
    for name, value in given.items():
        if name in known:
            try:
                _bounded(known[name], convert(hints[name], value))
            except BadValue as bad:
                problems.append((f"{name}.{bad.path}".rstrip("."), bad.what))
    missing = (n for n, item in known.items() if _needed(item) and n not in given)
    problems += [(name, "missing") for name in missing]
    return problems if problems else _whole(kind, given)


def _needed(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _whole(kind: type, given: Mapping[str, object]) -> list[Problem]:
    try:
        build(kind, given)
    except BadValue as bad:
        return [(bad.path, bad.what)]
    return []


def build(kind: type, given: Mapping[str, object]) -> Any:  # noqa: ANN401 - an instance of kind
    """Make an instance from plain values that were found to be without mistakes."""
    hints = get_type_hints(kind)
    return kind(**{name: convert(hints[name], value) for name, value in given.items()})


def _bounded(item: Field[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    least, most = item.metadata.get("least", 0), item.metadata.get("most")
    if value < least or (most is not None and value > most):
        right = f"{least} or more" if most is None else f"from {least} to {most}"
        raise BadValue(f"{value} is out of range ({right})")


def convert(hint: Any, value: object) -> Any:  # noqa: ANN401 - a type as a value, and its value
    """Turn plain data into what a type hint asks for.

    Raises:
        BadValue: it cannot be.
    """
    origin = get_origin(hint)
    if origin is Literal:
        return _choice(get_args(hint), value)
    if origin in (Union, UnionType):
        return _one_of(get_args(hint), value)
    if origin is tuple:
        return _several(get_args(hint), value)
    if origin is dict:
        return _mapping(value)
    if is_dataclass(hint) and isinstance(hint, type):
        return _nested(hint, value)
    return _plain(hint, value)


def _choice(choices: tuple[Any, ...], value: object) -> object:
    for choice in choices:
        if value == choice and type(value) is type(choice):
            return choice
    known = dict.fromkeys(map(str, choices))
    raise BadValue(f"{value!r} is none of the choices {near(str(value), known)}")


def _one_of(hints: tuple[Any, ...], value: object) -> object:
    if value is None and NoneType in hints:
        return None
    rest = [hint for hint in hints if hint is not NoneType]
    for hint in rest[:-1]:
        try:
            return convert(hint, value)
        except BadValue:
            continue
    return convert(rest[-1], value)


def _several(hints: tuple[Any, ...], value: object) -> tuple[Any, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise BadValue(f"{value!r} is not a list (write [a, b])")
    if hints[-1] is Ellipsis:
        return tuple(convert(hints[0], item) for item in items)
    if len(items) != len(hints):
        raise BadValue(f"{value!r} has not {len(hints)} items")
    return tuple(convert(hint, item) for hint, item in zip(hints, items, strict=True))


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise BadValue(f"{value!r} is no mapping (write name: value)")
    return dict(value)


def _nested(kind: type, value: object) -> object:
    if isinstance(value, kind):
        return value
    given = {next(iter(parameters(kind))): value} if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise BadValue(f"{value!r} is no mapping ({', '.join(parameters(kind))})")
    for path, what in problems_of(kind, given):
        raise BadValue(what, path)
    return build(kind, given)


def _plain(hint: type, value: object) -> object:
    if hint is bytes and isinstance(value, str | bytes):
        return value if isinstance(value, bytes) else value.encode("latin-1", "replace")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint or (hint is float and value != value):
        raise BadValue(f"{value!r} is not {_WORDS.get(hint, hint.__name__)}")
    return value

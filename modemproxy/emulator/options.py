"""Profile fields as text: ``NAME=VALUE`` from a command line, and a list of them for people."""

import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from modemproxy.emulator import profile as profile_module
from modemproxy.emulator.profile import DEFAULT, Profile
from modemproxy.errors import ConfigError

_COMMENT: Final = re.compile(r"^    (\w+): .*?  # (.*)$", re.M)
_FLAGS: Final = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def parse_options(given: Iterable[str]) -> dict[str, Any]:
    """Turn ``NAME=VALUE`` texts into changes of a Profile.

    Raises:
        ConfigError: with one line for every mistake.
    """
    changes: dict[str, Any] = {}
    problems: list[str] = []
    for text in given:
        try:
            name, value = _parse(text)
        except ValueError as exc:
            problems.append(f"--option {text}: {exc}")
        else:
            changes[name] = value
    if problems:
        raise ConfigError(problems)
    return changes


def list_options() -> Iterator[str]:
    """Give one line per option: name, default, meaning, and the choices if there are some."""
    comments = dict(_COMMENT.findall(inspect.getsource(profile_module)))
    kinds = get_type_hints(Profile)
    for field in fields(Profile):
        default = getattr(DEFAULT, field.name)
        choices = get_args(kinds[field.name]) if _is_choice(kinds[field.name]) else ()
        shown = f" ({' | '.join(map(_show, choices))})" if choices else ""
        yield f"{field.name}={_show(default)}  {comments.get(field.name, '')}{shown}".rstrip()


def _is_choice(kind: Any) -> bool:  # noqa: ANN401 - a type as a value
    return get_origin(kind) is Literal


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return ";".join(_show(item) for item in value)
    if isinstance(value, bytes):
        return value.decode("latin-1").encode("unicode_escape").decode()
    if isinstance(value, str):
        return value.encode("unicode_escape").decode()
    return "none" if value is None else str(value).lower()


def _parse(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    kinds = get_type_hints(Profile)
    if not equals:
        raise ValueError("no value (write NAME=VALUE)")
    if name not in kinds:
        near = get_close_matches(name, kinds, 1, 0.5)
        hint = f" (did you mean {near[0]}?)" if near else " (see --list-options)"
        raise ValueError(f"no such option{hint}")
    return name, _convert(kinds[name], value)


def _convert(kind: Any, value: str) -> Any:  # noqa: ANN401 - a type as a value, and its value
    origin = get_origin(kind)
    if origin is Literal:
        return _choice(get_args(kind), value)
    if origin in (Union, type(int | None)):
        inner = next(arg for arg in get_args(kind) if arg is not type(None))
        return None if value.lower() == "none" else _convert(inner, value)
    if origin is tuple:
        return _several(get_args(kind)[0], value)
    if kind is bool:
        return _flag(value)
    return _plain(kind, value)


def _several(kind: Any, value: str) -> tuple[Any, ...]:  # noqa: ANN401
    if get_origin(kind) is tuple:
        pairs = (item.partition(":") for item in value.split(";") if item)
        return tuple((_number(float, delay), line) for delay, _, line in pairs)
    return tuple(item for item in value.split(";") if item)


def _choice(choices: tuple[Any, ...], value: str) -> Any:  # noqa: ANN401
    wanted = _unescape(value)
    for choice in choices:
        if wanted == str(choice):
            return choice
    shown = " | ".join(_show(choice) for choice in choices)
    raise ValueError(f"not one of {shown}")


def _flag(value: str) -> bool:
    if value.lower() not in _FLAGS:
        raise ValueError("not true or false")
    return _FLAGS[value.lower()]


def _plain(kind: Any, value: str) -> Any:  # noqa: ANN401
    if kind in (int, float):
        return _number(kind, value)
    return _unescape(value).encode("latin-1") if kind is bytes else _unescape(value)


def _number(kind: type[int] | type[float], value: str) -> float:
    words = "a whole number" if kind is int else "a number"
    try:
        number = kind(value)
    except ValueError as exc:
        raise ValueError(f"{value!r} is not {words}") from exc
    if not 0 <= number < float("inf"):
        raise ValueError(f"{value!r} is not {words} from 0 up")
    return number


def _unescape(value: str) -> str:
    return value.encode("latin-1", "backslashreplace").decode("unicode_escape")

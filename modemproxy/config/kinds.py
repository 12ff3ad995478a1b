"""The kinds of value that a key of the configuration can have.

A kind reads the raw text of a YAML scalar: the key decides what ``0123`` or ``no`` or
``8080:22`` means, never the YAML type rules. The same object describes itself as JSON
Schema and writes its values back as YAML, so a rule about a value stands in one place.

``Many``, ``Pairs`` and ``Section`` are the kinds with a structure; config/reader.py walks
those.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modemproxy.config.checks import Wrong, check_at_string, show

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A kind read from one piece of text.

    Args:
        noun: what is expected, for messages about a wrong type.
        read: text to value, raising ``Wrong``.
        schema: the JSON Schema of the value.
        secret: no message may repeat the text.
    """

    noun: str
    read: Callable[[str], Any]
    schema: Schema
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Many:
    """A list, of a kind."""

    item: "Scalar | Section"
    least: int = 1
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping, whose keys are the fields of a dataclass."""

    model: type[Any]


@dataclass(frozen=True, slots=True)
class Pairs:
    """A mapping whose keys the user chooses; it becomes pairs in the order of the file.

    Args:
        noun: what is expected, for messages about a wrong type.
        key: the kind of what stands before the colon; never empty.
        value: the kind of what stands behind it.
        example: a pair as YAML text.
    """

    noun: str
    key: Scalar
    value: Scalar
    example: str


Kind = Scalar | Many | Pairs | Section


def text() -> Scalar:
    """Any text on one line."""
    return Scalar("text", _plain, {"type": "string", "minLength": 1})


def _plain(raw: str) -> str:
    if not raw.isprintable():
        raise Wrong(f"{show(raw)} holds a control character (leave it out)")
    return raw


def file_name() -> Scalar:
    """A file, named relative to the folder of the configuration."""
    return Scalar("a file name", _file_name, {"type": "string", "minLength": 1})


def _file_name(raw: str) -> Path:
    return Path(_plain(raw))


def variable() -> Scalar:
    """The name of an environment variable."""
    schema = {"type": "string", "pattern": f"^{_VARIABLE}$"}
    return Scalar("the name of an environment variable", _variable, schema)


_VARIABLE = "[A-Za-z_][A-Za-z0-9_]{0,99}"


def _variable(raw: str) -> str:
    if not re.fullmatch(_VARIABLE, raw):
        right = "letters, digits and _, like APN_PASSWORD; not its value"
        raise Wrong(f"not the name of an environment variable ({right})")
    return raw


def at_string(what: str, *, most: int, secret: bool = False) -> Scalar:
    """Text that will stand in a quoted string of an AT command."""

    def read(raw: str) -> str:
        if problem := check_at_string(raw, what):
            raise Wrong(problem)
        if len(raw) > most:
            raise Wrong(f"{what} has {len(raw)} characters (at most {most})")
        return raw

    # Digits alone are a number to a YAML editor, and text here.
    pattern = r"^[ !#-\[\]-~]+$"
    schema = {"type": ["string", "integer"], "pattern": pattern, "maxLength": most}
    return Scalar("text", read, schema, secret)


def pin() -> Scalar:
    """A SIM's PIN: digits, of which leading zeros count."""
    schema = {"type": ["string", "integer"], "pattern": "^[0-9]{4,8}$"}
    return Scalar("a PIN", _pin, schema, secret=True)


def _pin(raw: str) -> str:
    if not re.fullmatch(r"[0-9]{4,8}", raw):
        raise Wrong('not a PIN (4 to 8 digits, like "1234")')
    return raw


def name() -> Scalar:
    """A name that is safe in logs, metrics and commands."""
    schema = {"type": ["string", "integer"], "pattern": "^[A-Za-z0-9_-]{1,32}$"}
    return Scalar("a name", _name, schema)


def _name(raw: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", raw):
        raise Wrong(f"{show(raw)} is not a name (1 to 32 letters, digits, '-' and '_')")
    return raw


def choice(*words: str) -> Scalar:
    """One of a few words."""

    def read(raw: str) -> str:
        if raw not in words:
            raise Wrong(f"{show(raw)} is not known (expected {_either(words)})")
        return raw

    return Scalar(_either(words), read, {"enum": list(words)})


def number_of(*numbers: int) -> Scalar:
    """One of a few whole numbers."""

    def read(raw: str) -> int:
        value = _whole(raw)
        if value not in numbers:
            raise Wrong(f"{value} is not possible (expected {_either(numbers)})")
        return value

    return Scalar("a whole number", read, {"enum": list(numbers)})


def _either(options: tuple[object, ...]) -> str:
    *most, last = map(str, options)
    return f"{', '.join(most)} or {last}" if most else last


def count(most: int = 1_000_000, *, least: int = 0) -> Scalar:
    """A whole number, from zero if ``least`` is left out."""

    def read(raw: str) -> int:
        value = _whole(raw)
        if not least <= value <= most:
            raise Wrong(f"{value} is out of range ({least} to {most})")
        return value

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Scalar("a whole number", read, schema)


def _whole(raw: str) -> int:
    # 18 digits: more would only make the message longer. No hex, no octal, no underscores.
    if not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", raw):
        raise Wrong(f"expected a whole number, got text {show(raw)}")
    return int(raw)


def seconds(least: float = 0, *, above: bool = False, most: float = 86_400) -> Scalar:
    """A duration.

    Args:
        least: the shortest one.
        above: ``least`` itself is too short.
        most: the longest one.
    """

    def read(raw: str) -> float:
        value = _seconds(raw)
        if value < least or (above and value == least) or value > most:
            low = f"more than {least:g}" if above else f"{least:g}"
            raise Wrong(f"{value:g} seconds is out of range ({low}, to {most:.0f})")
        return value

    low_key = "exclusiveMinimum" if above else "minimum"
    schema = {"type": "number", low_key: least, "maximum": most}
    return Scalar("a number of seconds", read, schema)


def _seconds(raw: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", raw):
        right = "like 30 or 0.5, without a unit"
        raise Wrong(f"expected a number of seconds, got text {show(raw)} ({right})")
    return float(raw)


# RFC 1929 has one byte for the length of each; RFC 7617 ends the name at the first colon.
_LOGIN_MAX = 255
_CONTROL = r"\u0000-\u001f\u007f-\u009f"


def user_name() -> Scalar:
    """The name by which a client of a proxy logs in."""
    return Scalar("a user name", _user_name, _login_schema(f"^[^:{_CONTROL}]+$"))


def _user_name(raw: str) -> str:
    if ":" in raw:
        raise Wrong("a user name holds a colon (leave it out: no HTTP client could log in)")
    return _login(raw, "a user name")


def user_password() -> Scalar:
    """The password that goes with a user name."""
    schema = _login_schema(f"^[^{_CONTROL}]+$")
    return Scalar("a password", _user_password, schema, secret=True)


def _login_schema(pattern: str) -> Schema:
    # Digits alone are a number to a YAML editor, and text here.
    return {"type": ["string", "integer"], "pattern": pattern, "maxLength": _LOGIN_MAX}


def _user_password(raw: str) -> str:
    return _login(raw, "the password")


def _login(raw: str, what: str) -> str:
    """Check half of a login; the text is never repeated: it may be a secret."""
    if not raw:
        raise Wrong(f"{what} is empty (give it one, or leave the pair out)")
    if not raw.isprintable():
        raise Wrong(f"{what} holds a control character (leave it out)")
    if (size := len(raw.encode(errors="surrogatepass"))) > _LOGIN_MAX:
        raise Wrong(f"{what} has {size} bytes (at most {_LOGIN_MAX})")
    return raw

"""What differs between two configurations, in words; secrets are never among them."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

from modemproxy.config.keys import entries

#: What holds secrets, and is never shown.
_SECRET: Final = frozenset({"pin", "password", "users"})
_LONGEST: Final = 60


def differing(old: object, new: object) -> list[str]:
    """Name the fields in which two of one kind differ, in their order."""
    names = (field.name for field in fields(old))  # type: ignore[arg-type]
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def spell_changes(old: Any, new: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401
    """Say of every key that differs what it was and what it is.

    Args:
        old, new: sections of one kind.
        path: what stands before each key.
    """
    keys = {entry.attribute: name for name, entry in entries(type(old)).items()}
    for attribute in differing(old, new):
        name = keys.get(attribute, attribute)
        if attribute in _SECRET:
            yield f"{path}{name} changed"
        else:
            before, after = spell(getattr(old, attribute)), spell(getattr(new, attribute))
            yield f"{path}{name} {before} -> {after}"


def spell(value: object) -> str:
    """Write a value as the file would have it; long lists are cut."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, tuple):
        return str(value)
    text = f"[{', '.join(map(spell, value))}]"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 4] + "...]"


def count(number: int, noun: str = "connection") -> str:
    """Write a number of things."""
    return f"{number} {noun}{'' if number == 1 else 's'}"

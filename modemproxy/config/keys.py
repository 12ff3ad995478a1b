"""How a field of a dataclass becomes a key of the configuration.

The dataclasses of config/model.py are the only list of keys. Each field carries a ``Key``:
the kind of its value and what it does, in words. The reader, the JSON Schema and the
example that ``modemproxy init`` prints are all made by going through ``entries``.
"""

from dataclasses import MISSING, dataclass, fields
from typing import Any

from modemproxy.config.kinds import Kind


@dataclass(frozen=True, slots=True)
class Key:
    """What a field is in the file.

    Args:
        kind: how its value is read.
        about: what it does, one sentence or two in plain words.
        example: what the printed example shows where there is no default, as YAML text.
        derived: the default in words, where it follows from other keys.
        name: the key, where it cannot be the field's name.
    """

    kind: Kind
    about: str
    example: str | None = None
    derived: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A key together with its field."""

    name: str
    attribute: str
    key: Key
    required: bool
    default: Any


def key(kind: Kind, about: str, **more: str) -> dict[str, Key]:
    """Make the metadata of a field."""
    return {"key": Key(kind, about, **more)}


def entries(model: type[Any]) -> dict[str, Entry]:
    """List the keys of a section by name, in the order of the file."""
    found = (_entry(item) for item in fields(model) if "key" in item.metadata)
    return {entry.name: entry for entry in found}


def _entry(item: Any) -> Entry:  # noqa: ANN401 (dataclasses.Field of any type)
    facts: Key = item.metadata["key"]
    optional = item.default is not MISSING or item.default_factory is not MISSING
    return Entry(
        name=facts.name or item.name,
        attribute=item.name,
        key=facts,
        required=not optional and facts.derived is None,
        default=None if item.default is MISSING else item.default,
    )


def all_optional(model: type[Any]) -> bool:
    """Tell whether a section may be left empty."""
    return not any(entry.required for entry in entries(model).values())

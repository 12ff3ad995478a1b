"""The configuration as JSON Schema (draft 2020-12), for editors and other tools.

Made from the same table as the reader. It says what each value may be by itself, and which
keys of a section go together; the rules between sections (equal names, equal listeners, who
must have ``allow``, how many links are kept) are ``check``'s.
"""

from collections.abc import Iterator
from typing import Any

from modemproxy.config.entrances import TCP_ONLY, Forward
from modemproxy.config.keys import Entry, all_optional, entries
from modemproxy.config.kinds import Kind, Many, Pairs, Scalar, Schema
from modemproxy.config.model import EXCLUSIVE, SERVES, Config


def schema() -> dict[str, object]:
    """Make the schema of a whole configuration file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "modemproxy configuration",
        **_section(Config),
    }


def _section(model: type[Any]) -> Schema:
    table = entries(model)
    made: Schema = {
        # A section whose keys are all commented out is null to YAML.
        "type": ["object", "null"] if all_optional(model) else "object",
        "properties": {name: _property(entry) for name, entry in table.items()},
        "required": [name for name, entry in table.items() if entry.required],
        "additionalProperties": False,
    }
    if rules := list(_rules(model)):
        made["allOf"] = rules
    return made


def _rules(model: type[Any]) -> Iterator[Schema]:
    """Say which keys of a section need or exclude each other."""
    for pair in EXCLUSIVE:
        if entries(model).keys() >= set(pair):
            yield {"not": {"required": list(pair)}}
    if model is Config:
        yield {"anyOf": [{"required": [name]} for name in SERVES]}
    if model is Forward:
        udp = {"properties": {"protocol": {"const": "udp"}}, "required": ["protocol"]}
        yield {"if": udp, "then": {"properties": dict.fromkeys(TCP_ONLY, False)}}


def _property(entry: Entry) -> Schema:
    made = {**_kind(entry.key.kind), "description": entry.key.about}
    if entry.key.derived:
        made["description"] += f" Default: {entry.key.derived}."
    elif entry.default not in (None, ()):
        made["default"] = entry.default
    return made


def _kind(kind: Kind) -> Schema:
    if isinstance(kind, Scalar):
        return dict(kind.schema)
    if isinstance(kind, Many):
        made: Schema = {"type": "array", "items": _kind(kind.item), "minItems": kind.least}
        return made if kind.most is None else {**made, "maxItems": kind.most}
    if isinstance(kind, Pairs):
        return {
            "type": "object",
            "propertyNames": _kind(kind.key),
            "additionalProperties": _kind(kind.value),
            "minProperties": 1,
        }
    return _section(kind.model)

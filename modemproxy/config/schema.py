"""The configuration as JSON Schema (draft 2020-12), for editors and other tools.

Made from the same table as the reader. It says what each value may be by itself; the rules
between sections (equal names, equal listeners, who must have ``allow``) are ``check``'s.
"""

from typing import Any

from modemproxy.config.keys import Entry, all_optional, entries
from modemproxy.config.kinds import Kind, Many, Scalar, Schema
from modemproxy.config.model import EXCLUSIVE, Config


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
    pairs = [pair for pair in EXCLUSIVE if table.keys() >= set(pair)]
    if pairs:
        made["allOf"] = [{"not": {"required": list(pair)}} for pair in pairs]
    return made


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
    return _section(kind.model)

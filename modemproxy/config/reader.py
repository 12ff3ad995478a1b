"""From YAML nodes to sections of values, each with its line; every mistake is collected.

PyYAML's own conversion is not used: it reads ``pin: 0123`` as 83 and lets the last of two
equal keys win, and nothing after it can tell. Its parser's node tree is walked instead,
led by the table of keys: the kind of a key reads the raw text, and each node knows its line.

Invariant: a value that stands in a ``Block`` is good by itself. A key that was given but
could not be read stands in ``lines`` only, and has been reported.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from modemproxy.config.checks import Wrong, show
from modemproxy.config.keys import Entry, all_optional, entries
from modemproxy.config.kinds import Kind, Many, Pairs, Scalar, Section
from modemproxy.config.nodes import Report

_NULL = "tag:yaml.org,2002:null"
_SHAPES: dict[type[yaml.Node], str] = {
    yaml.MappingNode: "a section of keys",
    yaml.SequenceNode: "a list",
}


@dataclass(slots=True)
class Block:
    """One section as read: the good values, and the line of every key that was given."""

    model: type[Any]
    path: str
    line: int
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def blocks(self, key: str) -> list["Block"]:
        """Give the sections of a list of sections that could be read."""
        found: list[Block] = self.values.get(key, [])
        return found

    def spot(self, key: str) -> tuple[int, str]:
        """Give the line and the path of a key, as ``Report.add`` takes them."""
        return self.lines.get(key, self.line), f"{self.path}.{key}".lstrip(".")


@dataclass(frozen=True, slots=True)
class _Pair:
    """A key with its value."""

    name: str
    line: int
    value: yaml.Node


def read(root: yaml.Node, model: type[Any], report: Report) -> Block | None:
    """Read the whole file as a section of the given keys."""
    if not isinstance(root, yaml.MappingNode):
        right = "sections such as modem: and forwards:"
        report.add(_line(root), "", f"expected {right}, got {_got(root)}")
        return None
    return _read_block(root, model, "", _line(root), report)


def _read_block(
    node: yaml.MappingNode, model: type[Any], path: str, line: int, report: Report
) -> Block:
    block = Block(model, path, line)
    known = entries(model)
    for pair in _pairs(node, path, report):
        block.lines[pair.name] = pair.line
        if _is_known(pair, known, block, report):
            _read_into(block, known[pair.name], pair, report)
    for entry in known.values():
        if entry.required and entry.name not in block.lines:
            what = f"missing ({_right(entry)})"
            report.add(line, block.spot(entry.name)[1], what)
    return block


def _right(entry: Entry) -> str:
    example = entry.key.example
    return f"like {entry.name}: {example}" if example else entry.key.about.rstrip(".")


def _pairs(node: yaml.MappingNode, path: str, report: Report) -> Iterator[_Pair]:
    """Give the pairs of a mapping whose keys can be told apart."""
    seen: dict[str, int] = {}
    for key, value in node.value:
        where = _join(path, str(key.value)) if isinstance(key, yaml.ScalarNode) else path
        if not isinstance(key, yaml.ScalarNode):
            report.add(_line(key), where, f"a key must be a word, got {_got(key)}")
        elif key.value == "<<":
            report.add(_line(key), where, "merge keys are not supported (write the keys out)")
        elif key.value in seen:
            what = f"given twice (first on line {seen[key.value]}; keep one)"
            report.add(_line(key), where, what)
        else:
            seen[key.value] = _line(key)
            yield _Pair(key.value, _line(key), value)


def _join(path: str, name: str) -> str:
    """Extend a key path: by a key as it is where it is a word, else quoted and cut."""
    word = name if re.fullmatch(r"[A-Za-z0-9_<-]{1,60}", name) else show(name)
    return f"{path}.{word}".lstrip(".")


def _is_known(pair: _Pair, known: dict[str, Entry], block: Block, report: Report) -> bool:
    """Tell whether a key can be read; say why not."""
    if pair.name not in known:
        what = f"unknown key ({_hint(pair.name, known, block)})"
        report.add(pair.line, _join(block.path, pair.name), what)
    return pair.name in known


def _hint(name: str, known: dict[str, Entry], block: Block) -> str:
    """Suggest the section where a key belongs, or the nearest known one here."""
    for section in () if block.path else known.values():
        if (model := _model(section.key.kind)) and name in entries(model):
            return f"it belongs under {section.name}:"
    # Imported here: only a mistake needs it, and it is not small.
    from difflib import get_close_matches

    plain = name.replace("-", "_").lower()
    if near := get_close_matches(plain, known, n=1):
        return f"did you mean '{near[0]}'?"
    return f"known here: {', '.join(known)}"


def _read_into(block: Block, entry: Entry, pair: _Pair, report: Report) -> None:
    """Read one value; a wrong one is reported and left out."""
    path = _join(block.path, entry.name)
    before = len(report)
    value = _read_value(pair.value, entry.key.kind, path, report)
    # A section stays even with mistakes in it: its other keys are to be cross-checked.
    if value is not None and (len(report) == before or _model(entry.key.kind)):
        block.values[entry.name] = value


def _model(kind: Kind) -> type[Any] | None:
    """Give the dataclass behind a section or a list of sections."""
    inner = kind.item if isinstance(kind, Many) else kind
    return inner.model if isinstance(inner, Section) else None


def _read_value(node: yaml.Node, kind: Kind, path: str, report: Report) -> Any:  # noqa: ANN401
    """Read a value of any kind, or report what is wrong with it and give None."""
    if isinstance(kind, Section):
        return _read_section(node, kind, path, report)
    if node.tag == _NULL:
        report.add(_line(node), path, "empty (give a value, or leave the key out)")
        return None
    if isinstance(kind, Many):
        return _read_list(node, kind, path, report)
    if isinstance(kind, Pairs):
        return _read_pairs(node, kind, path, report)
    return _read_scalar(node, kind, path, report)


def _read_section(node: yaml.Node, kind: Section, path: str, report: Report) -> Block | None:
    line = _line(node)
    if isinstance(node, yaml.MappingNode):
        return _read_block(node, kind.model, path, line, report)
    if node.tag != _NULL:
        report.add(line, path, f"expected a section of keys, got {_got(node)}")
    elif all_optional(kind.model):
        return Block(kind.model, path, line)  # all its keys are commented out
    else:
        needed = [entry.name for entry in entries(kind.model).values() if entry.required]
        report.add(line, path, f"empty (it needs at least {' and '.join(needed)})")
    return None


def _read_list(node: yaml.Node, kind: Many, path: str, report: Report) -> list[Any] | None:
    if not isinstance(node, yaml.SequenceNode):
        right = _one_item(node, kind)
        report.add(_line(node), path, f"expected a list, got {_got(node)}{right}")
        return None
    if len(node.value) < kind.least:
        report.add(_line(node), path, "the list is empty (give an item, or leave the key out)")
    if kind.most is not None and len(node.value) > kind.most:
        report.add(_line(node), path, f"{len(node.value)} items (at most {kind.most})")
    items = (
        _read_value(item, kind.item, f"{path}[{number}]", report)
        for number, item in enumerate(node.value)
    )
    return [item for item in items if item is not None]


def _one_item(node: yaml.Node, kind: Many) -> str:
    """Show how one item is written as a list."""
    if isinstance(node, yaml.MappingNode):
        return " (begin each item with '- ')"
    simple = isinstance(kind.item, Scalar) and isinstance(node, yaml.ScalarNode)
    return f" (write [{show(node.value)[1:-1]}])" if simple else ""


def _read_pairs(
    node: yaml.Node, kind: Pairs, path: str, report: Report
) -> tuple[tuple[Any, Any], ...] | None:
    """Read a mapping with keys of the user's own, in the order of the file."""
    right = f"like {{{kind.example}}}"
    if not isinstance(node, yaml.MappingNode):
        report.add(_line(node), path, f"expected {kind.noun}, got {_got(node)} ({right})")
        return None
    if not node.value:
        report.add(_line(node), path, f"nothing in it ({right}, or leave the key out)")
    read = []
    for pair in _pairs(node, path, report):
        where = _join(path, pair.name)
        try:
            name = kind.key.read(pair.name)
        except Wrong as exc:
            report.add(pair.line, where, str(exc))
            continue
        read.append((name, _read_value(pair.value, kind.value, where, report)))
    return tuple(read)


def _read_scalar(node: yaml.Node, kind: Scalar, path: str, report: Report) -> Any:  # noqa: ANN401
    if not isinstance(node, yaml.ScalarNode):
        report.add(_line(node), path, f"expected {kind.noun}, got {_got(node)}")
        return None
    if not node.value:
        report.add(_line(node), path, "empty (give a value, or leave the key out)")
        return None
    try:
        return kind.read(node.value)
    except Wrong as exc:
        report.add(_line(node), path, str(exc))
        return None


def _got(node: yaml.Node) -> str:
    """Name what stands there, without the text: it may be a secret in the wrong place."""
    if node.tag == _NULL:
        return "nothing"
    return _SHAPES.get(type(node), "text")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def build(block: Block) -> dict[str, Any]:
    """Turn the values of a section into the arguments of its dataclass."""
    table = entries(block.model)
    return {table[name].attribute: _built(value) for name, value in block.values.items()}


def _built(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Block):
        return value.model(**build(value))
    if isinstance(value, list):
        return tuple(map(_built, value))
    return value

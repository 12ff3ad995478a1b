"""Faults from a YAML file (``modemproxy emulate --faults FILE``); all mistakes at once.

A file is a mapping of ``faults`` (a list of rules) and, if it likes, ``seed``. A rule is a
mapping with the name under ``fault``, or just a name. Mistakes are told by file, line and
path, with what would be right.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from modemproxy.emulator.faults import Fault
from modemproxy.emulator.faults_kind import KINDS
from modemproxy.emulator.faults_params import near
from modemproxy.emulator.faults_rule import fault_problems
from modemproxy.errors import ConfigError

_TOP: Final = {"seed": None, "faults": None}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file says.

    Attributes:
        seed: of the dice; None when the file has none.
        rules: in its order.
    """

    seed: int | None
    rules: tuple[Fault, ...]


def load_faults(path: Path) -> Plan:
    """Read a file of faults.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong; one line each.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as exc:
        raise ConfigError([f"{path}: cannot be read ({exc.strerror})"]) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError([f"{path}: is not UTF-8 text"]) from exc
    return parse_faults(text, str(path))


def parse_faults(text: str, name: str) -> Plan:
    """Read the text of a file; ``name`` is for messages.

    Raises:
        ConfigError: something is wrong; one line each.
    """
    reader = _Reader(text, name)
    plan = reader.read()
    if reader.problems:
        raise ConfigError([words for _, words in sorted(reader.problems)])
    return plan


class _Reader:
    """One file: its nodes, and what is wrong with them so far."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self.problems: list[tuple[int, str]] = []

    def read(self) -> Plan:
        """Return what it says; worth nothing when there are problems."""
        root = self._compose()
        if not isinstance(root, yaml.MappingNode):
            if not self.problems:
                line = root.start_mark.line + 1 if root is not None else 1
                self._add(line, "", "is no mapping (write faults: and a list below it)")
            return Plan(None, ())
        top = self._entries(root, "")
        for key, (line, _) in top.items():
            if key not in _TOP:
                self._add(line, key, f"unknown {near(key, _TOP)}")
        return Plan(self._seed(top.get("seed")), tuple(self._rules(root, top.get("faults"))))

    # -- YAML --

    def _compose(self) -> yaml.Node | None:
        try:
            return yaml.compose(self._text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as exc:
            mark = exc.problem_mark or exc.context_mark
            words = " ".join(filter(None, (exc.context, exc.problem)))
            self._add(mark.line + 1 if mark else 1, "", f"not valid YAML: {words}")
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as exc:
            self._add(1, "", f"not valid YAML: {type(exc).__name__}")
        return None

    def _entries(self, node: yaml.MappingNode, path: str) -> dict[str, tuple[int, yaml.Node]]:
        """Return the entries of a mapping by key, with their lines."""
        entries: dict[str, tuple[int, yaml.Node]] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._add(line, path, "a key is no plain word (write name: value)")
            elif key_node.value in entries:
                first = entries[key_node.value][0]
                self._add(line, _join(path, key_node.value), f"twice (first in line {first})")
            else:
                entries[key_node.value] = (line, value)
        return entries

    def _plain(self, node: yaml.Node, path: str) -> Any:  # noqa: ANN401 - any value of YAML
        """Turn a node into plain data; None when it has none."""
        self._check_keys(node, path)
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
            self._add(node.start_mark.line + 1, path, "is no value that YAML knows (quote it)")
            return None
        finally:
            loader.dispose()

    def _check_keys(self, node: yaml.Node, path: str) -> None:
        if isinstance(node, yaml.MappingNode):
            self._entries(node, path)

    # -- meaning --

    def _seed(self, found: tuple[int, yaml.Node] | None) -> int | None:
        if found is None:
            return None
        line, node = found
        value = self._plain(node, "seed")
        if type(value) is not int:
            self._add(line, "seed", f"{value!r} is not a whole number")
            return None
        return value

    def _rules(self, root: yaml.Node, found: tuple[int, yaml.Node] | None) -> Iterator[Fault]:
        if found is None:
            self._add(root.start_mark.line + 1, "faults", "missing (a list of faults)")
            return
        line, node = found
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._add(line, "faults", "is no list (write - fault: NAME below it)")
            return
        for index, item in enumerate(node.value):
            rule = self._rule(item, f"faults[{index}]")
            if rule is not None:
                yield rule

    def _rule(self, node: yaml.Node, path: str) -> Fault | None:
        line, before = node.start_mark.line + 1, len(self.problems)
        if isinstance(node, yaml.ScalarNode):
            name, given, lines = str(node.value), {}, {"": line, "fault": line}
        elif isinstance(node, yaml.MappingNode):
            entries = self._entries(node, path)
            if "fault" not in entries:
                known = f"(one of {', '.join(sorted(KINDS))})"
                self._add(line, _join(path, "fault"), f"missing {known}")
                return None
            name = str(getattr(entries["fault"][1], "value", ""))
            lines = {"": line, **dict(_lines(node, ""))}
            given = {
                key: self._plain(value, _join(path, key))
                for key, (_, value) in entries.items()
                if key != "fault"
            }
        else:
            self._add(line, path, "is no fault (write fault: NAME)")
            return None
        for where, what in fault_problems(name, given):
            self._add(_line_of(lines, where), _join(path, where), what)
        return Fault(name, **given) if len(self.problems) == before else None

    def _add(self, line: int, path: str, what: str) -> None:
        parts = (f"{self._name}:{line}", path, what)
        self.problems.append((line, ": ".join(filter(None, parts))))


def _lines(node: yaml.MappingNode, path: str) -> Iterator[tuple[str, int]]:
    """Give the line of every key, nested ones by their path."""
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            name = _join(path, key.value)
            yield name, key.start_mark.line + 1
            if isinstance(value, yaml.MappingNode):
                yield from _lines(value, name)


def _line_of(lines: dict[str, int], path: str) -> int:
    """Return the line of a path, or of what it is below."""
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path, lines[""])


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key

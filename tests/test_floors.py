"""The import rule: a module imports only from lower floors; the numbers are the map.

And what holds for files of tests as well: they are short.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import modemproxy

ROOT = Path(modemproxy.__file__).parent
FLOORS = {
    "errors": 0,
    "journal": 0,
    "config": 1,
    "at": 1,
    "line": 2,
    "module": 3,
    "surfaces": 4,
    "operate": 5,
    "logs": 5,
    "app": 6,
    "cli": 7,
    "__main__": 8,
}
#: Rooms of floor 1 are neighbours that do not know each other.
EMULATOR_MAY_IMPORT = {"errors", "at", "emulator"}
MAY_IMPORT_EMULATOR = {"cli", "demo", "bench", "emulator"}
#: Inside at/: who may import whom.
AT = {
    "framer": set(),
    "trailer": set(),
    "results": set(),
    "urcs": set(),
    "commands": {"urcs"},
    "subscription": {"commands", "urcs"},
    "tcpip": {"commands", "urcs"},
    "datagrams": {"commands", "transfer", "urcs"},
    "names": {"commands", "urcs"},
    "identity": {"commands", "urcs"},
    "raw": {"commands", "urcs"},
    "servers": {"commands", "urcs"},
    "transfer": {"commands", "urcs"},
    "dte": {"framer", "results", "urcs", "commands", "trailer", "transfer"},
}
FILES = sorted(ROOT.rglob("*.py"))
#: Lines of a file.
LONGEST = 300


def name_of(path: Path) -> str:
    """``modemproxy/line/port.py`` is ``line.port``; the package itself is empty."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path) for path in FILES}


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> set[str]:
    """Those of them that are files of this program, without the ``modemproxy.``."""
    found = {name.removeprefix("modemproxy.") for name in imports(path) if "modemproxy" in name}
    return (found & MODULES) - {"", name_of(path)}


def room(name: str) -> str:
    return name.partition(".")[0]


def ids(path: Path) -> str:
    return name_of(path) or "modemproxy"


every_file = pytest.mark.parametrize("path", FILES, ids=ids)


@every_file
def test_imports_only_from_lower_floors(path: Path) -> None:
    here = room(name_of(path))
    others = {room(name) for name in own_imports(path)} - {here}
    if here == "emulator":
        assert others <= EMULATOR_MAY_IMPORT
    elif here in {"demo", "bench"}:
        assert "cli" not in others
    elif here:
        lower = {name for name, floor in FLOORS.items() if floor < FLOORS[here]}
        if here in MAY_IMPORT_EMULATOR:
            lower |= {"emulator", "demo", "bench"}
        assert others <= lower
    else:
        assert not others


def test_every_room_is_on_the_map() -> None:
    rooms = {room(name) for name in MODULES} - {"", "emulator", "demo", "bench"}
    assert rooms <= FLOORS.keys()


@every_file
def test_only_the_command_line_and_the_bench_know_the_emulator(path: Path) -> None:
    if room(name_of(path)) not in MAY_IMPORT_EMULATOR | {""}:
        assert not any(room(name) == "emulator" for name in own_imports(path))


@pytest.mark.parametrize("path", sorted((ROOT / "at").glob("*.py")), ids=ids)
def test_the_core_is_stdlib_and_errors_only(path: Path) -> None:
    name = path.stem
    if name == "__init__":
        assert not own_imports(path)
        return
    inside = {other.partition(".")[2] for other in own_imports(path) if room(other) == "at"}
    assert inside - {""} <= AT[name]
    foreign = {name.partition(".")[0] for name in imports(path)}
    assert not foreign & {"trio", "trio_serial", "logging", "time", "datetime", "socket", "os"}


def test_no_file_imports_itself_through_others() -> None:
    graph = {name_of(path): own_imports(path) - {room(name_of(path))} for path in FILES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


@every_file
def test_no_escape_hatches_and_no_second_runtime(path: Path) -> None:
    assert "TYPE_CHECKING" not in path.read_text()
    foreign = {name.partition(".")[0] for name in imports(path)}
    assert not foreign & {"asyncio", "threading", "concurrent", "multiprocessing", "anyio"}
    if name_of(path) != "line.port":
        assert "trio_serial" not in foreign


def test_every_file_is_short_enough_to_be_read_at_once() -> None:
    files = [*FILES, *Path(__file__).parent.rglob("*.py")]
    lengths = {str(path): path.read_text().count("\n") for path in files}
    assert not {path: length for path, length in lengths.items() if length > LONGEST}

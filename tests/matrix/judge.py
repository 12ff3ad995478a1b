"""What came of a run: the fate of each connection, the outcome code, and what is wrong."""

from typing import Literal

from tests.matrix.rows import CR, X1, XA, T
from tests.matrix.traffic import Connection

#: Whole; reset; refused (reset, and no far side ever saw it); cut short by a FIN; unfinished.
Fate = Literal["T", "RST", "CR", "cut", "stuck"]


def fate(connection: Connection) -> Fate:
    """Say what became of a connection."""
    if connection.end is None or not connection.over.is_set():
        return "stuck"
    if connection.end == "RST":
        return "RST" if connection.fars else "CR"
    return "T" if connection.whole else "cut"


def code_of(connections: list[Connection], expected: tuple[str, ...]) -> str:
    """Say which outcome this is; "!" for none.

    Args:
        connections: those that were there when the fault struck.
        expected: tells X1 from XA where all connections were victims.
    """
    fates = {c.name: fate(c) for c in connections}
    others = [fates[c.name] for c in connections if not c.victim]
    victims = [fates[c.name] for c in connections if c.victim]
    if all(each == "T" for each in fates.values()):
        return T
    if victims and all(each == "CR" for each in victims) and set(others) <= {"T"}:
        return CR
    if all(each in ("RST", "CR") for each in fates.values()) and (others or XA in expected):
        return XA
    if victims and all(each == "RST" for each in victims) and set(others) <= {"T"}:
        return X1
    return "!"


def lies(connection: Connection) -> list[str]:
    """Say what is wrong with the bytes: none of it is ever right."""
    found = []
    name, role = connection.name, connection.role
    found += _no_prefix(f"{name}: the client got", connection.received, connection.down)
    for far in connection.fars:
        found += _no_prefix(f"{name}: the far side was sent", far.reached, connection.up)
    if connection.end == "FIN" and len(connection.received) < role.down:
        count = len(connection.received)
        found.append(f"{name}: FIN after {count} of {role.down} bytes")
    if connection.end == "FIN" and not connection.whole:
        found.append(f"{name}: FIN, and the far side has not got everything")
    return found


def _no_prefix(who: str, got: bytearray, meant: bytes) -> list[str]:
    if meant.startswith(got):
        return []
    pairs = enumerate(zip(got, meant, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), len(meant))
    return [f"{who} foreign bytes at {at}: {bytes(got[at : at + 40])!r}"]


def fates_text(connections: list[Connection]) -> str:
    """Put all fates into words."""
    return ", ".join(f"{c.name}: {fate(c)}" for c in connections)

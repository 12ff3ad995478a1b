"""What is plainly in the way of a reload, without trying it: for the dry run."""

import os
import socket
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from modemproxy.config import Endpoint
from modemproxy.operate.doctor.holders import holder_of_port
from modemproxy.operate.reload_plan import Plan, kind_of, overlap
from modemproxy.surfaces.assembly import entries_of

_PROC: Final = Path("/proc")
_TABLES: Final = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6")}
_LISTENS: Final = "0A"
_BIND_SERVICE: Final = 1 << 10


def conflicts(plan: Plan, ours: Collection[Endpoint], proc: Path = _PROC) -> list[str]:
    """Say what a reload would fail by, as far as that can be seen.

    Args:
        plan: what is to be done.
        ours: where this program listens already, with the ports in fact bound.
        proc: where the system shows its sockets.
    """
    return [
        f"{name}: {problem}"
        for name, transport, where in _wanted(plan)
        if where.port and (problem := _problem(transport, where, ours, proc))
    ]


def _wanted(plan: Plan) -> Iterator[tuple[str, str, Endpoint]]:
    """Give the ports that would be bound."""
    entries = entries_of(plan.new)
    for name in plan.opening:
        kind, listen = kind_of(entries[name]), entries[name].listen
        if kind in ("udp", "dns"):
            yield name, "udp", listen
        if kind != "udp":
            yield name, "tcp", listen
    old, new = plan.old.metrics, plan.new.metrics
    if new is not None and (old is None or old.listen != new.listen):
        yield "metrics", "tcp", new.listen


def _problem(transport: str, where: Endpoint, ours: Collection[Endpoint], proc: Path) -> str:
    for taken in _listening(transport, proc):
        if overlap(where, taken) and taken not in ours:
            holder = holder_of_port(transport, where.port, proc)
            return f"{where} is taken by {holder or 'another program'}"
    if where.port < _unprivileged_from(proc) and not _may_bind_low(proc):
        return f"{where}: this user may not listen on ports below {_unprivileged_from(proc)}"
    return ""


def _listening(transport: str, proc: Path) -> Iterator[Endpoint]:
    """Read where somebody listens on this host."""
    for table in _TABLES[transport]:
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if transport == "udp" or fields[3] == _LISTENS:
                host, _, port = fields[1].partition(":")
                yield Endpoint(_address(host), int(port, 16))


def _address(text: str) -> str:
    """Read an address as the kernel writes it: words in the machine's byte order."""
    raw = bytes.fromhex(text)
    packed = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, packed)


def _unprivileged_from(proc: Path) -> int:
    try:
        return int((proc / "sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except (OSError, ValueError):
        return 1024


def _may_bind_low(proc: Path) -> bool:
    """Whether this process has CAP_NET_BIND_SERVICE."""
    try:
        lines = (proc / str(os.getpid()) / "status").read_text().splitlines()
    except OSError:
        return os.geteuid() == 0
    rights = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(rights, 16) & _BIND_SERVICE)

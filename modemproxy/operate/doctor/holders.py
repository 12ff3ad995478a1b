"""Who holds a device or a port of this host, by name, as far as this user may see it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PTY_MASTER: Final = ("/dev/ptmx", "/dev/pts/ptmx")
_LISTENS: Final = "0A"
_INTERPRETERS: Final = ("python", "perl", "node", "ruby")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has something open.

    Attributes:
        pid: its number.
        name: the program's name.
    """

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def holders_of(device: str, proc: Path) -> list[Holder]:
    """Return who has a device open, but this process.

    Whoever makes a pseudo terminal has both of its ends: that is the module's side, and
    does not count.
    """
    real = os.path.realpath(device)
    found = []
    for process in _processes(proc):
        opened = _opened(process)
        made_it = real.startswith("/dev/pts/") and any(end in opened for end in _PTY_MASTER)
        if real in opened and not made_it:
            found.append(Holder(int(process.name), _program(process)))
    return found


def holder_of_port(protocol: str, port: int, proc: Path) -> Holder | None:
    """Return who listens on a port of this host; None where that cannot be seen.

    Args:
        protocol: ``tcp`` or ``udp``.
        port: its number.
        proc: where processes are shown.
    """
    sockets = set(_sockets(protocol, port, proc))
    for process in _processes(proc) if sockets else ():
        if sockets & _opened(process):
            return Holder(int(process.name), _program(process))
    return None


def open_ttys(pid: int, proc: Path) -> set[str] | None:
    """Return the serial devices that a process has open; None if we may not look."""
    try:
        links = [os.readlink(entry) for entry in (proc / str(pid) / "fd").iterdir()]
    except OSError:
        return None
    return {link for link in links if link.startswith("/dev/tty") and link != "/dev/tty"}


def running(name: str, proc: Path) -> Holder | None:
    """Return a process by its program's name, None if there is none."""
    everybody = (Holder(int(each.name), _program(each)) for each in _processes(proc))
    return next((holder for holder in everybody if holder.name == name), None)


def running_proxy(proc: Path) -> Holder | None:
    """Return a process that is ``modemproxy run``, whoever runs it."""
    for process in _processes(proc):
        words = _command_line(process)
        names = [Path(word).name for word in words[:3]]  # an interpreter and -m may precede it
        if "modemproxy" in names and "run" in words:
            return Holder(int(process.name), "modemproxy")
    return None


def _command_line(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _processes(proc: Path) -> Iterator[Path]:
    for entry in sorted(proc.glob("[0-9]*"), key=lambda entry: int(entry.name)):
        if int(entry.name) != os.getpid():
            yield entry


def _opened(process: Path) -> set[str]:
    """What its descriptors lead to; nothing when it ended, or is not ours to look into."""
    found = set()
    try:
        for entry in (process / "fd").iterdir():
            found.add(os.readlink(entry))
    except OSError:
        return found
    return found


def _program(process: Path) -> str:
    """The program's name; for an interpreter, that of what it runs."""
    try:
        name = (process / "comm").read_text().strip()
    except OSError:
        return "?"
    if not name.startswith(_INTERPRETERS):
        return name
    words = _command_line(process)[1:]
    script = next((word for word in words if word and not word.startswith("-")), "")
    return Path(script).name or name


def _sockets(protocol: str, port: int, proc: Path) -> Iterator[str]:
    """The sockets bound to a port, as descriptors show them (proc(5), /proc/net/tcp)."""
    for table in (protocol, protocol + "6"):
        try:
            rows = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, rows):
            local, state, inode = fields[1], fields[3], fields[9]
            if int(local.rpartition(":")[2], 16) == port and (
                protocol == "udp" or state == _LISTENS
            ):
                yield f"socket:[{inode}]"

"""``modemproxy emulate``: the module alone, on a tty, with the far side on real sockets.

Importing this does not import trio; ``run`` does. Mistakes of the user are ConfigErrors.
"""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Final

from modemproxy.emulator.options import list_options, parse_options
from modemproxy.emulator.profile import BAUDRATES, Profile
from modemproxy.errors import ConfigError

_SERVER: Final = re.compile(r"(\d{1,5})=([^=:]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})", re.ASCII)
_MAX_PORT: Final = 65535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy emulate`` takes."""
    add = parser.add_argument
    add("--tty", type=Path, metavar="PATH", help="symlink to make for the module's tty")
    add("--tty2", type=Path, metavar="PATH", help="the same for a second AT port")
    add("--baudrate", type=int, default=115200, metavar="N", help="the module's speed")
    add("--latency", type=float, metavar="MS", help="turn-around of every reply, ms")
    add(
        "--host",
        action="append",
        default=[],
        metavar="NAME=ADDR",
        help="where a name (or NAME:PORT) of the module really is: ADDR or ADDR:PORT",
    )
    add(
        "--server",
        action="append",
        default=[],
        metavar="PORT=ADDR:PORT",
        help="where a server on the module listens on this host (default 127.0.0.1:PORT; "
        "port 0: any free one); far clients connect there",
    )
    add("--no-pace", action="store_true", help="pass bytes as fast as they come")
    add(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the dialect; can be given several times",
    )
    add("--list-options", action="store_true", help="show the options of the dialect and exit")
    add("--faults", type=Path, metavar="FILE", help="what goes wrong, and when (YAML)")
    add("--list-faults", action="store_true", help="show what can go wrong and exit")
    add("--seed", type=int, metavar="N", help="of everything random; default the file's, or 0")
    add("--strict", action="store_true", help="show broken rules on standard error")
    add("--trace", action="store_true", help="show every byte on standard error")


async def run(args: argparse.Namespace) -> None:
    """Run until SIGINT or SIGTERM; the symlink is removed at the end.

    Args:
        args: parsed by a parser that ``add_arguments`` has prepared.

    Raises:
        ConfigError: an argument is wrong, or the symlink cannot be made.
    """
    if args.list_options:
        sys.stdout.write("\n".join(list_options()) + "\n")
        return
    if args.list_faults:
        from modemproxy.emulator.faults import list_faults

        sys.stdout.write("\n".join(list_faults()) + "\n")
        return
    profile = _read(args)
    # imported late: who only asks for the options or for help needs no trio
    from modemproxy.emulator.standalone import serve_until_signal

    await serve_until_signal(profile, args)


def _read(args: argparse.Namespace) -> Profile:
    """Turn the arguments into a profile, ``hosts`` and ``servers``; all mistakes at once."""
    problems: list[str] = []
    changes: dict[str, object] = {}
    args.hosts = dict(text.partition("=")[::2] for text in args.host)
    try:
        changes = parse_options(args.option)
    except ConfigError as exc:
        problems += exc.problems
    problems += _fault_problems(args)
    problems += _link_problems("--tty", args.tty)
    if args.tty2 is not None:
        problems += _link_problems("--tty2", args.tty2)
        if args.tty2 == args.tty:
            problems.append("--tty2: the same path as --tty (each port has its own)")
    if args.baudrate not in BAUDRATES:
        rates = ", ".join(map(str, BAUDRATES))
        problems.append(f"--baudrate {args.baudrate}: the module has {rates}")
    if args.latency is not None and not 0 <= args.latency < float("inf"):
        problems.append(f"--latency {args.latency}: not a time in ms from 0 up")
    bad = [text for text in args.host if not all(text.partition("="))]
    problems += [f"--host {text}: not NAME=ADDR" for text in bad]
    problems += _server_problems(args)
    if problems:
        raise ConfigError(problems)
    changes.setdefault("baudrate", args.baudrate)
    if args.latency is not None:
        changes["command_latency_s"] = args.latency / 1000
    return Profile(**changes)  # type: ignore[arg-type]


def _server_problems(args: argparse.Namespace) -> list[str]:
    """Read ``--server`` into ``args.servers``; return what is wrong with it."""
    args.servers = {}
    problems = []
    for text in args.server:
        match = _SERVER.fullmatch(text)
        ports = [int(match[1]), int(match[3])] if match else [0]
        if match is None or not ports[0] or max(ports) > _MAX_PORT:
            problems.append(f"--server {text}: not PORT=ADDR:PORT (such as 80=127.0.0.1:8080)")
        else:
            args.servers[ports[0]] = match[2].strip("[]"), ports[1]
    return problems


def _fault_problems(args: argparse.Namespace) -> list[str]:
    """Read the file of faults into ``args.plan``; return what is wrong with it."""
    from modemproxy.emulator.faults_file import Plan, load_faults

    args.plan = Plan(None, ())
    if args.faults is not None:
        try:
            args.plan = load_faults(args.faults)
        except ConfigError as exc:
            return exc.problems
    return []


def _link_problems(name: str, link: Path | None) -> list[str]:
    if link is None:
        return [f"{name}: missing (the path of the symlink to make)"]
    if link.exists() and not link.is_symlink():
        return [f"{name} {link}: exists and is no symlink (name a path that is free)"]
    if not link.parent.is_dir():
        return [f"{name} {link}: there is no folder {link.parent}"]
    if not os.access(link.parent, os.W_OK):
        return [f"{name} {link}: no permission to write in {link.parent}"]
    return []

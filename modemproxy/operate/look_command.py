"""``modemproxy at`` and ``modemproxy trace``: look at the module beside live traffic."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from modemproxy.errors import ModemProxyError
from modemproxy.operate.ask import ask
from modemproxy.operate.paths import client_places


class AskedInVain(ModemProxyError):
    """The proxy said no."""


def add_arguments(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands to the program's.

    Args:
        commands: takes them.
    """
    at = commands.add_parser("at", help="one AT command beside live traffic")
    at.add_argument("line", metavar="COMMAND", help="as AT+CSQ")
    at.add_argument("--force", action="store_true", help="also one that changes something")
    at.add_argument("--timeout", metavar="S", type=float, default=10.0, help="seconds (10)")
    trace = commands.add_parser("trace", help="the transcript of the line, on or off")
    trace.add_argument("switch", choices=("on", "off"))
    trace.add_argument("--file", metavar="PATH", help="write it there instead of to the log")
    for each in (at, trace):
        each.add_argument("--socket", metavar="PATH", help="the running proxy's admin socket")
        each.add_argument("--config", metavar="FILE", help="the running proxy's configuration")


def run(args: argparse.Namespace) -> int:
    """Run one of the commands.

    Returns:
        0; or 1 when the module refuses the command.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning: no proxy is there.
        AskedInVain: it does not do it.
    """
    return _at(args) if args.command == "at" else _trace(args)


def _at(args: argparse.Namespace) -> int:
    request = {
        "request": "at",
        "command": args.line,
        "force": args.force,
        "timeout_s": args.timeout,
    }
    answer = _ask(args, request)
    sys.stdout.write("\n".join((*answer["lines"], answer["final"], "")))
    return 0 if answer["final"] == "OK" else 1


def _trace(args: argparse.Namespace) -> int:
    on = args.switch == "on"
    file = None if args.file is None else str(Path(args.file).absolute())
    answer = _ask(args, {"request": "trace", "on": on, "file": file})
    where = answer["file"] or "the proxy's log"
    sys.stdout.write(f"the transcript goes to {where}\n" if on else "the transcript is off\n")
    return 0


def _ask(args: argparse.Namespace, request: dict[str, object]) -> dict[str, Any]:
    places = client_places(args.socket, args.config, os.environ)
    answer = next(ask(places, request))
    if not answer.get("ok"):
        raise AskedInVain(str(answer.get("error", "refused")))
    return answer

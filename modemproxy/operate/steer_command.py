"""``modemproxy reload``, ``drain``, ``disable``, ``enable`` and ``kick``."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from modemproxy.config import find, load
from modemproxy.errors import ConfigError
from modemproxy.operate.ask import NotRunning, ask
from modemproxy.operate.paths import client_places
from modemproxy.operate.reload_words import count

Answer = Mapping[str, Any]


def add_arguments(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands to the program's.

    Args:
        commands: takes them.
    """
    reload = commands.add_parser("reload", help="read the configuration anew")
    reload.add_argument(
        "--dry-run", action="store_true", help="only say what would change, change nothing"
    )
    drain = commands.add_parser("drain", help="let nobody in any more, then stop")
    drain.add_argument(
        "--deadline",
        metavar="S",
        type=float,
        default=60.0,
        help="reset those inside after so many seconds (60)",
    )
    disable = commands.add_parser("disable", help="let nobody in by one listener")
    disable.add_argument("name", metavar="NAME", help="of the forward, server or proxy, or dns")
    disable.add_argument("--kick", action="store_true", help="reset those inside, too")
    enable = commands.add_parser("enable", help="let clients in by a listener again")
    enable.add_argument("name", metavar="NAME", help="of the forward, server or proxy, or dns")
    kick = commands.add_parser("kick", help="reset connections")
    which = kick.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="?", type=int, help="its number in status")
    which.add_argument("--listener", metavar="NAME", help="all of a listener's")
    for each in (reload, drain, disable, enable, kick):
        each.add_argument("--socket", metavar="PATH", help="the running proxy's admin socket")
        each.add_argument("--config", metavar="FILE", help="the running proxy's configuration")


def run(args: argparse.Namespace) -> int:
    """Run one of the commands.

    Returns:
        0 when it is done, 1 when the proxy refuses, 2 when it refuses the configuration.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning: no proxy is there.
    """
    return _COMMANDS[args.command](args)


def _ask(args: argparse.Namespace, request: str, **keys: object) -> Iterator[dict[str, Any]]:
    places = client_places(args.socket, args.config, os.environ)
    return ask(places, {"request": request, **keys})


def _reload(args: argparse.Namespace) -> int:
    try:
        answer = next(_ask(args, "reload", dry_run=args.dry_run))
    except NotRunning:
        load(find(args.config, os.environ))  # it may be for its mistakes that none was found
        raise
    if not answer["ok"]:
        raise ConfigError(answer.get("problems") or [answer["error"]])
    would = "would be " if args.dry_run else ""
    for line in answer["changes"] or ["nothing has changed"]:
        _say(line)
    if answer["kept"]:
        _say(f"not touched: {', '.join(answer['kept'])}")
    if answer["reset"]:
        _say(f"WARNING: the module {would}brought up anew and every connection {would}reset")
    for line in answer.get("conflicts", ()):
        _say(f"CONFLICT: {line}")
    return 1 if answer.get("conflicts") else 0


def _drain(args: argparse.Namespace) -> int:
    answers = _ask(args, "drain", deadline_s=args.deadline)
    for answer in answers:
        if not answer["ok"]:
            return _refused(answer)
        if not answer.get("drained"):
            inside = count(answer["inside"])
            _say(f"nobody is let in any more; {inside} inside")
        elif answer["left"]:
            _say(f"the time is up: {count(answer['left'])} reset; the proxy stops")
        else:
            _say("everybody has finished; the proxy stops")
    return 0


def _refused(answer: Answer) -> int:
    sys.stderr.write(f"modemproxy: {answer['error']}\n")
    return 1


def _disable(args: argparse.Namespace) -> int:
    answer = next(_ask(args, "disable", name=args.name, kick=args.kick))
    if not answer["ok"]:
        return _refused(answer)
    inside = f"{count(len(answer['kicked']))} reset" if args.kick else "those inside go on"
    _say(f"{args.name}: nobody is let in ({inside})")
    return 0


def _enable(args: argparse.Namespace) -> int:
    answer = next(_ask(args, "enable", name=args.name))
    if not answer["ok"]:
        return _refused(answer)
    _say(f"{args.name}: {answer['why_not'] or 'lets clients in'}")
    return 0


def _kick(args: argparse.Namespace) -> int:
    which = {"id": args.id} if args.listener is None else {"listener": args.listener}
    answer = next(_ask(args, "kick", **which))
    if not answer["ok"]:
        return _refused(answer)
    _say(f"{count(len(answer['kicked']))} reset")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


_COMMANDS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "reload": _reload,
    "drain": _drain,
    "disable": _disable,
    "enable": _enable,
    "kick": _kick,
}

"""``modemproxy reload``, ``drain``, ``disable``, ``enable`` and ``kick``."""

import argparse
import os
import sys
from typing import Any

from modemproxy.config import find, load
from modemproxy.errors import ConfigError
from modemproxy.operate.ask import (
    Declined,
    NotRunning,
    add_socket_arguments,
    ask,
    ask_once,
    places_of,
)
from modemproxy.operate.reload_words import count


def add_reload(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy reload`` takes."""
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would change, change nothing"
    )
    add_socket_arguments(parser)


def add_drain(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy drain`` takes."""
    parser.add_argument(
        "--deadline",
        metavar="S",
        type=float,
        default=60.0,
        help="reset those inside after so many seconds (60)",
    )
    add_socket_arguments(parser)


def add_disable(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy disable`` takes."""
    add_enable(parser)
    parser.add_argument("--kick", action="store_true", help="reset those inside, too")


def add_enable(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy enable`` takes."""
    parser.add_argument("name", metavar="NAME", help="of the forward, server or proxy, or dns")
    add_socket_arguments(parser)


def add_kick(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy kick`` takes."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="?", type=int, help="its number in status")
    which.add_argument("--listener", metavar="NAME", help="all of a listener's")
    add_socket_arguments(parser)


def reload(args: argparse.Namespace) -> int:
    """Have the configuration read anew, and say what changed.

    Returns:
        0; or 1 when something that was to change is somebody else's now.

    Raises:
        ConfigError: what is in the file cannot be used; nothing has changed.
        NotRunning, NotPermitted: no proxy can be asked.
    """
    try:
        answer = _ask(args, "reload", dry_run=args.dry_run)
    except NotRunning:
        load(find(args.config, os.environ))  # it may be for its mistakes that none was found
        raise
    except Declined as error:
        raise ConfigError(error.answer.get("problems") or [str(error)]) from None
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


def drain(args: argparse.Namespace) -> int:
    """Have the proxy let nobody in any more, and stop when everybody has finished.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning, NotPermitted: no proxy can be asked.
        Declined: it does not do it.
    """
    request = {"request": "drain", "deadline_s": args.deadline}
    for answer in ask(places_of(args), request):
        if not answer["ok"]:
            raise Declined(answer)
        if not answer.get("drained"):
            _say(f"nobody is let in any more; {count(answer['inside'])} inside")
        elif answer["left"]:
            _say(f"the time is up: {count(answer['left'])} reset; the proxy stops")
        else:
            _say("everybody has finished; the proxy stops")
    return 0


def disable(args: argparse.Namespace) -> int:
    """Have a listener let nobody in; raises as ``drain``."""
    answer = _ask(args, "disable", name=args.name, kick=args.kick)
    inside = f"{count(len(answer['kicked']))} reset" if args.kick else "those inside go on"
    _say(f"{args.name}: nobody is let in ({inside})")
    return 0


def enable(args: argparse.Namespace) -> int:
    """Have a listener let clients in again; raises as ``drain``."""
    answer = _ask(args, "enable", name=args.name)
    _say(f"{args.name}: {answer['why_not'] or 'lets clients in'}")
    return 0


def kick(args: argparse.Namespace) -> int:
    """Have connections reset; raises as ``drain``."""
    which = {"id": args.id} if args.listener is None else {"listener": args.listener}
    answer = _ask(args, "kick", **which)
    _say(f"{count(len(answer['kicked']))} reset")
    return 0


def _ask(args: argparse.Namespace, request: str, **keys: object) -> dict[str, Any]:
    return ask_once(places_of(args), {"request": request, **keys})


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()

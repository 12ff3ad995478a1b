"""``modemproxy at`` and ``modemproxy trace``: look at the module beside live traffic."""

import argparse
import sys
from pathlib import Path
from typing import Final

from modemproxy.operate.ask import add_socket_arguments, ask_once, places_of
from modemproxy.operate.plain_text import clean

_LONGEST_S: Final = 180.0
#: The proxy says itself when time is up.
_MARGIN_S: Final = 10.0


def add_at(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy at`` takes."""
    parser.add_argument("line", metavar="COMMAND", help="as AT+CSQ")
    parser.add_argument("--force", action="store_true", help="also one that changes something")
    parser.add_argument(
        "--timeout", metavar="S", type=_seconds, default=10.0, help="wait so long (10)"
    )
    add_socket_arguments(parser)


def add_trace(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy trace`` takes."""
    parser.add_argument("switch", choices=("on", "off"))
    parser.add_argument("--file", metavar="PATH", help="write it there instead of to the log")
    add_socket_arguments(parser)


def at(args: argparse.Namespace) -> int:
    """Have the module do one command, and show what it says.

    Returns:
        0; or 1 when the module refuses the command.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning, NotPermitted: no proxy can be asked.
        Declined: it does not do it.
    """
    request = {
        "request": "at",
        "command": args.line,
        "force": args.force,
        "timeout_s": args.timeout,
    }
    answer = ask_once(places_of(args), request, answer_s=args.timeout + _MARGIN_S)
    for line in (*answer["lines"], answer["final"]):
        sys.stdout.write(clean(line) + "\n")
    return 0 if answer["final"] == "OK" else 1


def trace(args: argparse.Namespace) -> int:
    """Switch the transcript of the line.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning, NotPermitted: no proxy can be asked.
        Declined: it does not do it.
    """
    on = args.switch == "on"
    file = None if args.file is None else str(Path(args.file).absolute())
    answer = ask_once(places_of(args), {"request": "trace", "on": on, "file": file})
    where = answer["file"] or "the proxy's log"
    sys.stdout.write(f"the transcript goes to {where}\n" if on else "the transcript is off\n")
    return 0


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _LONGEST_S:
        what = f"{text!r} is no number of seconds from 0 to {_LONGEST_S:g}"
        raise argparse.ArgumentTypeError(what)
    return value

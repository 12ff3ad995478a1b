"""``modemproxy status``: how the running proxy is, once or live."""

import argparse
import json
import sys
from collections.abc import Iterable
from math import inf
from typing import Final

from modemproxy.operate.ask import add_socket_arguments, places_of

_SHORTEST_S: Final = 0.2
_LONGEST_S: Final = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy status`` takes."""
    parser.add_argument("--json", action="store_true", help="everything, for machines")
    parser.add_argument("--watch", action="store_true", help="live, until q or Ctrl-C")
    parser.add_argument(
        "--interval",
        metavar="S",
        type=_seconds,
        default=1.0,
        help="with --watch: seconds between two looks (1)",
    )
    add_socket_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show the status.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning: no proxy is there; when watching, one is waited for.
        NotPermitted: another user's proxy is there.
        Declined: it does not tell.
    """
    from modemproxy.operate.screen import width_of
    from modemproxy.operate.status_text import lines
    from modemproxy.operate.status_watch import status_of, watch

    places = places_of(args)
    if args.watch:
        return watch(places, args.interval, as_json=args.json)
    status = status_of(places)
    if args.json:
        _say([json.dumps(status, indent=2)])
    else:
        _say(lines(status, width_of(sys.stdout)))
    return 0


def _say(text: Iterable[str]) -> None:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.stdout.write("".join(f"{line}\n" for line in text))


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = inf
    if not _SHORTEST_S <= value <= _LONGEST_S:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of seconds from {_SHORTEST_S:g} to {_LONGEST_S:g}"
        )
    return value

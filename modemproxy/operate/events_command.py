"""``modemproxy events``: what has happened, of this run and earlier ones."""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from math import inf
from typing import Final

from modemproxy.errors import ConfigError
from modemproxy.operate.ask import (
    Declined,
    NotRunning,
    add_socket_arguments,
    ask,
    places_of,
)
from modemproxy.operate.chronicle import Told
from modemproxy.operate.plain_text import clean

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy events`` takes."""
    parser.add_argument("--count", metavar="N", type=int, default=50, help="the last N (50)")
    parser.add_argument(
        "--since", metavar="WHEN", type=_when, help="as 90m, 2d, 03:12 or 2026-01-31T03:12"
    )
    parser.add_argument("--follow", action="store_true", help="and what happens from now on")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_socket_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show events; when no proxy runs, those that the last one kept.

    Following ends with the proxy: that is a failure, since more was wanted.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning: no proxy is there, and no events are kept.
        NotPermitted: another user's proxy is there.
        Declined: it does not tell.
    """
    try:
        for told in _ask(args):
            _say(told, as_json=args.json)
        if args.follow:
            sys.stderr.write("the proxy has ended\n")
            return 1
    except KeyboardInterrupt:
        return 0
    except NotRunning:
        kept = [] if args.follow else _kept(args)
        if not kept:
            raise
        sys.stderr.write("no proxy is running: these are kept from the last one\n")
        for told in kept:
            _say(told, as_json=args.json)
    return 0


def _ask(args: argparse.Namespace) -> Iterator[Told]:
    request = {
        "request": "events",
        "count": args.count,
        "since": args.since,
        "follow": args.follow,
    }
    for answer in ask(places_of(args), request):
        if answer.get("ok") is False:
            raise Declined(answer)
        yield from answer.get("events", [])
        if "event" in answer:
            if answer.get("missed"):
                sys.stderr.write(f"({answer['missed']} events were missed)\n")
            yield answer["event"]


def _kept(args: argparse.Namespace) -> list[Told]:
    """Read what earlier runs left; a configuration that nobody named need not be there."""
    from modemproxy.operate.kept import kept_events

    since = -inf if args.since is None else args.since
    try:
        return kept_events(args.config, os.environ, args.count, since)
    except ConfigError:
        if args.config is not None:
            raise
        return []


def _say(told: Told, *, as_json: bool) -> None:
    sys.stdout.write(json.dumps(told) + "\n" if as_json else f"{text_of(told)}\n")
    sys.stdout.flush()


def text_of(told: Told) -> str:
    """Put an event into a line for people."""
    when = datetime.fromtimestamp(told["at"]).astimezone()
    return f"{when:%Y-%m-%d %H:%M:%S} {clean(told['level'].upper()):<8} {clean(told['text'])}"


def _when(text: str) -> float:
    """Read a time: so long ago, of today, or a date with a time.

    Raises:
        argparse.ArgumentTypeError: it is none of these.
    """
    if ago := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return time.time() - int(ago[1]) * _UNITS[ago[2]]
    if re.fullmatch(r"\d\d:\d\d(:\d\d)?", text):
        text = f"{datetime.now().astimezone():%Y-%m-%d}T{text}"
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time (as 90m or 03:12)") from None

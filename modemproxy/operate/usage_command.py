"""``modemproxy usage``: how much was moved, by listener, today and in this month."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from modemproxy.errors import ConfigError
from modemproxy.operate.ask import NotRunning, add_socket_arguments, ask_once, places_of
from modemproxy.operate.plain_text import clean, size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy usage`` takes."""
    parser.add_argument("--json", action="store_true", help="all days and months, for machines")
    add_socket_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show the books; when no proxy runs, those that the last one kept.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning: no proxy is there, and no books are kept.
        NotPermitted: another user's proxy is there.
        Declined: it does not tell.
    """
    try:
        told = ask_once(places_of(args), {"request": "usage"})["usage"]
    except NotRunning:
        kept = _kept(args)
        if kept is None:
            raise
        told = kept
        sys.stderr.write("no proxy is running: these are the books of the last one\n")
    text = json.dumps(told, indent=2) if args.json else "\n".join(lines(told))
    sys.stdout.write(text + "\n")
    return 0


def _kept(args: argparse.Namespace) -> dict[str, Any] | None:
    """Read what earlier runs left; a configuration that nobody named need not be there."""
    from modemproxy.operate.kept import kept_usage

    try:
        return kept_usage(args.config, os.environ)
    except ConfigError:
        if args.config is not None:
            raise
        return None


def lines(told: dict[str, Any]) -> Iterator[str]:
    """Put the books into lines.

    Args:
        told: of the ``usage`` request.
    """
    day, month = told["days"].get(told["day"], {}), told["months"].get(told["month"], {})
    names = sorted(set(day) | set(month))
    yield f"{'':16} {'today':>20} {'since ' + told['month']:>20}"
    for name in names:
        both = [_both(page.get(name, (0, 0))) for page in (day, month)]
        yield f"{clean(name):16.16} {both[0]:>20} {both[1]:>20}"
    totals = [_both(_sums(page)) for page in (day, month)]
    yield f"{'all':16} {totals[0]:>20} {totals[1]:>20}"
    if told["unbooked"]:
        waiting = _both(_sums(told["unbooked"]))
        yield f"the clock is not set: {waiting} belong to no day yet"
    for cap in told["caps"]:
        share = 100 * cap["used"] / cap["cap"]
        yield (
            f"cap of {clean(cap['of'])}: {size(cap['used'])} of {size(cap['cap'])} "
            f"this {cap['period']} ({share:.0f} %), then {cap['action']}"
        )


def _sums(page: dict[str, list[int]]) -> list[int]:
    return [sum(way) for way in zip(*page.values(), strict=True)]


def _both(counts: Any) -> str:  # noqa: ANN401 (a pair, or nothing)
    up, down = counts or (0, 0)
    return f"{size(up)} up {size(down)} down"

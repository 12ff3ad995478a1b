"""``modemproxy usage``: how much was moved, by listener, today and in this month."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from modemproxy.errors import ConfigError, ModemProxyError
from modemproxy.operate.ask import NotRunning, ask
from modemproxy.operate.paths import client_places
from modemproxy.operate.plain_text import clean, size


class AskedInVain(ModemProxyError):
    """The proxy said no."""


def add_arguments(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the program's.

    Args:
        commands: takes it.
    """
    usage = commands.add_parser("usage", help="bytes by listener, day and month")
    usage.add_argument("--json", action="store_true", help="all days and months, for machines")
    usage.add_argument("--socket", metavar="PATH", help="the running proxy's admin socket")
    usage.add_argument("--config", metavar="FILE", help="the running proxy's configuration")


def run(args: argparse.Namespace) -> int:
    """Show the books; when no proxy runs, those that the last one kept.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning: no proxy is there, and no books are kept.
    """
    places = client_places(args.socket, args.config, os.environ)
    try:
        answer = next(ask(places, {"request": "usage"}))
    except NotRunning:
        told = _kept(args)
        if told is None:
            raise
        sys.stderr.write("no proxy is running: these are the books of the last one\n")
    else:
        if not answer.get("ok"):
            raise AskedInVain(str(answer.get("error", "refused")))
        told = answer["usage"]
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

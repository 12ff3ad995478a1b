"""``modemproxy usage``: how much was moved, by listener, today and in this month."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from modemproxy.errors import ModemProxyError
from modemproxy.operate.ask import ask
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
    """Show the books.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning: no proxy is there.
    """
    places = client_places(args.socket, args.config, os.environ)
    answer = next(ask(places, {"request": "usage"}))
    if not answer.get("ok"):
        raise AskedInVain(str(answer.get("error", "refused")))
    told = answer["usage"]
    text = json.dumps(told, indent=2) if args.json else "\n".join(lines(told))
    sys.stdout.write(text + "\n")
    return 0


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

"""``modemproxy status --watch``: the status again and again, with what moves in between."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from modemproxy.operate.ask import NotRunning, ask_once
from modemproxy.operate.plain_text import clean, fit
from modemproxy.operate.screen import Blocks, Screen, View
from modemproxy.operate.status_text import lines, pace

Status = dict[str, Any]


def status_of(places: Iterable[Path]) -> Status:
    """Ask for the status.

    Args:
        places: where the proxy's socket may be.

    Raises:
        NotRunning, NotPermitted: no proxy can be asked.
        Declined: it does not tell.
    """
    status: Status = ask_once(places, {"request": "status"}, answer_s=10)["status"]
    return status


def watch(places: list[Path], interval_s: float, *, as_json: bool) -> int:
    """Show the status until somebody has seen enough; a proxy that restarts is waited for.

    Args:
        places: where the proxy's socket may be.
        interval_s: between two looks, seconds.
        as_json: one JSON object a line instead; nothing while no proxy runs.

    Raises:
        NotPermitted: another user's proxy is there.
        Declined: it does not tell.
    """
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        if not as_json and sys.stdout.isatty():
            screen = Screen(sys.stdout, sys.stdin)
            with screen.shown():
                _watch(screen, places, interval_s, as_json=False)
        else:
            blocks = Blocks(sys.stdout, "" if as_json else "\n")
            _watch(blocks, places, interval_s, as_json=as_json)
    except KeyboardInterrupt:
        return 0
    return 0


def _watch(view: View, places: list[Path], interval_s: float, *, as_json: bool) -> None:
    before: Status | None = None
    while True:
        due = time.monotonic() + interval_s
        try:
            status = status_of(places)
        except NotRunning as error:
            before = None
            if not as_json:
                view.show(partial(_absence, str(error)))
        else:
            view.show(partial(_as_json if as_json else _as_text, status, before))
            before = status
        if view.wait(due - time.monotonic()):
            return


def _as_json(status: Status, _: Status | None, __: int) -> Iterator[str]:
    yield json.dumps(status)


def _as_text(status: Status, before: Status | None, width: int) -> Iterator[str]:
    """What moves is known from the second report of one run on."""
    if before is not None and before["pid"] != status["pid"]:
        before = None
    return lines(status, width, None if before is None else pace(before, status))


def _absence(why: str, width: int) -> Iterator[str]:
    yield fit("proxy     not running: it is waited for", width)
    yield fit(clean(f"          {why}"), width)

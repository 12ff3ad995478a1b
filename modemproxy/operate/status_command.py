"""``modemproxy status``: how the running proxy is, once or live."""

import argparse
import json
import os
import select
import shutil
import sys
import termios
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from modemproxy.errors import ModemProxyError
from modemproxy.operate.ask import NotRunning, ask
from modemproxy.operate.paths import client_places
from modemproxy.operate.status_text import Pace, lines, pace

_SHORTEST_S: Final = 0.2
#: What a full-screen view needs of a terminal; all that are in use have it.
_ENTER: Final = "\x1b[?1049h\x1b[?25l"
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H"
_TO_END_OF_LINE: Final = "\x1b[K"
_TO_END_OF_SCREEN: Final = "\x1b[J"


class AskedInVain(ModemProxyError):
    """The proxy said no."""


def add_arguments(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command to the program's."""
    status = commands.add_parser("status", help="how the running proxy is")
    status.add_argument("--json", action="store_true", help="everything, for machines")
    status.add_argument("--watch", action="store_true", help="live, until q or Ctrl-C")
    status.add_argument(
        "--interval", metavar="S", type=float, default=1.0, help="with --watch: seconds (1)"
    )
    status.add_argument("--socket", metavar="PATH", help="the running proxy's admin socket")
    status.add_argument("--config", metavar="FILE", help="the running proxy's configuration")


def run(args: argparse.Namespace) -> int:
    """Show the status.

    Raises:
        ConfigError: the configuration that was named cannot be used.
        NotRunning: no proxy is there; when watching, one is waited for.
    """
    places = client_places(args.socket, args.config, os.environ)
    if args.watch:
        return _watch(places, max(_SHORTEST_S, args.interval), as_json=args.json)
    status = status_of(places)
    if args.json:
        text = json.dumps(status, indent=2)
    else:
        text = "\n".join(lines(status, shutil.get_terminal_size().columns))
    sys.stdout.write(text + "\n")
    return 0


def status_of(places: Iterable[Path]) -> dict[str, Any]:
    """Ask for the status.

    Raises:
        NotRunning: no proxy is there.
        AskedInVain: it does not tell.
    """
    answer = next(ask(places, {"request": "status"}))
    if not answer.get("ok"):
        raise AskedInVain(str(answer.get("error", "refused")))
    status: dict[str, Any] = answer["status"]
    return status


def _watch(places: list[Path], interval_s: float, *, as_json: bool) -> int:
    view = _Plain() if as_json or not sys.stdout.isatty() else _Screen()
    before: tuple[float, dict[str, Any]] | None = None
    try:
        with view.shown():
            while True:
                began = time.monotonic()
                before = _show_once(places, view, before, as_json=as_json)
                if view.wait(began + interval_s - time.monotonic()):
                    return 0
    except KeyboardInterrupt:
        return 0


def _show_once(
    places: list[Path],
    view: "_Plain",
    before: tuple[float, dict[str, Any]] | None,
    *,
    as_json: bool,
) -> tuple[float, dict[str, Any]] | None:
    """Show the status of now beside that of before; one that is not running comes back."""
    try:
        status = status_of(places)
    except NotRunning as error:
        view.show([f"not running: {error}"])
        return None
    now = time.monotonic()
    if as_json:
        view.show([json.dumps(status)])
    else:
        view.show(lines(status, view.width, _pace(before, now, status)))
    return now, status


def _pace(
    before: tuple[float, dict[str, Any]] | None, now: float, status: dict[str, Any]
) -> Pace | None:
    if before is None or before[1]["pid"] != status["pid"]:
        return None
    return pace(before[1], status, now - before[0])


class _Plain:
    """Blocks of lines, one below the other."""

    width = 10_000

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Nothing to prepare."""
        yield

    def show(self, text: Iterable[str]) -> None:
        """Print a block."""
        sys.stdout.write("\n".join(text) + "\n\n")
        sys.stdout.flush()

    def wait(self, seconds: float) -> bool:
        """Wait until the next block is due; never wants to end."""
        select.select([], [], [], max(0.0, seconds))
        return False


class _Screen(_Plain):
    """The terminal's other screen, which leaves no trace."""

    @property
    def width(self) -> int:  # type: ignore[override]
        """Of the terminal, which may be resized."""
        return shutil.get_terminal_size().columns

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Take the screen, hear single keys; both are given back whatever happens."""
        keys = sys.stdin.fileno() if sys.stdin.isatty() else -1
        old = termios.tcgetattr(keys) if keys >= 0 else None
        try:
            if old is not None:
                new = termios.tcgetattr(keys)
                new[3] &= ~(termios.ICANON | termios.ECHO)
                termios.tcsetattr(keys, termios.TCSADRAIN, new)
            sys.stdout.write(_ENTER)
            yield
        finally:
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()
            if old is not None:
                termios.tcsetattr(keys, termios.TCSADRAIN, old)

    def show(self, text: Iterable[str]) -> None:
        """Draw over what was there."""
        room = shutil.get_terminal_size().lines - 1
        rows = [*text, "", "q ends this"][: max(1, room)]
        body = "".join(f"{row}{_TO_END_OF_LINE}\r\n" for row in rows)
        sys.stdout.write(_HOME + body + _TO_END_OF_SCREEN)
        sys.stdout.flush()

    def wait(self, seconds: float) -> bool:
        """Wait; say whether ``q`` was pressed."""
        if not sys.stdin.isatty():
            return super().wait(seconds)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([sys.stdin], [], [], left)[0]:
                key = os.read(sys.stdin.fileno(), 1)
                if key in (b"q", b"Q", b""):
                    return True
        return False

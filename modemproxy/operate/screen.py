"""Where a live view is shown: the terminal's other screen, or blocks one below the other.

Only sequences that every terminal in use has (ECMA-48, and xterm's alternate screen).
Whatever ends the program gives the terminal back as it was; stopping it (Ctrl-Z) does too,
for as long as it is stopped.
"""

import os
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Final, Protocol, TextIO

_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE: Final = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H"
#: Before a row, not behind it: a full row would lose its last character.
_CLEAR_ROW: Final = "\x1b[K"
_CLEAR_BELOW: Final = "\x1b[J"
_USUAL: Final = os.terminal_size((80, 24))


def size_of(file: TextIO) -> os.terminal_size:
    """Say how large the terminal is at the other end of ``file``; 80 by 24 if it is none."""
    try:
        size = os.get_terminal_size(file.fileno())
    except (OSError, ValueError):
        return _USUAL
    return size if size.columns and size.lines else _USUAL


def width_of(file: TextIO) -> int:
    """Say how many characters fit in a line of ``file``; a file has long ones."""
    return max(20, size_of(file).columns) if file.isatty() else max(80, _columns())


def _columns() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and len(columns) < 5 else 0


#: Gives the lines of a text that is so many characters wide.
Text = Callable[[int], Iterable[str]]


class View(Protocol):
    """Shows one text after the other."""

    def show(self, text: Text) -> None:
        """Show another text."""

    def wait(self, seconds: float) -> bool:
        """Wait until the next one is due; say whether somebody has seen enough."""


class Blocks:
    """For what is no terminal: every text, one below the other."""

    def __init__(self, out: TextIO, gap: str = "\n") -> None:
        """Args:
        out: where to.
        gap: what stands behind each.
        """
        self._out = out
        self._gap = gap

    def show(self, text: Text) -> None:
        """Print it."""
        lines = text(width_of(self._out))
        self._out.write("".join(f"{line}\n" for line in lines) + self._gap)
        self._out.flush()

    def wait(self, seconds: float) -> bool:
        """Wait; never wants to end."""
        select.select([], [], [], max(0.0, seconds))
        return False


class Screen:
    """The whole of a terminal, which is not scrolled."""

    def __init__(self, out: TextIO, keys: TextIO) -> None:
        """Args:
        out: a terminal.
        keys: where keys are heard, if it is a terminal, too.
        """
        self._out = out
        self._keys = keys.fileno() if keys.isatty() else -1
        self._modes: list[Any] = []
        self._wake = -1
        self._shown: Text = lambda width: ()

    def show(self, text: Text) -> None:
        """Draw over what was there; what does not fit below is counted."""
        self._shown = text
        width, room = size_of(self._out)
        rows = list(text(width))
        if len(rows) > room:
            rows[room - 1 :] = [f"... {len(rows) - room + 1} more lines"[:width]]
        body = "\r\n".join(_CLEAR_ROW + row for row in rows)
        self._out.write(f"{_HOME}{body}{_CLEAR_BELOW if len(rows) < room else ''}")
        self._out.flush()

    def wait(self, seconds: float) -> bool:
        """Wait; draw anew when the size has changed; say whether a key wants to end this."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            heard_of = [fd for fd in (self._keys, self._wake) if fd >= 0]
            ready = select.select(heard_of, [], [], left)[0]
            if self._keys in ready and self._is_end(os.read(self._keys, 64)):
                return True
            if self._wake in ready:
                os.read(self._wake, 64)
                self.show(self._shown)
        return False

    def _is_end(self, keys: bytes) -> bool:
        if not keys:
            self._keys = -1  # nobody can press anything any more
        return bool({*keys} & {*b"qQ\x03"})

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Take the terminal; it is given back whatever happens.

        SIGTERM and SIGHUP end the program from here, by SystemExit.
        """
        with ExitStack() as stack:
            self._wake = _woken_by_signals(stack)
            _handle(stack, signal.SIGWINCH, lambda *_: None)  # it wakes
            _handle(stack, signal.SIGTSTP, self._stop)
            for number in (signal.SIGTERM, signal.SIGHUP):
                _handle(stack, number, _end)
            stack.callback(self._leave)
            self._enter()
            yield

    def _enter(self) -> None:
        if self._keys >= 0:
            self._modes = termios.tcgetattr(self._keys)
            ours = termios.tcgetattr(self._keys)
            ours[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(self._keys, termios.TCSADRAIN, ours)
        self._out.write(_ENTER)
        self._out.flush()

    def _leave(self) -> None:
        if self._modes:
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._modes)
            self._modes = []
        self._out.write(_LEAVE)
        self._out.flush()

    def _stop(self, number: int, _: FrameType | None) -> None:
        self._leave()
        ours = signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # here it stops, until somebody has it go on
        signal.signal(number, ours)
        self._enter()


def _woken_by_signals(stack: ExitStack) -> int:
    """Have every signal make a descriptor readable: waiting in ``select`` goes on else."""
    heard, told = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    stack.callback(os.close, heard)
    stack.callback(os.close, told)
    stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(told, warn_on_full_buffer=False))
    return heard


def _handle(
    stack: ExitStack, number: int, handler: Callable[[int, FrameType | None], object]
) -> None:
    stack.callback(signal.signal, number, signal.signal(number, handler))


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)

"""Bytes from the DTE: lines, echo, data entry, and what to do with those that come too early.

One place sees every incoming byte. The rules (protocol.md 1):

* a line ends with CR; a LF right after it is swallowed, never payload;
* while a command executes nothing may come; what does is queued, dropped or refused, and
  recorded as a complaint either way;
* in data entry bytes are payload, whatever they look like.

A LF that arrives after the prompt could be payload. It is taken for the tail of the command
only if this DTE ended its last command with CR LF too.
"""

from collections.abc import Callable
from typing import Final, Protocol

from modemproxy.emulator.context import Context
from modemproxy.emulator.entry import Done, Entry
from modemproxy.emulator.output import Piece

_CR: Final = 13
_LF: Final = 10

#: Noise that modules ignore before AT: NUL, Ctrl-Z (a habit of esp_modem), blanks, and
#: what is left of bytes that came at another speed.
_NOISE: Final = b"\x00\x1a\x20" + bytes(range(0x80, 0x100))


class Interpreter(Protocol):
    """Who executes what comes out of here."""

    busy: bool

    def execute(self, line: bytes) -> None:
        """Run one line, blanks and noise removed, never empty."""

    def entered(self, done: Done, payload: bytes | None) -> None:
        """Act on a complete data entry."""

    def gave_up(self) -> None:
        """End a data entry that timed out."""


class DteInput:
    """The receiving half of the module's AT port.

    Attributes:
        entry: the data entry under way.
        tap: called with every chunk; what it returns is received instead.
        received: bytes so far.
    """

    def __init__(self, ctx: Context, interpreter: Interpreter) -> None:
        self._ctx = ctx
        self._interpreter = interpreter
        self.tap: Callable[[bytes], bytes] | None = None
        self.received = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything that was being received."""
        self._pending = bytearray()
        self._line = bytearray()
        self._after_cr = False
        self._sends_lf = False
        self._noted = False
        self._pumping = False
        self.entry: Entry | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes from the line."""
        self.received += len(data)
        self._pending += self.tap(data) if self.tap is not None else data
        self.pump()

    def preset_line(self, data: bytes) -> None:
        """Start with half a command in the line buffer."""
        self._line += data

    def pump(self) -> None:
        """Work on what is pending, as far as the interpreter is free."""
        if self._pumping:
            return
        self._pumping = True
        while self._pending and self._step():
            pass
        self._pumping = False

    def command_started(self) -> None:
        """Note that from now on input is too early."""
        self._noted = False

    def open_entry(self, size: int | None, done: Done, timeout_s: float) -> None:
        """Take ``size`` bytes of payload (None: until Ctrl-Z) within a time."""
        if not self._sends_lf:
            self._after_cr = False
        timer = self._ctx.timer(self._ctx.now + timeout_s, self._entry_timed_out)
        self.entry = Entry(size, done, timer)

    def _step(self) -> bool:
        """Consume something; False when it has to wait."""
        if self._swallow_lf():
            return True
        if self.entry is not None:
            return self._feed_entry(self.entry)
        if self._interpreter.busy:
            return self._too_early()
        return self._feed_line()

    def _swallow_lf(self) -> bool:
        if not self._after_cr or not self._pending:
            return False
        self._after_cr = False
        self._sends_lf = self._pending[0] == _LF
        if self._sends_lf:
            del self._pending[:1]
        return self._sends_lf

    # -- data entry --

    def _feed_entry(self, entry: Entry) -> bool:
        used = entry.feed(self._pending)
        settings = self._ctx.settings
        if settings.echo and settings.data_echo:
            self._ctx.out.put(Piece.ECHO, bytes(self._pending[:used]))
        del self._pending[:used]
        if entry.complete:
            entry.timer.cancel()
            self.entry = None
            self._noted = False
            self._interpreter.entered(entry.done, None if entry.aborted else bytes(entry.data))
        return True

    def _entry_timed_out(self) -> None:
        self._ctx.complain("data entry was not completed in time")
        self.entry = None
        self._interpreter.gave_up()

    # -- lines --

    def _too_early(self) -> bool:
        if not self._noted:
            self._noted = True
            self._ctx.complain(f"input while a command executes: {bytes(self._pending[:40])!r}")
        policy = self._ctx.profile.overlap
        if policy == "drop":
            self._pending.clear()
        elif policy == "error" and (end := self._pending.find(b"\r")) >= 0:
            del self._pending[: end + 1]
            self._after_cr = True
            self._ctx.out.final("ERROR")
            return True
        return False

    def _feed_line(self) -> bool:
        end = self._pending.find(b"\r")
        size = len(self._pending) if end < 0 else end + 1
        piece = bytes(self._pending[:size])
        del self._pending[:size]
        if b"\n" in piece:
            self._ctx.complain("LF that is not after a CR")
            piece = piece.replace(b"\n", b"")
        if self._ctx.settings.echo:
            self._ctx.out.put(Piece.ECHO, piece)
        self._keep(piece.removesuffix(b"\r"))
        if end >= 0:
            self._end_line()
        return True

    def _keep(self, piece: bytes) -> None:
        # one byte more than the longest line is enough to know that it is too long
        room = self._ctx.profile.max_line + 3 - len(self._line)
        self._line += piece[:room]

    def _end_line(self) -> None:
        self._after_cr = True
        self._swallow_lf()
        line = bytes(self._line)
        self._line.clear()
        bare = line.lstrip(_NOISE)
        if b"\x1a" in line[: len(line) - len(bare)]:
            self._ctx.complain("stray Ctrl-Z before a command")
        if bare.rstrip():
            self._interpreter.execute(bare.rstrip())

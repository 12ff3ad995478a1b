"""Bytes from the DTE: lines, echo, data entry, and what to do with those that come too early.

One place sees every incoming byte. The rules (protocol.md 1):

* a line ends with CR; a LF right after it is swallowed, never payload;
* while a command executes nothing may come; what does is queued, dropped or refused, and
  recorded as a complaint either way;
* in data entry bytes are payload, whatever they look like;
* in transparent mode they are data for the session, but for its escape sequence.

A LF that arrives after the prompt could be payload. It is taken for the tail of the command
only if this DTE ended its last command with CR LF too.
"""

from collections.abc import Callable
from typing import Final, Protocol

from modemproxy.emulator.context import Context
from modemproxy.emulator.entry import Done, Entry
from modemproxy.emulator.output import Output, Piece

_CR: Final = 13
_LF: Final = 10

#: Noise that modules ignore before AT: NUL, Ctrl-Z (a habit of esp_modem), blanks, and
#: what is left of bytes that came at another speed.
_NOISE: Final = b"\x00\x1a\x20" + bytes(range(0x80, 0x100))


class Interpreter(Protocol):
    """Who executes what comes out of here."""

    busy: bool

    @property
    def echo(self) -> bool:
        """ATE of this port."""

    def execute(self, line: bytes) -> None:
        """Run one line, blanks and noise removed, never empty."""

    def entered(self, done: Done, payload: bytes | None) -> None:
        """Act on a complete data entry."""

    def gave_up(self) -> None:
        """End a data entry that timed out."""


class DataMode(Protocol):
    """A transparent session of this port (``transparent.Transparent``)."""

    online: bool

    def feed(self, data: bytearray) -> int:
        """Take data; return how much of it, 0 when it must wait."""

    def dtr_fell(self, mode: int) -> None:
        """Act as AT&D1 or AT&D2 asks."""

    def forget(self) -> None:
        """End without a word: the power went."""


class DteInput:
    """The receiving half of the module's AT port.

    Attributes:
        entry: the data entry under way.
        session: the transparent connection of this port, in data mode or escaped from.
        tap: called with every chunk; what it returns is received instead.
        received: bytes so far.
    """

    def __init__(self, ctx: Context, interpreter: Interpreter, out: Output) -> None:
        self._ctx = ctx
        self._out = out
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
        self.session: DataMode | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes from the line."""
        self.received += len(data)
        # first the tap: it may restart the module, and then nothing is pending any more
        passed = self.tap(data) if self.tap is not None else data
        self.receive_past(passed)

    def receive_past(self, data: bytes) -> None:
        """Take bytes that ``tap`` has seen already."""
        self._pending += data
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
        self.data_follows()
        timer = self._ctx.timer(self._ctx.now + timeout_s, self._entry_timed_out)
        self.entry = Entry(size, done, timer)

    def data_follows(self) -> None:
        """Say that a LF from here on is data, unless it belongs to the command's CR."""
        if not self._sends_lf:
            self._after_cr = False

    def _step(self) -> bool:
        """Consume something; False when it has to wait."""
        if self._swallow_lf():
            return True
        if self.entry is not None:
            return self._feed_entry(self.entry)
        if self._interpreter.busy:
            return self._too_early()
        if self.session is not None and self.session.online:
            used = self.session.feed(self._pending)
            del self._pending[:used]
            return used > 0
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
        if self._interpreter.echo and self._ctx.settings.data_echo:
            self._out.put(Piece.ECHO, bytes(self._pending[:used]))
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
            self._out.final("ERROR")
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
        if self._interpreter.echo:
            self._out.put(Piece.ECHO, piece)
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

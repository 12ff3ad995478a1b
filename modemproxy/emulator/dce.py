"""The core: an A76XX as a DCE, without I/O (sans-IO).

In: bytes of the DTE (``receive``), the passing of time (``advance``), and calls of the far
side on the sinks of the stack. Out: bytes (``take_output``) and the time of the next timer
(``next_deadline``). Nothing waits, nothing reads a clock of its own.

One command line executes at a time. A handler returns its Reply, or None and calls
``finish`` later. Commands joined with ``;`` run until the first that fails, and share one
final result code. What follows a final result (``+CIPOPEN: 0,0`` and the like) is the
``after`` of a Reply or a timer.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial

from modemproxy.at.results import CME_ERRORS
from modemproxy.emulator.context import Context
from modemproxy.emulator.dte_input import DteInput
from modemproxy.emulator.entry import Done
from modemproxy.emulator.internet import Internet
from modemproxy.emulator.output import Piece
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.radio import Radio
from modemproxy.emulator.reply import ERROR, OK, Reply
from modemproxy.emulator.saved import SavedSettings
from modemproxy.emulator.settings import Settings
from modemproxy.emulator.stack import Stack
from modemproxy.emulator.syntax import Call, parse_line

_NAME = re.compile(rb"AT([+&]?[A-Z]+)")


class Power(Enum):
    """Whether the module listens."""

    OFF = "off"
    BOOTING = "booting"
    ON = "on"


Handler = Callable[["Dce", Call], Reply | None]


class Dce:
    """One module.

    Args:
        profile: the dialect.
        internet: the far side.
        handlers: command name -> handler; see ``chapters.py``.
        clock: seconds, monotonic; read at entry points only.
        seed: of everything random.

    Attributes:
        ctx: time, settings, output, complaints.
        input: the receiving half of the AT port.
        stack: network, links, servers.
        baudrate: the module's own rate, bits a second.
        busy: a command line executes.
    """

    def __init__(
        self,
        profile: Profile,
        internet: Internet,
        handlers: Mapping[str, Handler],
        *,
        clock: Callable[[], float],
        seed: int = 0,
    ) -> None:
        self.ctx = Context(profile, clock, seed)
        self.out = self.ctx.out
        self.radio = Radio(self.ctx)
        self.stack = Stack(self.ctx, internet, self.radio)
        self.input = DteInput(self.ctx, self)
        self.saved = SavedSettings(profile)
        self.baudrate = profile.baudrate
        self.power = Power.ON
        self.busy = False
        self.forced_confirms: deque[int] = deque()
        self._handlers = handlers
        self._next_baudrate: int | None = None
        self._calls: deque[Call] = deque()
        self._after: list[Callable[[], None]] = []

    # -- short cuts for the chapters --

    @property
    def profile(self) -> Profile:
        """The dialect in force."""
        return self.ctx.profile

    @property
    def settings(self) -> Settings:
        """What was set since boot."""
        return self.ctx.settings

    # -- the line --

    def receive(self, data: bytes, at: float | None = None) -> None:
        """Take bytes from the DTE; before the boot banner they are lost.

        Args:
            data: the bytes.
            at: when exactly the last of them came, when the driver is late; None is now.
        """
        self.ctx.touch()
        if at is not None:
            self.ctx.now = at
        if self.power is Power.ON:
            self.input.receive(data)

    def take_output(self, limit: int | None = None) -> bytes:
        """Hand over what is to be sent now; goes on with a direct push that was held."""
        data = self.out.take(limit)
        if data:
            self.stack.flush_pushes()
        return data

    def output_sent(self) -> None:
        """Note that all output has left; a new line speed counts from here."""
        if self._next_baudrate is not None and not len(self.out):
            self.baudrate, self._next_baudrate = self._next_baudrate, None

    def change_baudrate(self, rate: int) -> None:
        """Use another speed once what is queued has left at the old one."""
        self._next_baudrate = rate

    def next_deadline(self) -> float | None:
        """Return when ``advance`` has something to do."""
        return self.ctx.timers.next_deadline()

    def advance(self) -> None:
        """Run the timers that are due, each at its own time."""
        self.ctx.touch()
        arrived = self.ctx.now
        while (timer := self.ctx.timers.pop_due(arrived)) is not None:
            # lateness of the driver must not add up over chained delays
            self.ctx.now = timer.when
            timer.action()
        self.ctx.now = arrived

    # -- executing --

    def execute(self, line: bytes) -> None:
        """Run one command line (``dte_input.Interpreter``)."""
        self.busy = True
        self.input.command_started()
        self.ctx.later(self._latency_s(line), lambda: self._run(line))

    def _latency_s(self, line: bytes) -> float:
        """How long the module takes to answer this command line."""
        name = _NAME.match(line.upper())
        extra = sum(
            seconds
            for seconds, slow in self.profile.slow_commands
            if name is not None and name[1].decode() == slow.upper()
        )
        return self.profile.command_latency_s + extra

    def finish(self, reply: Reply) -> None:
        """End a command whose handler returned None."""
        if self._say(reply):
            self._continue()

    def _run(self, line: bytes) -> None:
        calls = self._parse(line)
        if calls is None:
            self._end(ERROR)
            return
        self._calls = deque(calls)
        if not calls:
            self.ctx.commands["AT"] += 1
        self._continue()

    def _parse(self, line: bytes) -> list[Call] | None:
        if line[:2].upper() != b"AT":
            self.ctx.complain(f"not a command line: {line[:40]!r}")
            return None
        if len(line) - 2 > self.profile.max_line:
            self.ctx.complain(f"a command line of more than {self.profile.max_line} characters")
            return None
        calls = parse_line(line[2:].decode("latin-1"))
        if calls is None:
            self.ctx.unknown_command(line[:60].decode("latin-1"))
        return calls

    def _continue(self) -> None:
        while self._calls:
            call = self._calls.popleft()
            self.ctx.commands[call.name] += 1
            reply = self._handle(call)
            if reply is None or not self._say(reply):
                return
        self._end(OK)

    def _handle(self, call: Call) -> Reply | None:
        handler = self._handlers.get(call.name)
        if handler is None:
            self.ctx.unknown_command(call.name)
            return ERROR
        return handler(self, call)

    def _say(self, reply: Reply) -> bool:
        """Say a reply; True when the rest of the line may run."""
        self.out.info(*reply.info)
        if reply.after is not None:
            self._after.append(reply.after)
        if reply.final != "OK":
            self._end(reply)
            return False
        return True

    def _end(self, reply: Reply) -> None:
        after, self._after = self._after, []
        self._calls.clear()
        self.busy = False
        self.out.final(reply.final)
        for action in after:
            action()
        self.input.pump()

    # -- data entry --

    def enter_data(self, size: int | None, done: Done) -> None:
        """Prompt for payload; ``done`` gets it and must lead to ``finish``."""
        total = self.profile.prompt_latency_s
        extra = 0.0 if total is None else total - self.profile.command_latency_s
        self.ctx.later(extra, lambda: self._prompt(size, done))

    def _prompt(self, size: int | None, done: Done) -> None:
        self.out.prompt()
        self.input.open_entry(size, done, self.settings.values["+CIPTIMEOUT"][2] / 1000)
        self.input.pump()

    def entered(self, done: Done, payload: bytes | None) -> None:
        """Act on a complete data entry (``dte_input.Interpreter``)."""
        self.ctx.later(self.profile.command_latency_s, lambda: done(payload))

    def gave_up(self) -> None:
        """End a data entry that timed out; the peer got nothing of it."""
        self.finish(Reply(final=self.profile.entry_timeout_reply))

    # -- errors --

    def cme(self, code: int) -> Reply:
        """Fail with a CME error in the form that CMEE asks for."""
        mode = self.settings.one("+CMEE")
        if mode == 0:
            return ERROR
        return Reply(final=f"+CME ERROR: {code if mode == 1 else CME_ERRORS[code]}")

    def ip_error(self, text: str) -> Reply:
        """Fail with a ``+IP ERROR`` line."""
        return Reply((self.ctx.ip_error(text),), "ERROR")

    # -- power --

    def switch_off(self) -> None:
        """Be dead: no input, no output, everything forgotten that is not saved."""
        self.power = Power.OFF
        self.out.clear()
        self.ctx.timers.clear()
        self.ctx.settings = Settings(self.profile)
        self.stack.reboot()
        self.input.reset()
        self._calls.clear()
        self._after.clear()
        self.busy = False
        self.out.verbose, self.out.quiet = True, False

    def reboot(self, *, banner: bool = True) -> None:
        """Lose everything, be silent for a while, then say the banner.

        Args:
            banner: False for a reboot whose URCs nobody hears.
        """
        self.ctx.touch()
        self.switch_off()
        self.power = Power.BOOTING
        self.baudrate, self._next_baudrate = self.saved.baudrate, None
        self.ctx.timer(self.ctx.now + self.profile.boot_delay_s, lambda: self._booted(banner))

    def _booted(self, banner: bool) -> None:
        self.power = Power.ON
        self.radio.boot()
        if banner:
            self.out.put(Piece.RAW, self.profile.boot_noise)
            for delay, line in self.profile.banner:
                text = line.format(sim=self.radio.sim)
                self.ctx.later(delay, partial(self.out.urc, text))

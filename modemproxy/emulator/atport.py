"""One AT port of the module: lines in, one command at a time, answers out; no I/O.

One command line executes at a time on a port. A handler returns its Reply, or None and calls
``finish`` later. Commands joined with ``;`` run until the first that fails, and share one
final result code. What follows a final result (``+CIPOPEN: 0,0`` and the like) is the
``after`` of a Reply or a timer.

Echo, result code format, data entry and transparent mode belong to the port; everything else
is the module's, and shared by all its ports (protocol.md 15).
"""

import re
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, Protocol

from modemproxy.at.results import CME_ERRORS
from modemproxy.emulator.context import Context
from modemproxy.emulator.dte_input import DteInput
from modemproxy.emulator.entry import Done
from modemproxy.emulator.output import Output
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.radio import Radio
from modemproxy.emulator.reply import ERROR, OK, Reply
from modemproxy.emulator.saved import SavedSettings
from modemproxy.emulator.settings import Settings
from modemproxy.emulator.stack import Stack
from modemproxy.emulator.syntax import Call, parse_line

_NAME: Final = re.compile(rb"AT([+&]?[A-Z]+)")


class Power(Enum):
    """Whether the module listens."""

    OFF = "off"
    BOOTING = "booting"
    ON = "on"


class Module(Protocol):
    """What a port needs of the module behind it: ``dce.Dce``."""

    ctx: Context
    radio: Radio
    stack: Stack
    saved: SavedSettings
    forced_confirms: deque[int]
    power: Power
    baudrate: int
    autobaud: bool

    @property
    def handlers(self) -> Mapping[str, "Handler"]:
        """Command name -> handler."""

    def change_baudrate(self, rate: int) -> None:
        """Use another speed once what is queued has left; 0: that of the DTE."""

    def switch_off(self) -> None:
        """Be dead until ``power_on``."""

    def reboot(self) -> None:
        """Lose everything and boot."""


Handler = Callable[["AtPort", Call], Reply | None]


class AtPort:
    """The interpreter of one port.

    Args:
        module: what is behind it.
        out: the way to its DTE.

    Attributes:
        input: the receiving half.
        busy: a command line executes.
        dtr_mode: AT&D.
    """

    def __init__(self, module: Module, out: Output) -> None:
        self.module = module
        self.ctx = module.ctx
        self.radio = module.radio
        self.stack = module.stack
        self.saved = module.saved
        self.forced_confirms = module.forced_confirms
        self.out = out
        self.input = DteInput(self.ctx, self, out)
        self.busy = False
        self.dtr_mode = 0
        self._dtr = True
        self._echo = self.profile.boot_echo
        self._heard = self.ctx.now
        self._calls: deque[Call] = deque()
        self._after: list[Callable[[], None]] = []
        self._when_idle: list[Callable[[], None]] = []

    # -- short cuts for the chapters --

    @property
    def profile(self) -> Profile:
        """The dialect in force."""
        return self.ctx.profile

    @property
    def settings(self) -> Settings:
        """What was set since boot."""
        return self.ctx.settings

    @property
    def echo(self) -> bool:
        """ATE of this port."""
        return self._echo

    @echo.setter
    def echo(self, on: bool) -> None:
        self._echo = on

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
        asleep = self._asleep()
        self._heard = self.ctx.now
        if self.module.power is Power.ON and not asleep:
            self.input.receive(data)

    def _asleep(self) -> bool:
        """Whether these bytes only wake the module up (CSCLK=2, protocol.md 12.2)."""
        idle = self.ctx.now - self._heard >= self.profile.sleep_idle_s
        return idle and self.settings.one("+CSCLK") == 2 and not self.busy

    def take_output(self, limit: int | None = None) -> bytes:
        """Hand over what is to be sent now; goes on with a direct push that was held."""
        data = self.out.take(limit)
        if data:
            self.stack.flush_pushes()
        return data

    def set_dtr(self, on: bool) -> None:
        """Hear that DTR changed; falling, it ends transparent mode as AT&D says."""
        self.ctx.touch()
        fell, self._dtr = self._dtr and not on, on
        if fell and self.dtr_mode and self.input.session is not None:
            self.input.session.dtr_fell(self.dtr_mode)

    @property
    def carrier(self) -> bool:
        """DCD under AT&C1: whether a transparent connection is there."""
        return self.input.session is not None

    def reset(self) -> None:
        """Be as after a boot: nothing received, nothing to say, all per-port settings gone."""
        if self.input.session is not None:
            self.input.session.forget()
        self.out.clear()
        self.out.verbose, self.out.quiet = True, False
        self.input.reset()
        self.dtr_mode = 0
        self._echo = self.profile.boot_echo
        self._calls.clear()
        self._after.clear()
        self._when_idle.clear()
        self.busy = False

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

    def when_idle(self, action: Callable[[], None]) -> None:
        """Run ``action`` between two commands, at once when none executes."""
        if self.busy:
            self._when_idle.append(action)
        else:
            action()

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
        handler = self.module.handlers.get(call.name)
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
        after, self._after = self._after + self._when_idle, []
        self._when_idle = []
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

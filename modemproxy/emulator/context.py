"""What the parts of one module share: time, timers, settings, the way out, the record.

The core has no clock of its own: ``clock`` is given by the driver, and is read only at the
entry points (bytes in, a timer, the far side), so that within one step time stands still.
"""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

from modemproxy.at.results import IP_ERRORS
from modemproxy.emulator.output import Output
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.settings import Settings
from modemproxy.emulator.timers import Action, Timer, Timers

#: CATR's names for the ports (manual 2.2, protocol.md 12.2).
_UART: Final = 1
_ATCOM: Final = 3

_IP_CODES = {text: code for code, text in IP_ERRORS.items()}


class Context:
    """Shared by the command interpreter, the stack and the links of one module.

    Args:
        profile: the dialect.
        clock: seconds, monotonic.
        seed: of everything random.

    Attributes:
        now: the time of the current step.
        complaints: what the DTE did against the rules, in words.
        unknown: commands that were answered ERROR because nobody knows them.
        commands: how often each command came.
        out: the way out of the first port.
        outputs: those of all ports.
        powered: it runs; else it says nothing.
        on_complaint: told about each complaint and unknown command as it occurs.
        on_change: called when output or a timer was added.
    """

    def __init__(self, profile: Profile, clock: Callable[[], float], seed: int) -> None:
        self.profile = profile
        self.clock = clock
        self.now = clock()
        self.rng = Random(seed)
        self.on_change: Callable[[], None] = lambda: None
        self.on_complaint: Callable[[str], None] = lambda _text: None
        self.timers = Timers()
        self.out = Output(profile, self.rng, lambda: self.on_change())
        self.out.urc_codes = {_ATCOM if profile.usb else _UART}
        self.outputs = [self.out]
        self.powered = True
        self.settings = Settings(profile)
        self.complaints: list[str] = []
        self.unknown: list[str] = []
        self.commands: Counter[str] = Counter()

    def reporting(self) -> list[Output]:
        """Return where unsolicited lines go now: AT+CATR, 0 is everywhere (12.2)."""
        if not self.powered:
            return []
        where = self.settings.one("+CATR")
        heard = (out for out in self.outputs if out.plugged and out.hears_urcs)
        return [out for out in heard if not where or where in out.urc_codes]

    def urc(self, line: str) -> None:
        """Say something unasked on every port that is to hear it, CURCD ms later."""
        self.later(self.settings.one("+CURCD") / 1000, lambda: self._say_urc(line))

    def _say_urc(self, line: str) -> None:
        for out in self.reporting():
            out.urc(line)

    def touch(self) -> None:
        """Read the clock: a new step begins."""
        self.now = self.clock()

    def later(self, delay: float, action: Action) -> Timer | None:
        """Run ``action`` after ``delay`` seconds, at once when that is zero."""
        if delay <= 0:
            action()
            return None
        return self.timer(self.now + delay, action)

    def timer(self, when: float, action: Action) -> Timer:
        """Run ``action`` at ``when``, never at once."""
        timer = self.timers.at(when, action)
        self.on_change()
        return timer

    def complain(self, text: str) -> None:
        """Record that the DTE broke a rule of the dialogue."""
        self.complaints.append(text)
        self.on_complaint(text)

    def unknown_command(self, name: str) -> None:
        """Record a command that nobody knows."""
        self.unknown.append(name)
        self.on_complaint(f"unknown command {name}")

    def chance(self, probability: float) -> bool:
        """Throw the dice; never touches them when the answer is certain."""
        return probability > 0 and (probability >= 1 or self.rng.random() < probability)

    def ip_error(self, text: str) -> str:
        """Return the ``+IP ERROR`` line, as words or number (CIPCCFG errMode)."""
        if self.settings.values["+CIPCCFG"][3] == 0:
            return f"+IP ERROR: {_IP_CODES[text]}"
        return f"+IP ERROR: {text.lower() if self.profile.error_case == 'lower' else text}"

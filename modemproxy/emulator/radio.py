"""SIM and registration: what must be well before NETOPEN can be (manual chapters 4-6).

``CREG``, ``CGREG`` and ``CEREG`` have their own final stat each, because real networks
disagree with themselves. Until registered the three say 2 (searching), with a SIM that is
not open 0.
"""

from collections.abc import Callable
from typing import Final

from modemproxy.emulator.context import Context
from modemproxy.emulator.timers import Timer

#: CFUN levels under which the radio works.
FULL: Final = 1

_FIELDS: Final = {"+CREG": "creg", "+CGREG": "cgreg", "+CEREG": "cereg"}


class Radio:
    """State of SIM, PIN, CFUN and registration."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._timer: Timer | None = None
        self.pin_left = ctx.profile.pin_attempts
        self.puk_left = 10
        self.sim: str = ctx.profile.sim
        self.pin = ctx.profile.pin
        self.fun = FULL
        self.registered = False
        self.detached = False
        self.on_coverage: Callable[[bool], None] = lambda _there: None
        self._search()

    def boot(self) -> None:
        """Start afresh; a blocked SIM stays blocked, an open one asks again."""
        profile = self._ctx.profile
        if profile.sim != "SIM PIN" or self.pin_left > 0:
            self.sim = profile.sim
        self.fun = FULL
        self.registered = self.detached = False
        self.on_coverage(True)
        self._search()

    @property
    def ready(self) -> bool:
        """Whether the SIM is open."""
        return self.sim == "READY"

    @property
    def attached(self) -> bool:
        """Whether packet service is there."""
        profile = self._ctx.profile
        good = (1, 5, 11)
        return self.registered and (profile.cereg in good or profile.cgreg in good)

    def stat(self, name: str) -> int:
        """Return the registration stat as ``+CREG``, ``+CGREG`` or ``+CEREG`` has it."""
        if not self.ready or self.fun != FULL or self.detached:
            return 0
        return int(getattr(self._ctx.profile, _FIELDS[name])) if self.registered else 2

    def report(self, name: str) -> str:
        """Return the stat, with the cell when mode 2 asks for it."""
        stat = self.stat(name)
        if self._ctx.settings.one(name) < 2 or not self.registered:
            return str(stat)
        return f'{stat},"0001","00000001",7'

    def set_fun(self, level: int) -> None:
        """Take a CFUN level; leaving 1 loses the registration."""
        self.fun = level
        self._lose()
        self._search(self._again_s())

    def set_attached(self, on: bool) -> None:
        """CGATT: leave packet service, and with it LTE, or come back."""
        if on == (not self.detached):
            return
        self.detached = not on
        self._lose()
        self._search(self._again_s())

    def enter_pin(self, pin: str) -> bool:
        """Try a PIN; a third wrong one asks for the PUK."""
        if pin == self.pin:
            self.pin_left = self._ctx.profile.pin_attempts
            self._unlock()
            return True
        self.pin_left -= 1
        if self.pin_left <= 0:
            self.sim = "SIM PUK"
        return False

    def enter_puk(self, puk: str, pin: str) -> bool:
        """Try a PUK with a new PIN; a tenth wrong one is the end of the SIM."""
        if puk == self._ctx.profile.puk:
            self.pin = pin
            self.pin_left = self._ctx.profile.pin_attempts
            self._unlock()
            return True
        self.puk_left -= 1
        return False

    def lose_registration(self, after_s: float) -> None:
        """Lose coverage and be back after some time; what was sent meanwhile arrives then."""
        self._lose()
        self.on_coverage(False)
        self._search(after_s)

    def _again_s(self) -> float | None:
        return self._ctx.profile.reregistration_delay_s

    def _lose(self) -> None:
        was, self.registered = self.registered, False
        if was:
            self._announce()
            self._say_cgev("NW DETACH")

    def change_sim(self, state: str) -> None:
        """Have the SIM taken out, put in, or locked while the module runs."""
        self.sim = state
        self._lose()
        self._search()

    def _unlock(self) -> None:
        self.sim = "READY"
        self._ctx.urc("+CPIN: READY")
        self._search()

    def _search(self, delay_s: float | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.ready and self.fun == FULL and not self.detached:
            delay = self._ctx.profile.registration_delay_s if delay_s is None else delay_s
            self._timer = self._ctx.later(delay, self._found)

    def _found(self) -> None:
        self.registered = True
        self.on_coverage(True)
        self._announce()
        self._say_cgev("EPS PDN ACT 1")

    def _announce(self) -> None:
        # the unsolicited form has one field less than the answer to the query
        for name in _FIELDS:
            if self._ctx.settings.one(name):
                self._ctx.urc(f"{name}: {self.report(name)}")

    def _say_cgev(self, event: str) -> None:
        if self._ctx.profile.cgev or self._ctx.settings.one("+CGEREP"):
            self._ctx.urc(f"+CGEV: {event}")

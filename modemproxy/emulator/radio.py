"""SIM and registration: what must be well before NETOPEN can be (manual chapters 4-6).

``CREG``, ``CGREG`` and ``CEREG`` have their own final stat each, because real networks
disagree with themselves. Until registered the three say 2 (searching), with a SIM that is
not open 0.
"""

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
        self.denied = False
        self._search()

    def boot(self) -> None:
        """Start afresh; a blocked SIM stays blocked, an open one asks again."""
        profile = self._ctx.profile
        if profile.sim != "SIM PIN" or self.pin_left > 0:
            self.sim = profile.sim
        self.fun = FULL
        self.registered = False
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
        if not self.ready or self.fun != FULL:
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
        self.registered = False
        self._search()

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
        """Search again, and be back after some time."""
        self.registered = False
        self._announce()
        self._search(after_s)

    def _unlock(self) -> None:
        self.sim = "READY"
        self._ctx.out.urc("+CPIN: READY")
        self._search()

    def _search(self, delay_s: float | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.ready and self.fun == FULL:
            delay = self._ctx.profile.registration_delay_s if delay_s is None else delay_s
            self._timer = self._ctx.later(delay, self._found)

    def _found(self) -> None:
        self.registered = True
        self._announce()

    def _announce(self) -> None:
        # the unsolicited form has one field less than the answer to the query
        for name in _FIELDS:
            if self._ctx.settings.one(name):
                self._ctx.out.urc(f"{name}: {self.report(name)}")

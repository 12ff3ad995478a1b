"""The core: an A76XX as a DCE, without I/O (sans-IO).

In: bytes of the DTE (``receive``), the passing of time (``advance``), and calls of the far
side on the sinks of the stack. Out: bytes (``take_output``) and the time of the next timer
(``next_deadline``). Nothing waits, nothing reads a clock of its own.

The module is its own first AT port (``atport.AtPort``); ``second`` is another one that sees
the same links, settings and network.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from modemproxy.emulator.atport import AtPort, Handler, Power
from modemproxy.emulator.context import Context
from modemproxy.emulator.internet import Internet
from modemproxy.emulator.links import Link
from modemproxy.emulator.output import Output, Piece
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.radio import Radio
from modemproxy.emulator.saved import SavedSettings
from modemproxy.emulator.settings import Settings
from modemproxy.emulator.stack import Stack
from modemproxy.emulator.transparent import start_transparent

__all__ = ["Dce", "Handler", "Power"]

#: CATR's name for the second port (protocol.md 12.2).
_MODEM: Final = 2


class Dce(AtPort):
    """One module, reached through its first port.

    Args:
        profile: the dialect.
        internet: the far side.
        handlers: command name -> handler; see ``chapters.py``.
        clock: seconds, monotonic; read at entry points only.
        seed: of everything random.

    Attributes:
        ctx: time, settings, output, complaints.
        stack: network, links, servers.
        baudrate: the module's own rate, bits a second.
        autobaud: AT+IPR=0, the rate follows the DTE's.
        power: off, booting or on.
        on_presence: told when the USB device vanishes (False) and when it is back (True).
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
        self.radio = Radio(self.ctx)
        self.stack = Stack(self.ctx, internet, self.radio)
        self.saved = SavedSettings(profile)
        self.forced_confirms: deque[int] = deque()
        self.handlers = handlers
        self.baudrate = profile.baudrate
        self.autobaud = profile.autobaud
        self.power = Power.ON
        self.on_presence: Callable[[bool], None] = lambda _here: None
        super().__init__(self, self.ctx.out)
        self.ports: list[AtPort] = [self]
        self.stack.on_transparent_client = self._transparent_client
        self._next_baudrate: int | None = None

    @property
    def echo(self) -> bool:
        """ATE of the first port."""
        return self.settings.echo

    @echo.setter
    def echo(self, on: bool) -> None:
        self.settings.echo = on

    # -- ports --

    def add_port(self, wake: Callable[[], None]) -> AtPort:
        """Give the module another AT port (protocol.md 15).

        Args:
            wake: called when it has something to say.
        """
        out = Output(self.profile, self.ctx.rng, wake)
        out.urc_codes = {_MODEM}
        out.plugged = False
        self.ctx.outputs.append(out)
        port = AtPort(self, out)
        self.ports.append(port)
        return port

    def _transparent_client(self, link: Link) -> None:
        """A client of the transparent server is connected to the first port."""
        self.when_idle(lambda: start_transparent(self, link) if link.is_open else None)

    # -- time and speed --

    def output_sent(self) -> None:
        """Note that all output has left; a new line speed counts from here."""
        if self._next_baudrate is not None and not len(self.out):
            self.baudrate, self._next_baudrate = self._next_baudrate, None

    def change_baudrate(self, rate: int) -> None:
        """Use another speed once what is queued has left at the old one; 0: the DTE's."""
        self.autobaud = rate == 0
        self._next_baudrate = rate or None

    def follow_speed(self, rate: int, data: bytes) -> bool:
        """Take over the DTE's speed, if autobauding hears an AT in these bytes (12.2)."""
        if self.autobaud and data[:2].upper() == b"AT":
            self.baudrate = rate
            return True
        return False

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

    # -- power --

    def switch_off(self) -> None:
        """Be dead: no input, no output, everything forgotten that is not saved."""
        self.power = Power.OFF
        self.ctx.powered = False
        self.ctx.timers.clear()
        for port in self.ports:
            port.reset()
        self.ctx.settings = Settings(self.profile)
        self.stack.reboot()
        if self.profile.usb:
            self.on_presence(False)

    def power_on(self) -> None:
        """Press the power key of a module that is off."""
        if self.power is Power.OFF:
            self.reboot()

    def reboot(self, *, banner: bool = True) -> None:
        """Lose everything, be silent for a while, then say the banner.

        A USB device vanishes at once and is back ``usb_delay_s`` after the banner.

        Args:
            banner: False for a reboot whose URCs nobody hears.
        """
        self.ctx.touch()
        self.switch_off()
        self.power = Power.BOOTING
        self.baudrate, self._next_baudrate = self.saved.baudrate, None
        self.autobaud = self.saved.autobaud
        delay = self.profile.boot_delay_s
        self.ctx.timer(self.ctx.now + delay, lambda: self._booted(banner))
        if self.profile.usb:
            back = self.ctx.now + delay + self.profile.usb_delay_s
            self.ctx.timer(back, lambda: self.on_presence(True))

    def _booted(self, banner: bool) -> None:
        self.power = Power.ON
        self.ctx.powered = True
        self.radio.boot()
        if banner and not self.autobaud:  # which says nothing at a rate it does not know
            for port in self.ctx.reporting():
                port.put(Piece.RAW, self.profile.boot_noise)
            for delay, line in self.profile.banner:
                text = line.format(sim=self.radio.sim)
                self.ctx.later(delay, partial(self.ctx.urc, text))

"""Faults of the module as a whole and of its cable: restarts, silence, vanishing."""

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from modemproxy.emulator.faults_kind import Event, Filter, fault
from modemproxy.emulator.faults_params import BadValue, number
from modemproxy.emulator.faults_said import Said
from modemproxy.emulator.faults_site import MovableCable, Site
from modemproxy.emulator.profile import BAUDRATES

#: The overlay of the boot under way; a restart in the middle of a boot replaces it.
_BOOT: Final = "boot"

Banner = Literal["profile", "none", "RDY", "*ATREADY: 1"]


def restart(site: Site, banner: Banner, boot_s: float | None, baudrate: int | None) -> None:
    """Restart the module on its own.

    Args:
        site: the module.
        banner: what it says after it: that of the profile, nothing, or one line.
        boot_s: how long it is dead; None is the profile's ``boot_delay_s``.
        baudrate: the speed it comes back with; None is the saved one.
    """
    if baudrate is not None:
        site.dce.saved.baudrate = baudrate
    changes: dict[str, object] = {}
    if boot_s is not None:
        changes["boot_delay_s"] = boot_s
    if banner in ("RDY", "*ATREADY: 1"):
        changes["banner"] = ((0.0, banner),)
    site.lift(_BOOT)
    site.overlay(_BOOT, **changes)
    site.module.reboot(banner=banner != "none")
    site.restarts()
    # the timer is behind the one that ends the boot, which still needs the changes
    site.in_module(site.dce.profile.boot_delay_s, lambda: site.lift(_BOOT))


def check_rate(rate: int | None) -> None:
    """Refuse a speed that no module has."""
    if rate is not None and rate not in BAUDRATES:
        raise BadValue(f"{rate} is no speed ({', '.join(map(str, BAUDRATES))})", "baudrate")


@fault("reboot")
@dataclass(eq=False)
class Reboot(Event):
    """The module restarts on its own: settings and links are gone, echo is on."""

    abrupt: ClassVar[bool] = True
    banner: Banner = "profile"  # what it says when it is back
    boot_s: float | None = None  # how long it is dead; the profile's when left out
    baudrate: int | None = None  # the speed it comes back with; the saved one when left out
    unplug: bool = False  # its device vanishes meanwhile, as on USB

    def __post_init__(self) -> None:
        check_rate(self.baudrate)

    def detail(self) -> str:
        """Say how."""
        return f"banner {self.banner}"

    def begin(self) -> None:
        """Restart it."""
        site = self.site
        restart(site, self.banner, self.boot_s, self.baudrate)
        if self.unplug and site.cable is not None:
            site.cable.unplug()
            away = site.dce.profile.boot_delay_s if self.boot_s is None else self.boot_s
            site.later(away, site.cable.plug_in)


@fault("boot_loop")
@dataclass(eq=False)
class BootLoop(Event):
    """The module restarts again and again, as with a supply that is too weak."""

    stands: ClassVar[bool] = True
    abrupt: ClassVar[bool] = True
    period_s: float = number(8.0, least=0.1)  # from restart to restart
    banner: Banner = "profile"  # what it says each time
    boot_s: float | None = None  # how long it is dead each time

    def begin(self) -> None:
        """Restart it, and so on."""
        self._on = True
        self._restart()

    def end(self) -> None:
        """Let it be."""
        self._on = False

    def _restart(self) -> None:
        if self._on:
            restart(self.site, self.banner, self.boot_s, None)
            self.site.later(self.period_s, self._restart)


@fault("power_off")
@dataclass(eq=False)
class PowerOff(Event):
    """The module is off; lifted, it boots."""

    stands: ClassVar[bool] = True
    abrupt: ClassVar[bool] = True

    def begin(self) -> None:
        """Switch it off."""
        self.site.lift(_BOOT)
        self.site.dce.switch_off()
        self.site.restarts()

    def end(self) -> None:
        """Switch it on."""
        self.site.module.reboot()


@fault("vanish")
@dataclass(eq=False)
class Vanish(Event):
    """The device of the module vanishes (EIO, hang-up); lifted, it is back."""

    stands: ClassVar[bool] = True
    abrupt: ClassVar[bool] = True
    needs_cable: ClassVar[bool] = True
    elsewhere: bool = False  # it comes back with another number behind its stable name
    restarts: bool = False  # the module has restarted meanwhile

    def begin(self) -> None:
        """Pull the cable."""
        if self.site.cable is not None:
            self.site.cable.unplug()

    def end(self) -> None:
        """Plug it in."""
        cable = self.site.cable
        if self.restarts:
            self.site.module.reboot()
        if self.elsewhere and isinstance(cable, MovableCable):
            cable.plug_in_elsewhere()
        elif cable is not None:
            cable.plug_in()


@fault("deaf")
@dataclass(eq=False)
class Deaf(Filter):
    """The module works on nothing it is told; what it hears meanwhile is answered late."""

    lingers: ClassVar[bool] = True
    keep: bool = True  # false: what it hears meanwhile is lost

    def begin(self) -> None:
        """Note that it has begun."""
        self._heard = bytearray()
        self._settings = self.site.dce.settings
        self._on = self.strike("")

    def end(self) -> None:
        """Work on everything at once."""
        heard, self._heard = bytes(self._heard), bytearray()
        self._on = False
        # other settings: it has restarted, and what was in its buffers is gone
        same = self._settings is self.site.dce.settings
        if heard and same and self.site.powered:
            self.site.dce.input.receive_past(heard)

    def incoming(self, data: bytes, payload: int) -> bytes:
        """Keep it, or lose it."""
        if not self._on:
            return data
        if self._settings is not self.site.dce.settings:
            self._settings = self.site.dce.settings
            self._heard.clear()
        if self.keep:
            self._heard += data
        return b""


@fault("mute")
@dataclass(eq=False)
class Mute(Filter):
    """The module works, but nothing it says gets through; lifted, all of it does."""

    lingers: ClassVar[bool] = True
    keep: bool = True  # false: what it says meanwhile is lost

    def begin(self) -> None:
        """Note that it has begun."""
        self._on = self.strike("")
        if self._on and self.keep:
            self.site.wire.saying.take(self)

    def end(self) -> None:
        """Let it be heard."""
        self._on = False
        self.site.wire.saying.release(self)

    def said(self, said: Said) -> bytes:
        """Lose it."""
        return said.data if self.keep or not self._on else b""


@fault("blocked")
@dataclass(eq=False)
class Blocked(Event):
    """The module takes no bytes (CTS low): writes of the DTE block when buffers are full."""

    stands: ClassVar[bool] = True

    def begin(self) -> None:
        """Stop reading."""
        self.site.wire.reading.take(self)

    def end(self) -> None:
        """Go on reading."""
        self.site.wire.reading.release(self)


@fault("slow")
@dataclass(eq=False)
class Slow(Event):
    """The module takes longer for everything."""

    stands: ClassVar[bool] = True
    factor: float = 10.0  # times its latency
    add_s: float = 0.0  # and this much more

    def detail(self) -> str:
        """Say how slow."""
        return f"x {self.factor:g} + {self.add_s:g} s"

    def begin(self) -> None:
        """Change the dialect."""
        profile = self.site.dce.profile
        changes = {"command_latency_s": self._slowed(profile.command_latency_s)}
        if profile.prompt_latency_s is not None:
            changes["prompt_latency_s"] = self._slowed(profile.prompt_latency_s)
        self.site.overlay(self, **changes)

    def end(self) -> None:
        """Put it back."""
        self.site.lift(self)

    def _slowed(self, seconds: float) -> float:
        return seconds * self.factor + self.add_s


@fault("speed")
@dataclass(eq=False)
class Speed(Event):
    """The module is at another line speed all of a sudden; nobody told the DTE."""

    baudrate: int = 115200  # bits a second

    def __post_init__(self) -> None:
        check_rate(self.baudrate)

    def detail(self) -> str:
        """Say which."""
        return str(self.baudrate)

    def begin(self) -> None:
        """Change it."""
        self.site.dce.baudrate = self.baudrate


@fault("foreign_command")
@dataclass(eq=False)
class ForeignCommand(Event):
    """Another process writes a command to the port; the DTE sees an answer to it."""

    text: str = "AT"  # the command; a CR follows

    def possible(self) -> bool:
        """Whether there is a module to hear it."""
        return self.site.powered

    def detail(self) -> str:
        """Say what."""
        return self.text

    def begin(self) -> None:
        """Have the module hear it."""
        self.site.dce.input.receive_past(self.text.encode("latin-1", "replace") + b"\r")

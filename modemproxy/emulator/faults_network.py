"""Faults of the network: context, NETOPEN, address, registration, SIM (manual 4-6, 15)."""

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from modemproxy.emulator.commands_names import is_address
from modemproxy.emulator.faults_kind import Event, Filter, Proceed, fault
from modemproxy.emulator.faults_site import Site
from modemproxy.emulator.reply import ERROR, Reply, error, ok
from modemproxy.emulator.syntax import Call, Form

#: Longer than any run: registration that does not come by itself.
_NEVER_S: Final = 1e9

#: What brings a dead bearer back to life.
Revival = Literal["lifted", "netopen", "reset"]


def _cut(site: Site, holder: object, until: Revival) -> None:
    """Let nothing pass the bearer until it is released, by itself or by what revives it.

    What links and hosts send waits, as TCP would retransmit it; the end of a link that is
    closed meanwhile waits too.
    """
    wan = site.dce.stack.wan
    wan.hold(holder)
    if until == "netopen":
        site.on_netopen.append(lambda: wan.release(holder))
    elif until == "reset":
        site.on_reset.append(lambda: wan.release(holder))


@fault("lose_network")
@dataclass(eq=False)
class LoseNetwork(Event):
    """The network takes the context away: all links and servers are gone."""

    urc: bool = True  # +CIPEVENT: NETWORK CLOSED UNEXPECTEDLY is said
    netopen_says: Literal[0, 1] = 0  # what NETOPEN? answers afterwards

    def possible(self) -> bool:
        """Whether there is one to lose."""
        return self.site.dce.stack.net

    def begin(self) -> None:
        """Lose it."""
        with self.site.dialect(netopen_after_loss=self.netopen_says):
            self.site.module.lose_network(urc=self.urc)


@fault("network_dead")
@dataclass(eq=False)
class NetworkDead(Event):
    """The context is dead without a word: sends are accepted and never acknowledged."""

    stands: ClassVar[bool] = True
    until: Revival = "lifted"  # what else brings it back to life

    def begin(self) -> None:
        """Let nothing through; opens time out, pings fail, names are not found."""
        _cut(self.site, self, self.until)

    def end(self) -> None:
        """Let everything through that waits, in order."""
        self.site.dce.stack.wan.release(self)


@fault("netopen_fails")
@dataclass(eq=False)
class NetopenFails(Filter):
    """A NETOPEN fails."""

    how: Literal["result", "error", "mute"] = "result"  # OK and +NETOPEN: err, ERROR, only OK
    err: int = 1  # the result

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Fail it."""
        opens = call.name == "+NETOPEN" and call.form in (Form.EXECUTE, Form.SET)
        if not opens or self.site.dce.stack.net_state or not self.strike(self.how):
            return proceed(call)
        if self.how == "error":
            return ERROR
        line = f"+NETOPEN: {self.err}"
        return ok(after=None if self.how == "mute" else lambda: self.site.dce.out.urc(line))


@fault("dns_fails")
@dataclass(eq=False)
class DnsFails(Filter):
    """A name is not found: CDNSGIP says 0,10, a CIPOPEN of a name fails with 11."""

    delay_s: float = 0.0  # how long that takes; CDNSGIP has the line meanwhile

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Fail it."""
        line, looks_up = self._failure(call), call.name == "+CDNSGIP"
        if not line or not self.strike(call.raw):
            return proceed(call)
        if not looks_up:
            return ok(after=lambda: self._say_later(line))
        if not self.delay_s:
            return error(line)
        self.site.in_module(self.delay_s, lambda: self.site.dce.finish(error(line)))
        return None

    def _failure(self, call: Call) -> str:
        """Return what a command is told, "" where it needs no name."""
        stack = self.site.dce.stack
        if call.form is not Form.SET:
            return ""
        if call.name == "+CDNSGIP":
            return "" if is_address(call.text(0)) else "+CDNSGIP: 0,10"
        number = call.number(0)
        opens = call.name == "+CIPOPEN" and call.text(1).upper() == "TCP" and stack.net
        named = bool(call.text(2)) and not is_address(call.text(2))
        if not opens or not named or number is None or number not in stack.free_numbers():
            return ""
        return f"+CIPOPEN: {number},11"

    def _say_later(self, line: str) -> None:
        self.site.dce.ctx.later(self.delay_s, lambda: self.site.dce.out.urc(line))


@fault("new_address")
@dataclass(eq=False)
class NewAddress(Event):
    """The network gives the module another IP address."""

    address: str = "10.84.99.7"  # the new one
    told: bool = False  # +CGEV lines say that the bearer went and came
    links_die: bool = True  # what is open moves no byte any more, until NETOPEN

    def detail(self) -> str:
        """Say which."""
        return self.address

    def begin(self) -> None:
        """Change it for good."""
        self.site.module.set_profile(address=self.address)
        if self.links_die and self.site.dce.stack.net:
            _cut(self.site, self, "netopen")
        if self.told:
            self.site.say("+CGEV: NW PDN DEACT 1")
            self.site.say("+CGEV: EPS PDN ACT 1")


@fault("registration")
@dataclass(eq=False)
class Registration(Event):
    """The module is not registered."""

    stands: ClassVar[bool] = True
    state: Literal["searching", "denied"] = "searching"  # CEREG: 2 or 3
    urc: bool = True  # with a context that was open: +CIPEVENT says so

    def detail(self) -> str:
        """Say how."""
        return self.state

    def begin(self) -> None:
        """Lose it, and the context with it."""
        site = self.site
        denied = self.state == "denied"
        if denied:
            site.overlay(self, creg=3, cgreg=3, cereg=3)
        else:
            never = {"registration_delay_s": _NEVER_S, "reregistration_delay_s": _NEVER_S}
            site.overlay(self, **never)
        if site.powered:
            site.dce.radio.lose_registration(0 if denied else _NEVER_S)
        if site.dce.stack.net:
            site.dce.stack.lose(urc=self.urc)

    def end(self) -> None:
        """Register again."""
        self.site.lift(self)
        if self.site.powered:
            self.site.dce.radio.lose_registration(0)


@fault("sim")
@dataclass(eq=False)
class Sim(Event):
    """The SIM is gone, or asks for a code."""

    stands: ClassVar[bool] = True
    state: Literal["NOT INSERTED", "SIM PIN", "SIM PUK"] = "NOT INSERTED"  # what CPIN? says
    urc: bool = True  # it is said, and +CIPEVENT where a context was open

    def detail(self) -> str:
        """Say how."""
        return self.state

    def begin(self) -> None:
        """Take it out."""
        site = self.site
        site.overlay(self, sim=self.state)
        if site.powered:
            site.dce.radio.change_sim(self.state)
        if self.urc:
            site.say(f"+CPIN: {self.state}")
        if site.dce.stack.net:
            site.dce.stack.lose(urc=self.urc)

    def end(self) -> None:
        """Put it in again."""
        self.site.lift(self)
        if self.site.powered:
            self.site.dce.radio.change_sim(self.site.dce.profile.sim)
            self.site.say(f"+CPIN: {self.site.dce.radio.sim}")


@fault("radio_off")
@dataclass(eq=False)
class RadioOff(Filter):
    """The radio is switched off (CFUN=0) by nobody."""

    lingers: ClassVar[bool] = True
    stuck: bool = False  # CFUN=1 is refused as long as it holds

    def begin(self) -> None:
        """Switch it off."""
        self._on = self.strike("")
        if self._on:
            self.site.dce.stack.lose(urc=False)
            self.site.dce.radio.set_fun(0)

    def end(self) -> None:
        """Switch it on."""
        radio = self.site.dce.radio
        if self._on and self.site.powered and radio.fun == 0:
            radio.set_fun(1)

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Refuse to switch it on."""
        sets = call.name == "+CFUN" and call.form is Form.SET and call.number(0) == 1
        return (
            ERROR if self.stuck and self._on and sets and call.number(1) != 1 else proceed(call)
        )

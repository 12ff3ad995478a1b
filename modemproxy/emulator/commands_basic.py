"""V.250 commands, identity and line speed (manual chapters 2 and 3)."""

from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.commands_network import sim_missing
from modemproxy.emulator.profile import BAUDRATES
from modemproxy.emulator.reply import ERROR, OK, Reply, ok
from modemproxy.emulator.saved import Stored
from modemproxy.emulator.settings import SPECS, Settings
from modemproxy.emulator.syntax import Call, Form


def _flag(call: Call) -> bool | None:
    """Return a basic command's 0 or 1 (nothing means 0)."""
    value = call.text(0) or "0"
    return value == "1" if value in ("0", "1") else None


def echo(dce: AtPort, call: Call) -> Reply:
    """ATE: the answer to ATE0 was still echoed."""
    flag = _flag(call)
    if flag is None:
        return ERROR
    dce.echo = flag
    return OK


def verbose(dce: AtPort, call: Call) -> Reply:
    """ATV: words or numbers; holds from this very answer on."""
    flag = _flag(call)
    if flag is None:
        return ERROR
    dce.out.verbose = flag
    return OK


def quiet(dce: AtPort, call: Call) -> Reply:
    """ATQ: final result codes off and on."""
    flag = _flag(call)
    if flag is None:
        return ERROR
    dce.out.quiet = flag
    return OK


def accepted(_dce: AtPort, _call: Call) -> Reply:
    """Be told something that changes nothing here."""
    return OK


def factory(dce: AtPort, _call: Call) -> Reply:
    """AT&F: the profile's settings back, echo on; the socket settings stay."""
    fresh = Settings(dce.profile)
    dce.echo, dce.dtr_mode = fresh.echo, 0
    for name in ("+CMEE", "+CREG", "+CGREG", "+CEREG", "+IFC"):
        dce.settings.values[name] = fresh.values[name]
    dce.out.verbose, dce.out.quiet = True, False
    return OK


def restore(dce: AtPort, call: Call) -> Reply:
    """ATZ: what AT&W stored."""
    stored = dce.saved.stored
    if stored is None:
        return factory(dce, call)
    dce.echo, dce.dtr_mode = stored.echo, stored.dtr_mode
    dce.out.verbose, dce.out.quiet = stored.verbose, stored.quiet
    return OK


def store(dce: AtPort, _call: Call) -> Reply:
    """AT&W: E, V, Q and &D."""
    out = dce.out
    dce.saved.stored = Stored(dce.echo, out.verbose, out.quiet, dce.dtr_mode)
    return OK


def dtr(dce: AtPort, call: Call) -> Reply:
    """AT&D: what a falling DTR does in transparent mode (protocol.md 10)."""
    mode = call.text(0) or "0"
    if mode not in ("0", "1", "2"):
        return ERROR
    dce.dtr_mode = int(mode)
    return OK


def view(dce: AtPort, _call: Call) -> Reply:
    """AT&V: the profile in short."""
    echoing, silent, words = int(dce.echo), int(dce.out.quiet), int(dce.out.verbose)
    set_here = f"&C1; &D{dce.dtr_mode}; E{echoing}; Q{silent}; V{words}"
    return ok(f"{set_here}; X0; S0:0; S3:13; S4:10; S5:8")


def identify(dce: AtPort, _call: Call) -> Reply:
    """ATI and SIMCOMATI."""
    profile = dce.profile
    return ok(
        f"Manufacturer: {profile.manufacturer}",
        f"Model: {profile.model}",
        f"Revision: {profile.firmware}",
        f"IMEI: {profile.imei}",
    )


def build(dce: AtPort, _call: Call) -> Reply:
    """SIMCOMATI: where the firmware really comes from."""
    return ok(f"Revision: {dce.profile.firmware}", f"Build: {dce.profile.build}")


_WORDS: Final = {
    "+CGMI": ("", "manufacturer"),
    "+GMI": ("", "manufacturer"),
    "+CGMM": ("", "model"),
    "+GMM": ("", "model"),
    "+CGMR": ("+CGMR: ", "firmware"),
    "+GMR": ("+GMR: ", "firmware"),
    "+CGSN": ("", "imei"),
    "+GSN": ("", "imei"),
    "+CIMI": ("", "imsi"),
    "+CICCID": ("+ICCID: ", "iccid"),
}


#: What cannot be said without a SIM; the IMSI not before its PIN, either.
_OF_THE_SIM: Final = ("imsi", "iccid")


def word(dce: AtPort, call: Call) -> Reply:
    """Say one identity string."""
    prefix, field = _WORDS[call.name]
    if call.form is Form.TEST:
        return OK
    missing = sim_missing(dce) if field in _OF_THE_SIM else None
    if missing is not None and (field == "imsi" or dce.radio.sim == "NOT INSERTED"):
        return missing
    return ok(f"{prefix}{getattr(dce.profile, field)}")


def speed(dce: AtPort, call: Call) -> Reply:
    """IPR (volatile) and IPREX (saved): the OK still comes at the old rate (12.2)."""
    match call.form:
        case Form.TEST:
            return ok(f"{call.name}: ({','.join(map(str, BAUDRATES))})")
        case Form.QUERY:
            return ok(f"{call.name}: {0 if dce.module.autobaud else dce.module.baudrate}")
    rate = call.number(0)
    if rate not in BAUDRATES and not (rate == 0 and dce.profile.autobaud):
        return ERROR
    if call.name == "+IPREX":
        dce.saved.baudrate = rate or dce.module.baudrate
        dce.saved.autobaud = rate == 0
    return ok(after=lambda: dce.module.change_baudrate(rate))


def clac(_dce: AtPort, _call: Call) -> Reply:
    """CLAC: the numeric settings, as a list."""
    return ok(*SPECS)


_REGISTERS: Final = {"0": 0, "3": 13, "4": 10, "5": 8}


def register(_dce: AtPort, call: Call) -> Reply:
    """ATSn: the registers can be read; setting them changes nothing here."""
    number, value = call.args
    if call.form is Form.QUERY:
        return ok(f"{_REGISTERS[number]:03}") if number in _REGISTERS else ERROR
    return OK if number and value else ERROR


HANDLERS: Final[dict[str, Handler]] = {
    "E": echo,
    "V": verbose,
    "Q": quiet,
    "Z": restore,
    "&F": factory,
    "&W": store,
    "&V": view,
    "S": register,
    "&D": dtr,
    "I": identify,
    "+SIMCOMATI": build,
    "+CLAC": clac,
    "+IPR": speed,
    "+IPREX": speed,
    **dict.fromkeys(_WORDS, word),
    **dict.fromkeys(("X", "L", "M", "H", "&C", "&K", "&S", "+FCLASS"), accepted),
}

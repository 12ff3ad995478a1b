"""V.250 commands, identity and line speed (manual chapters 2 and 3)."""

from typing import Final

from modemproxy.emulator.dce import Dce, Handler
from modemproxy.emulator.profile import BAUDRATES
from modemproxy.emulator.reply import ERROR, OK, Reply, ok
from modemproxy.emulator.saved import Stored
from modemproxy.emulator.settings import SPECS, Settings
from modemproxy.emulator.syntax import Call, Form


def _flag(call: Call) -> bool | None:
    """Return a basic command's 0 or 1 (nothing means 0)."""
    value = call.text(0) or "0"
    return value == "1" if value in ("0", "1") else None


def echo(dce: Dce, call: Call) -> Reply:
    """ATE: the answer to ATE0 was still echoed."""
    flag = _flag(call)
    if flag is None:
        return ERROR
    dce.settings.echo = flag
    return OK


def verbose(dce: Dce, call: Call) -> Reply:
    """ATV: words or numbers; holds from this very answer on."""
    flag = _flag(call)
    if flag is None:
        return ERROR
    dce.out.verbose = flag
    return OK


def quiet(dce: Dce, call: Call) -> Reply:
    """ATQ: final result codes off and on."""
    flag = _flag(call)
    if flag is None:
        return ERROR
    dce.out.quiet = flag
    return OK


def accepted(_dce: Dce, _call: Call) -> Reply:
    """Be told something that changes nothing here."""
    return OK


def factory(dce: Dce, _call: Call) -> Reply:
    """AT&F: the profile's settings back, echo on; the socket settings stay."""
    fresh = Settings(dce.profile)
    dce.settings.echo = fresh.echo
    for name in ("+CMEE", "+CREG", "+CGREG", "+CEREG", "+IFC"):
        dce.settings.values[name] = fresh.values[name]
    dce.out.verbose, dce.out.quiet = True, False
    return OK


def restore(dce: Dce, call: Call) -> Reply:
    """ATZ: what AT&W stored."""
    stored = dce.saved.stored
    if stored is None:
        return factory(dce, call)
    dce.settings.echo = stored.echo
    dce.out.verbose, dce.out.quiet = stored.verbose, stored.quiet
    return OK


def store(dce: Dce, _call: Call) -> Reply:
    """AT&W: E, V and Q."""
    dce.saved.stored = Stored(dce.settings.echo, dce.out.verbose, dce.out.quiet)
    return OK


def view(dce: Dce, _call: Call) -> Reply:
    """AT&V: the profile in short."""
    flags = int(dce.settings.echo), int(dce.out.quiet), int(dce.out.verbose)
    return ok(f"&C1; &D0; E{flags[0]}; Q{flags[1]}; V{flags[2]}; X0; S0:0; S3:13; S4:10; S5:8")


def identify(dce: Dce, _call: Call) -> Reply:
    """ATI and SIMCOMATI."""
    profile = dce.profile
    return ok(
        f"Manufacturer: {profile.manufacturer}",
        f"Model: {profile.model}",
        f"Revision: {profile.firmware}",
        f"IMEI: {profile.imei}",
    )


def build(dce: Dce, _call: Call) -> Reply:
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


def word(dce: Dce, call: Call) -> Reply:
    """Say one identity string."""
    prefix, field = _WORDS[call.name]
    if call.form is Form.TEST:
        return OK
    return ok(f"{prefix}{getattr(dce.profile, field)}")


def speed(dce: Dce, call: Call) -> Reply:
    """IPR (volatile) and IPREX (saved): the OK still comes at the old rate (12.2)."""
    match call.form:
        case Form.TEST:
            return ok(f"{call.name}: ({','.join(map(str, BAUDRATES))})")
        case Form.QUERY:
            return ok(f"{call.name}: {dce.baudrate}")
    rate = call.number(0)
    if rate not in BAUDRATES:
        return ERROR
    if call.name == "+IPREX":
        dce.saved.baudrate = rate
    return ok(after=lambda: dce.change_baudrate(rate))


def clac(_dce: Dce, _call: Call) -> Reply:
    """CLAC: the numeric settings, as a list."""
    return ok(*SPECS)


HANDLERS: Final[dict[str, Handler]] = {
    "E": echo,
    "V": verbose,
    "Q": quiet,
    "Z": restore,
    "&F": factory,
    "&W": store,
    "&V": view,
    "I": identify,
    "+SIMCOMATI": build,
    "+CLAC": clac,
    "+IPR": speed,
    "+IPREX": speed,
    **dict.fromkeys(_WORDS, word),
    **dict.fromkeys(("X", "L", "M", "H", "S", "&C", "&D", "&K", "&S", "+FCLASS"), accepted),
}

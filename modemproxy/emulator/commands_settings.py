"""Commands that only store numbers: test, query, set and execute from one table.

See ``settings.SPECS``. The execute form restores the default, as CIPMODE, CIPHEAD and
their like do (manual 15.2).
"""

from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.reply import ERROR, OK, Reply, ok
from modemproxy.emulator.settings import SPECS
from modemproxy.emulator.syntax import Call, Form

_UDP_MODE = 7


def setting(dce: AtPort, call: Call) -> Reply:
    """Say or store the numbers of one command."""
    spec = SPECS[call.name]
    values = dce.settings.values[call.name]
    match call.form:
        case Form.TEST:
            return ok(f"{call.name}: " + ",".join(_range(*pair) for pair in spec.ranges))
        case Form.QUERY:
            return ok(f"{call.name}: " + ",".join(map(str, values)))
        case Form.EXECUTE:
            values[:] = spec.default
            return OK
    given = _numbers(call)
    if given is None or not spec.accepts(given):
        return ERROR
    for index, value in enumerate(given):
        values[index] = values[index] if value is None else value
    return OK


def _range(low: int, high: int) -> str:
    return f"({low})" if low == high else f"({low}-{high})"


def _numbers(call: Call) -> list[int | None] | None:
    """Return the parameters, None for one left out; None when one is no number."""
    given = [call.number(index) for index in range(len(call.args))]
    bad = any(text and value is None for text, value in zip(call.args, given, strict=True))
    return None if bad else given


def cipccfg(dce: AtPort, call: Call) -> Reply:
    """CIPCCFG (15.2.13): seven or eight fields, by firmware."""
    if dce.profile.cipccfg_fields == 8:
        return setting(dce, call)
    if len(call.args) > _UDP_MODE:
        return ERROR
    reply = setting(dce, call)
    last = "," if call.form in (Form.QUERY, Form.TEST) else None
    return ok(*(line.rpartition(last)[0] for line in reply.info)) if last else reply


def cipsendmode(dce: AtPort, call: Call) -> Reply:
    """CIPSENDMODE: not every firmware has it."""
    return setting(dce, call) if dce.profile.cipsendmode else ERROR


def ctcpka(dce: AtPort, call: Call) -> Reply:
    """CTCPKA: not every firmware has it."""
    return setting(dce, call) if dce.profile.ctcpka else ERROR


def csocksetpn(dce: AtPort, call: Call) -> Reply:
    """CSOCKSETPN (15.2.1): refused while the network is open."""
    if call.form is Form.TEST:
        return ok("+CSOCKSETPN: (1),(1,6)")
    if call.form is Form.SET and (dce.stack.net or call.number(1) not in (None, 1, 6)):
        return ERROR
    return setting(dce, call)


def registration(dce: AtPort, call: Call) -> Reply:
    """CREG, CGREG, CEREG (chapter 5): the query says mode and stat."""
    if call.form is Form.QUERY:
        mode = dce.settings.one(call.name)
        return ok(f"{call.name}: {mode},{dce.radio.report(call.name)}")
    return setting(dce, call)


HANDLERS: Final[dict[str, Handler]] = {
    **dict.fromkeys(SPECS, setting),
    "+CIPCCFG": cipccfg,
    "+CIPSENDMODE": cipsendmode,
    "+CTCPKA": ctcpka,
    "+CSOCKSETPN": csocksetpn,
    "+CREG": registration,
    "+CGREG": registration,
    "+CEREG": registration,
}

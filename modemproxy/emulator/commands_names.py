"""Names and the socket options (manual 15.2.14-15.2.24): CDNSGIP and its kin."""

from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.reply import ERROR, OK, Reply, error, ok
from modemproxy.emulator.syntax import Call, Form

_DNS_FAILED: Final = 10


def cdnsgip(dce: AtPort, call: Call) -> Reply | None:
    """CDNSGIP: blocks the channel until the name is known or not."""
    if call.form is not Form.SET or not call.text(0):
        return OK if call.form is Form.TEST else ERROR
    name = call.text(0)
    if not dce.radio.attached or dce.stack.wan.held:
        return error(f"+CDNSGIP: 0,{_DNS_FAILED}")
    dce.ctx.later(dce.profile.dns_delay_s, lambda: _look_up(dce, name))
    return None


def _look_up(dce: AtPort, name: str) -> None:
    def done(address: str | None) -> None:
        dce.ctx.touch()
        if address is None:
            dce.finish(error(f"+CDNSGIP: 0,{_DNS_FAILED}"))
        else:
            dce.finish(ok(f'+CDNSGIP: 1,"{name}","{address}"'))

    dce.stack.internet.resolve(name, done)


def cdnscfg(dce: AtPort, call: Call) -> Reply:
    """CDNSCFG: the read form has no tag."""
    dns = dce.settings.dns
    if call.form is Form.QUERY:
        return ok(f"Primary IPv4 DNS: {dns[0]},Secondary IPv4 DNS: {dns[1]}")
    if call.form is Form.SET:
        if not call.text(0):
            return ERROR
        dns[0] = call.text(0)
        dns[1] = call.text(1) or dns[1]
    return OK


def cipcfg(dce: AtPort, call: Call) -> Reply:
    """CIPCFG: DATAECHO and transwaittm; older firmware has none of it."""
    if not dce.profile.cipcfg:
        return ERROR
    settings = dce.settings
    shown = "ON" if settings.data_echo else "OFF"
    match call.form, call.text(0).upper(), call.text(1).upper():
        case Form.TEST, _, _:
            return ok('+CIPCFG:"transwaittm",(5-1000)', '+CIPCFG:"DATAECHO",("ON","OFF")')
        case Form.QUERY, _, _:
            wait = settings.transwait_ms
            return ok(f'+CIPCFG: "transwaittm",{wait}', f'+CIPCFG: "DATAECHO","{shown}"')
        case Form.SET, "DATAECHO", "ON" | "OFF":
            settings.data_echo = call.text(1).upper() == "ON"
            return OK
        case Form.SET, "TRANSWAITTM", text if text.isdecimal() and 5 <= int(text) <= 1000:
            settings.transwait_ms = int(text)
            return OK
    return ERROR


def csoc(dce: AtPort, call: Call) -> Reply:
    """CSOC: options by name."""
    options = dce.settings.csoc
    if call.form is Form.QUERY:
        return ok(*(f'+CSOC: "{name}",{value}' for name, value in options.items()))
    if call.form is Form.SET:
        if call.text(0) not in options or len(call.args) < 2:
            return ERROR
        options[call.text(0)] = ",".join(call.args[1:])
    return OK


HANDLERS: Final[dict[str, Handler]] = {
    "+CDNSGIP": cdnsgip,
    "+CDNSCFG": cdnscfg,
    "+CIPCFG": cipcfg,
    "+CSOC": csoc,
}

"""Names and the socket options (manual 15.2.14-15.2.24): CDNSGIP and its kin."""

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.reply import ERROR, OK, Reply, error, ok
from modemproxy.emulator.syntax import Call, Form

_DNS_FAILED: Final = 10
#: What the manual allows in a name (15.2.14), and what an address needs on top.
_NAME: Final = re.compile(r"[A-Za-z0-9._:-]{1,254}")
_LABEL_LIMIT: Final = 63
#: Which addresses a context of a kind (CGDCONT) has a use for.
_FAMILIES: Final = {"IP": (4,), "IPV6": (6,), "IPV4V6": (4, 6)}


def is_host(text: str) -> bool:
    """Say whether this can be a host: a name as CDNSGIP takes it, or an address."""
    labels = text.removesuffix(".").split(".")
    return bool(_NAME.fullmatch(text)) and all(len(label) <= _LABEL_LIMIT for label in labels)


def is_address(text: str) -> bool:
    """Say whether this is an address of either family."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def cdnsgip(dce: AtPort, call: Call) -> Reply | None:
    """CDNSGIP: blocks the channel until the name is known or not."""
    if call.form is not Form.SET or not call.text(0):
        return OK if call.form is Form.TEST else ERROR
    name = call.text(0)
    if not is_host(name):
        dce.ctx.complain(f"CDNSGIP of {name!r}, which is no host name")
        return ERROR
    if not dce.radio.attached or dce.stack.wan.held:
        return error(f"+CDNSGIP: 0,{_DNS_FAILED}")
    dce.ctx.later(dce.profile.dns_delay_s, lambda: _look_up(dce, name))
    return None


def _look_up(dce: AtPort, name: str) -> None:
    def done(addresses: Sequence[str]) -> None:
        dce.ctx.touch()
        families = _FAMILIES.get(_context_kind(dce), (4, 6))
        found = [each for each in addresses if ip_address(each).version in families]
        lines = tuple(_found_lines(dce, name, found))
        dce.finish(ok(*lines) if lines else error(f"+CDNSGIP: 0,{_DNS_FAILED}"))

    dce.stack.internet.resolve(name, done)


def _context_kind(dce: AtPort) -> str:
    """Return the kind of the PDP context that CSOCKSETPN chose."""
    context = dce.saved.contexts.get(dce.settings.one("+CSOCKSETPN"))
    return context.kind if context is not None else "IP"


def _found_lines(dce: AtPort, name: str, found: list[str]) -> Iterator[str]:
    match dce.profile.dns_form:
        case "fields" if found:
            quoted = ",".join(f'"{address}"' for address in found)
            yield f'+CDNSGIP: 1,"{name}",{quoted}'
        case "first":
            yield from (f'+CDNSGIP: 1,"{name}","{address}"' for address in found[:1])
        case "lines":
            numbered = enumerate(found, 1)
            yield from (f'+CDNSGIP: {n},"{name}","{address}"' for n, address in numbered)


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

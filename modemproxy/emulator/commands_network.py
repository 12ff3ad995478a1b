"""SIM, signal, registration, PDP contexts, clock and power (manual chapters 4 to 8)."""

from dataclasses import replace
from functools import partial
from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.radio import FULL
from modemproxy.emulator.reply import ERROR, OK, Reply, ok
from modemproxy.emulator.saved import PdpContext
from modemproxy.emulator.syntax import Call, Form

_KINDS: Final = ("IP", "IPV6", "IPV4V6")
_CIDS: Final = range(1, 16)
_NO_SIM, _NEEDS_PIN, _NEEDS_PUK, _BAD_PASSWORD = 10, 11, 12, 16
_NOT_ALLOWED, _BAD_VALUE = 3, 50


def cpin(dce: AtPort, call: Call) -> Reply | None:
    """CPIN (4.2.2): ask, or enter a PIN, or a PUK and a new PIN."""
    radio = dce.radio
    if radio.sim == "NOT INSERTED":
        return dce.cme(_NO_SIM)
    if call.form is Form.QUERY:
        return ok(f"+CPIN: {radio.sim}")
    if call.form is not Form.SET:
        return OK
    dce.ctx.later(dce.profile.pin_delay_s, lambda: dce.finish(_unlock(dce, call)))
    return None


def _unlock(dce: AtPort, call: Call) -> Reply:
    radio = dce.radio
    if radio.sim == "SIM PIN":
        good = radio.enter_pin(call.text(0))
    elif radio.sim == "SIM PUK" and len(call.args) == 2:
        good = radio.enter_puk(call.text(0), call.text(1))
    else:
        return dce.cme(_NEEDS_PUK if radio.sim == "SIM PUK" else _NOT_ALLOWED)
    return OK if good else dce.cme(_BAD_PASSWORD)


def sim_missing(dce: AtPort) -> Reply | None:
    """Return the CME error of a SIM that is not open."""
    codes = {"NOT INSERTED": _NO_SIM, "SIM PIN": _NEEDS_PIN, "SIM PUK": _NEEDS_PUK}
    code = codes.get(dce.radio.sim)
    return None if code is None else dce.cme(code)


def spic(dce: AtPort, _call: Call) -> Reply:
    """SPIC: attempts left for PIN, PUK, PIN2, PUK2."""
    return ok(f"+SPIC: {max(0, dce.radio.pin_left)},{dce.radio.puk_left},3,10")


def csq(dce: AtPort, call: Call) -> Reply:
    """CSQ: 99 until registered."""
    if call.form is Form.TEST:
        return ok("+CSQ: (0-31,99),(0-7,99)")
    if not dce.radio.registered:
        return ok("+CSQ: 99,99")
    return ok(f"+CSQ: {dce.profile.csq},{dce.profile.csq_ber}")


def cops(dce: AtPort, call: Call) -> Reply:
    """COPS: the operator, once registered."""
    if call.form is not Form.QUERY:
        return OK
    name = dce.profile.operator
    return ok(f'+COPS: 0,0,"{name}",7' if dce.radio.registered else "+COPS: 0")


def cpsi(dce: AtPort, _call: Call) -> Reply:
    """CPSI?: the serving cell."""
    if not dce.radio.registered:
        return ok("+CPSI: NO SERVICE,Online")
    return ok("+CPSI: LTE,Online,001-01,0x0001,1,1,EUTRAN-BAND3,1300,5,5,-90,-900,-600,15")


def cgatt(dce: AtPort, call: Call) -> Reply:
    """CGATT: attached is registered for packets here; 0 leaves the network."""
    if call.form is Form.QUERY:
        return ok(f"+CGATT: {int(dce.radio.attached)}")
    if call.form is Form.TEST:
        return ok("+CGATT: (0,1)")
    if call.number(0) not in (0, 1):
        return ERROR
    if call.number(0) == 0 and not dce.radio.detached:
        dce.stack.lose(urc=False)
    dce.radio.set_attached(call.number(0) == 1)
    return OK


def cfun(dce: AtPort, call: Call) -> Reply:
    """CFUN: 1,1 restarts; leaving 1 kills the stack without a URC (protocol.md 2.1)."""
    if call.form is Form.QUERY:
        return ok(f"+CFUN: {dce.radio.fun}")
    if call.form is Form.TEST:
        return ok("+CFUN: (0,1,4,6,7),(0-1)")
    level = call.number(0)
    if level not in (0, 1, 4, 6, 7):
        return ERROR
    if call.number(1) == 1 or level == 6:
        return reset(dce, call)
    if level != dce.radio.fun:
        _set_fun(dce, level)
    return OK


def _set_fun(dce: AtPort, level: int) -> None:
    ctx, profile, was = dce.ctx, dce.profile, dce.radio.fun
    dce.stack.lose(urc=False)
    dce.radio.set_fun(level)
    if level == FULL:
        for delay, line in profile.cfun_on_banner:
            ctx.timer(ctx.now + delay, partial(ctx.urc, line))
    elif was == FULL:
        for line in profile.cfun_off_urcs:
            ctx.timer(ctx.now, partial(ctx.urc, line))


def cgdcont(dce: AtPort, call: Call) -> Reply:
    """CGDCONT: saved at once."""
    contexts = dce.saved.contexts
    if call.form is Form.TEST:
        return ok('+CGDCONT: (1-15),"IP",,,(0-2),(0-4)')
    if call.form is Form.QUERY:
        lines = (f'+CGDCONT: {n},"{c.kind}","{c.apn}","",0,0' for n, c in contexts.items())
        return ok(*lines)
    cid, kind = call.number(0), call.text(1).upper()
    if cid is None or cid not in _CIDS or (len(call.args) > 1 and kind not in _KINDS):
        return dce.cme(_BAD_VALUE)
    if len(call.args) == 1:
        contexts.pop(cid, None)
    else:
        old = contexts.get(cid, PdpContext(kind, ""))
        contexts[cid] = replace(old, kind=kind, apn=call.text(2))
    return OK


def cgauth(dce: AtPort, call: Call) -> Reply:
    """CGAUTH: the password comes before the user on A76XX."""
    contexts = dce.saved.contexts
    if call.form is Form.QUERY:
        used = ((n, c) for n, c in contexts.items() if c.auth)
        return ok(*(f'+CGAUTH: {n},{c.auth},"{c.user}","{c.password}"' for n, c in used))
    if call.form is Form.TEST:
        return ok("+CGAUTH: (1-15),(0-3),64,64")
    cid, auth = call.number(0), call.number(1)
    if cid is None or cid not in contexts or auth not in (0, 1, 2, 3, None):
        return ERROR
    secret = {"password": call.text(2), "user": call.text(3)}
    contexts[cid] = replace(contexts[cid], auth=auth or 0, **secret)
    return OK


def cgact(dce: AtPort, call: Call) -> Reply:
    """CGACT: the LTE default bearer is up when registered, and cannot be put down."""
    if call.form is Form.QUERY:
        up = int(dce.radio.attached)
        return ok(*(f"+CGACT: {cid},{up if cid == 1 else 0}" for cid in dce.saved.contexts))
    if call.form is Form.SET and call.number(0) not in (0, 1):
        return ERROR
    if call.form is Form.SET and call.number(0) == 0 and call.number(1) in (None, 1, 8):
        return ERROR
    return OK if dce.radio.attached else dce.cme(30)


def cgpaddr(dce: AtPort, call: Call) -> Reply:
    """CGPADDR: an address as soon as the bearer is up, with or without NETOPEN."""
    if call.form is Form.TEST:
        return ok(f"+CGPADDR: ({','.join(map(str, dce.saved.contexts))})")
    address = dce.profile.address if dce.radio.attached else "0.0.0.0"
    shown = f'"{address}"' if dce.profile.cgpaddr_quoted else address
    cid = call.number(0)
    cids = [cid] if cid is not None else list(dce.saved.contexts)
    return ok(*(f"+CGPADDR: {n},{shown if n == 1 else '0.0.0.0'}" for n in cids))


def reset(dce: AtPort, call: Call) -> Reply:
    """CRESET, CFUN=1,1: OK, then the module is gone for a while."""
    if call.form is Form.TEST:
        return OK
    return ok(after=lambda: _soon(dce, off=False))


def power_off(dce: AtPort, call: Call) -> Reply:
    """CPOF: OK, then off for good."""
    if call.form is not Form.EXECUTE:
        return OK if call.form is Form.TEST else ERROR
    return ok(after=lambda: _soon(dce, off=True))


def _soon(dce: AtPort, *, off: bool) -> None:
    # the OK still has to leave, at 9600 baud too
    dce.ctx.timer(dce.ctx.now + 0.05, dce.module.switch_off if off else dce.module.reboot)


_FIXED: Final = {
    "+CSPN": '+CSPN: "Emulated",0',
    "+CBC": "+CBC: 3.912V",
    "+CPMUTEMP": "+CPMUTEMP: 31",
    "+CNSMOD": "+CNSMOD: 0,8",
    "+CCLK": '+CCLK: "26/01/01,12:00:00+00"',
    "+CNUM": '+CNUM: "","001",129',
}


def fixed(_dce: AtPort, call: Call) -> Reply:
    """Answer with the same words always; setting them changes nothing."""
    line = _FIXED[call.name]
    return ok(line) if line and call.form in (Form.QUERY, Form.EXECUTE) else OK


def cnmp(dce: AtPort, call: Call) -> Reply:
    """CNMP: the radio technology; a firmware without sockets fails in its own way (T5)."""
    if call.form is Form.QUERY:
        return ok("+CNMP: 2")
    if call.form is Form.SET and not dce.profile.sockets_present:
        shown = "0" if dce.settings.one("+CMEE") == 1 else "phone failure"
        return Reply(final=f"+CME ERROR: {shown}")
    return OK


def cntp(dce: AtPort, call: Call) -> Reply:
    """CNTP: set the server, or fetch the time (+CNTP: 0 comes after OK)."""
    if call.form is Form.QUERY:
        return ok('+CNTP: "pool.ntp.org",0')
    if call.form is Form.EXECUTE:
        return ok(after=lambda: dce.out.urc("+CNTP: 0"))
    return OK


HANDLERS: Final[dict[str, Handler]] = {
    "+CPIN": cpin,
    "+SPIC": spic,
    "+CSQ": csq,
    "+COPS": cops,
    "+CPSI": cpsi,
    "+CGATT": cgatt,
    "+CFUN": cfun,
    "+CGDCONT": cgdcont,
    "+CGAUTH": cgauth,
    "+CGACT": cgact,
    "+CGPADDR": cgpaddr,
    "+CRESET": reset,
    "+CPOF": power_off,
    "+CNMP": cnmp,
    "+CNTP": cntp,
    **dict.fromkeys(_FIXED, fixed),
}

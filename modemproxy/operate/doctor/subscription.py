"""The steps about being a subscriber: SIM, signal, registration, PDP context.

A PIN is never tried: three wrong ones lock a SIM. With ``--enter-pin`` the configured one
is entered as the proxy does it, once, and never one that was refused before: refusals are
remembered in the state directory.
"""

from typing import Final

import trio

from modemproxy.at.identity import QueryNumbers, QueryOperator, QueryPinAttempts
from modemproxy.at.results import Refused
from modemproxy.at.subscription import (
    QueryAddress,
    QueryContexts,
    QueryRegistration,
    QuerySignal,
    QuerySim,
)
from modemproxy.errors import BringUpFailed
from modemproxy.module.subscriber import REGISTERED, SIM_LIMIT_S, Subscriber
from modemproxy.operate.doctor.case import Case
from modemproxy.operate.doctor.finding import Finding, failed, ok, warning

_POLL_S: Final = 1.0
_SIGNAL_S: Final = 5.0
#: A module that searches may find something; one that was denied, or does not search, won't.
REGISTRATION_S: Final = 60.0
_HOPELESS_S: Final = 15.0
_WEAK: Final = 10
_QUALITIES: Final = ((2, "hardly any"), (_WEAK, "weak"), (15, "fair"), (20, "good"))
_LAST_STATES: Final = ("SIM not inserted", "SIM failure", "SIM wrong")
_IDLE, _SEARCHING, _DENIED, _UNKNOWN, _ROAMING = 0, 2, 3, 4, 5
_STATS: Final = {
    _IDLE: "not registered, and not searching either",
    1: "registered at home",
    _SEARCHING: "searching for a network",
    _DENIED: "the network denies registration",
    _UNKNOWN: "out of coverage",
    _ROAMING: "registered, roaming",
    6: "registered for SMS only",
    7: "registered for SMS only, roaming",
    8: "registered for emergency calls only",
    9: "registered without data",
    10: "registered without data, roaming",
    11: "registered",
}


# -- SIM ------------------------------------------------------------------------------------


async def look_at_sim(case: Case) -> Finding:
    """See whether the SIM is there and open."""
    state = await _settled_sim(case)
    if state == "READY":
        return ok("ready")
    if state == "SIM PIN":
        return await _pin_wanted(case)
    if "PUK" in state:
        return failed(
            f"the SIM is locked: it wants its PUK ({state})",
            "unlock it in a phone with the PUK of the operator's letter, then put the right "
            "PIN into modem.pin",
        )
    if state == "SIM not inserted":
        return failed(
            "there is no SIM",
            "take the module's power away, put the SIM in (contacts down, cut corner as "
            "marked), and try again; some boards have an eSIM and a slot, and a switch",
        )
    return failed(
        f"the SIM is not usable: {state}",
        "take it out, clean its contacts, put it back with the power off; try it in a phone",
    )


async def _settled_sim(case: Case) -> str:
    """The SIM's state; one that is still starting gets its time."""
    deadline = trio.current_time() + SIM_LIMIT_S
    while True:
        try:
            state = await case.dialogue.ask(QuerySim())
        except Refused as error:
            state = next(
                (last for last in _LAST_STATES if last.casefold() == error.reason.casefold()),
                error.reason,
            )
        final = state in ("READY", "SIM PIN", *_LAST_STATES) or "PUK" in state
        if final or trio.current_time() >= deadline:
            return state
        await trio.sleep(_POLL_S)


async def _pin_wanted(case: Case) -> Finding:
    pin = case.config.modem.pin
    attempts = await case.dialogue.attempt(QueryPinAttempts())
    left = "" if attempts is None else f" ({attempts} attempts left)"
    if pin is None:
        return failed(
            f"the SIM asks for its PIN, and the configuration has none{left}",
            "set modem.pin, or modem.pin_file; or switch the PIN off in a phone",
        )
    if case.state.pin_refused(pin):
        return failed(
            f"the SIM asks for its PIN; modem.pin was refused before{left}, and is not sent "
            "again",
            "put the right PIN into the configuration: three wrong ones lock the SIM",
        )
    if case.enter_pin:
        return await _enter_pin(case)
    return failed(
        f"the SIM asks for its PIN{left}; modem.pin is set, but doctor spends no attempt "
        "of its own",
        "start the proxy, which enters it once, or look on with: modemproxy doctor --enter-pin",
    )


async def _enter_pin(case: Case) -> Finding:
    try:
        await Subscriber(case.dialogue, case.config.modem, case.state).unlock_sim()
    except BringUpFailed as error:
        return failed(
            error.problem, "put the right PIN into the configuration: three wrong ones lock it"
        )
    return ok("ready: the PIN was accepted")


# -- signal ---------------------------------------------------------------------------------


async def measure_signal(case: Case) -> Finding:
    """Ask how well the cell is heard."""
    deadline = trio.current_time() + _SIGNAL_S
    while True:
        signal = case.signal = await case.dialogue.attempt(QuerySignal())
        if signal is None:
            return warning("this firmware does not tell (AT+CSQ refused)", _ANTENNA)
        if signal.dbm is not None:
            break
        if trio.current_time() >= deadline:
            return warning("not known (99): the module hears no cell", _ANTENNA)
        await trio.sleep(_POLL_S)
    quality = next((word for below, word in _QUALITIES if signal.rssi < below), "very good")
    said = f"{quality}, {signal.dbm} dBm (CSQ {signal.rssi} of 31)"
    return warning(said, _ANTENNA) if signal.rssi < _WEAK else ok(said)


_ANTENNA: Final = (
    "is the antenna on the right connector (MAIN, not GNSS) and out of any metal box? try "
    "another place, by a window"
)


# -- registration ---------------------------------------------------------------------------


async def wait_registered(case: Case) -> Finding:
    """See whether the network takes us; it gets some time."""
    began = trio.current_time()
    while (stat := await _stat(case)) not in REGISTERED:
        waited = trio.current_time() - began
        if waited >= (REGISTRATION_S if stat == _SEARCHING else _HOPELESS_S):
            return _not_registered(case, stat)
        await trio.sleep(_POLL_S)
    operator = await case.dialogue.attempt(QueryOperator())
    where = f" ({operator})" if operator else ""
    note = ": the contract must allow data abroad" if stat == _ROAMING else ""
    return ok(f"{_STATS[stat]}{where}{note}")


async def _stat(case: Case) -> int:
    """CEREG decides, then CGREG; CREG where a firmware has neither (as the proxy does)."""
    stats = []
    for domain in ("CEREG", "CGREG"):
        stat = await case.dialogue.attempt(QueryRegistration(domain))
        if stat in REGISTERED:
            return stat
        if stat is not None:
            stats.append(stat)
    if not stats:
        return await case.dialogue.attempt(QueryRegistration("CREG")) or _IDLE
    return stats[0]


def _not_registered(case: Case, stat: int) -> Finding:
    said = _STATS.get(stat, f"stat {stat}, which no standard knows")
    if stat == _DENIED:
        return failed(
            f"{said} (stat 3)",
            "is the SIM activated, paid for, and allowed in this network and country? is "
            f"the APN right ({_apn(case)})? does the contract allow this kind of device?",
        )
    if stat in (_SEARCHING, _UNKNOWN):
        heard = case.signal is not None and case.signal.dbm is not None
        advice = "does the operator have LTE here, on bands that this model has?"
        limit = f" for {REGISTRATION_S:.0f} s" if stat == _SEARCHING else ""
        return failed(f"{said}{limit} (stat {stat})", advice if heard else _ANTENNA)
    if stat == _IDLE:
        return failed(
            f"{said} (stat 0)",
            "was it told to stay off the network (AT+CGATT=0, AT+COPS=2)? restart the module",
        )
    return failed(
        f"{said} (stat {stat})",
        "this SIM has no data service here: ask the operator for a contract with LTE data",
    )


def _apn(case: Case) -> str:
    return f"'{case.config.modem.apn}'" if case.config.modem.apn else "the module's own"


# -- PDP context ----------------------------------------------------------------------------


async def look_at_context(case: Case) -> Finding:
    """Compare the module's PDP context with the configuration; nothing is changed."""
    modem, ask = case.config.modem, case.dialogue.attempt
    attached = await ask(QueryNumbers("CGATT"))
    contexts = await ask(QueryContexts()) or {}
    kind, case.apn = contexts.get(1, ("none", ""))
    address = await ask(QueryAddress())
    bearer = f", bearer address {address}" if address else ", no bearer address"
    said = f"APN {case.apn or '(the network chooses)'} ({kind}){bearer}"
    if attached and attached[0] == 0:
        return failed(
            f"{said}; not attached to packet service (CGATT 0)",
            "restart the module, or AT+CGATT=1; if it stays so, the SIM has no data service",
        )
    if modem.apn is not None and (kind, case.apn) != (modem.ip_type, modem.apn):
        return warning(
            f"{said}; the configuration says {modem.apn} ({modem.ip_type})",
            "the proxy changes that at its start; what follows here is still with the old one",
        )
    return ok(f"{said}, attached")

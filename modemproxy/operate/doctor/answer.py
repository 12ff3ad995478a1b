"""The steps that meet the module: does it answer, how quickly, what is it, is it awake."""

import re
from functools import partial
from statistics import median
from typing import Final

import trio

from modemproxy.at.commands import Assign, Attention, Basic, Identify
from modemproxy.at.identity import QueryNumbers
from modemproxy.at.subscription import QueryFunction
from modemproxy.errors import BringUpFailed
from modemproxy.module import sync
from modemproxy.operate.doctor.case import Case
from modemproxy.operate.doctor.finding import Finding, failed, ok, warning

_EXCHANGES: Final = 10
#: AT, CR and the answer: CR LF OK CR LF.
_EXCHANGE_BYTES: Final = 9
_BITS_PER_BYTE: Final = 10
_SLOW_S: Final = 0.1
_WORDS_ON: Final = 2
_FULL: Final = 1
_NMEA: Final = re.compile(rb"\$[A-Z]{4,5},[^\r\n*]*\*[0-9A-F]{2}")
_LOGIN: Final = re.compile(rb"login: ?$|Password: ?$", re.M)
_ECHO: Final = re.compile(rb"(?:AT[A-Z0-9]*[\r\n]*)+")
_FRAME: Final = b"\x7e"
_RESTART: Final = "restart the module: take its power away for ten seconds"
_FAMILY: Final = re.compile(r"A76|SIM767|SIM76")


async def meet(case: Case) -> Finding:
    """Get an answer to AT, at the configured speed or at any other."""
    dialogue, wanted = case.dialogue, case.config.modem.baudrate
    try:
        found = await sync.find_module(
            dialogue.channel,
            wanted,
            cut_off=case.state.cut_off,
            quiet_until=trio.current_time() + case.state.small_send_due_s,
        )
        echoed = dialogue.echoed
        await sync.silence_echo(dialogue)
    except BringUpFailed as error:
        return _no_answer(case) if error.step == "answer" else failed(error.problem, _RESTART)
    case.baudrate = found
    dialogue.expect_boot(expected=False)
    dialogue.forbid_echo()
    if echoed:
        case.undo.append(partial(dialogue.ask, Basic("E1")))
    await _have_words_for_errors(case)
    if found == wanted:
        return ok(f"the module answers AT at {found} baud")
    return warning(
        f"the module answers at {found} baud, not at {wanted} as configured",
        f"nothing has to be done: the proxy moves it to {wanted} at every start "
        f"(AT+IPREX={wanted} makes it permanent)",
    )


async def _have_words_for_errors(case: Case) -> None:
    """A bare ERROR says nothing: CMEE=2 makes words of it, for as long as this takes."""
    before = await case.dialogue.attempt(QueryNumbers("CMEE"))
    if before and before[0] != _WORDS_ON:
        await case.dialogue.attempt(Assign("CMEE", str(_WORDS_ON)))
        restore = Assign("CMEE", str(before[0]))
        case.undo.append(partial(case.dialogue.ask, restore))


def _no_answer(case: Case) -> Finding:
    """Say what it is that answers instead, if anything does."""
    heard = case.port.heard if case.port is not None else b""
    beside = case.machine.at_port_beside(case.config.modem.port)
    other = (
        f"set modem.port to {beside.best_name}: that is the AT port of this module"
        if beside
        else "try the module's other ports"
    )
    if _NMEA.search(heard):
        return failed("no answer to AT: this port speaks NMEA, it is the GNSS interface", other)
    if _LOGIN.search(heard):
        return failed(
            "no answer to AT: a login prompt is at the other end, so this is a computer",
            "set modem.port to the port that the module is connected to",
        )
    if heard.count(_FRAME) > 1 and not heard.isascii():
        return failed("no answer to AT: this port speaks binary, a diagnostics port", other)
    if heard and _ECHO.fullmatch(heard):
        return failed(
            "our own characters come back, and no answer",
            "TX and RX are joined somewhere, or the module is stuck: look at the wiring, "
            "then restart the module",
        )
    if heard:
        return failed(
            "something answers, but nothing that makes sense at any speed",
            "look at the wiring: common ground, level (1.8 V or 3.3 V), cable length; or "
            "another device is on this port",
        )
    return _silent(case, other if beside else "")


def _silent(case: Case, other: str) -> Finding:
    said = "silent: no answer to AT at any speed, not a single byte"
    if other:
        return failed(said, other)
    return failed(
        said,
        "is the module powered and switched on (PWRKEY pressed for a second, LED blinking)? "
        "is the cable right (TX to RX crossed, ground joined)? is "
        f"{case.config.modem.port} the module's AT port, and not its diagnostics or audio?",
    )


async def time_exchanges(case: Case) -> Finding:
    """Measure the turn-around: it decides how quick everything is."""
    times = []
    for _ in range(_EXCHANGES):
        began = trio.current_time()
        await case.dialogue.ask(Attention())
        times.append(trio.current_time() - began)
    typical = median(times)
    wire = _EXCHANGE_BYTES * _BITS_PER_BYTE / case.baudrate
    said = (
        f"{typical * 1000:.1f} ms for a command "
        f"(longest {max(times) * 1000:.1f}, {wire * 1000:.1f} of it the line at its speed)"
    )
    timer = case.machine.latency_timer_ms(case.config.modem.port)
    if timer is not None and timer > 1:
        return warning(
            f"{said}; the USB adapter keeps bytes back for {timer} ms (latency_timer)",
            'a udev rule sets it: SUBSYSTEM=="usb-serial", ATTR{latency_timer}="1"',
        )
    if typical - wire > _SLOW_S:
        return warning(
            f"{said}: slow",
            "every transfer suffers from it: is another program talking to the module, or "
            "is it asleep between commands (AT+CSCLK=0)?",
        )
    return ok(said)


async def identify(case: Case) -> Finding:
    """Ask what it is."""
    ask = case.dialogue.attempt
    model = await ask(Identify("CGMM")) or ""
    firmware = await ask(Identify("CGMR")) or "unknown"
    said = f"{model or 'model unknown'}, firmware {firmware}"
    if model and not _FAMILY.search(model):
        return warning(
            f"{said}: not of the A76XX family",
            "modemproxy is made for SIMCom A76XX modules; the next steps show what is missing",
        )
    return ok(said)


async def wake_radio(case: Case) -> Finding:
    """See that the radio is on; switch it on for as long as this takes."""
    level = await case.dialogue.attempt(QueryFunction())
    if level in (_FULL, None):
        return ok("on (full functionality)")
    await case.dialogue.ask(Assign("CFUN", str(_FULL)))
    case.undo.append(partial(case.dialogue.ask, Assign("CFUN", str(level))))
    what = "flight mode" if level == 4 else "off"
    return warning(
        f"was in {what} (AT+CFUN={level}); on while this examination lasts",
        "nothing has to be done: the proxy switches it on at every start",
    )

"""``modemproxy doctor``: why it does or does not work, step by step.

Exit codes: 0 all is well (there may be warnings), 1 a step failed, 2 the configuration is
wrong, 128 and the signal's number when it was interrupted.
"""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import trio

from modemproxy.config import Config, find, load
from modemproxy.errors import ConfigError
from modemproxy.line.port import Port, SerialPort
from modemproxy.module.lifecycle import OpenPort
from modemproxy.module.state import StateStore
from modemproxy.operate.doctor.case import Case
from modemproxy.operate.doctor.examination import (
    CONFIGURATION,
    EVERYTHING,
    Examination,
    verdict,
)
from modemproxy.operate.doctor.finding import Grade, failed, ok, skipped
from modemproxy.operate.doctor.machine import Machine
from modemproxy.operate.doctor.show import Display, JsonDisplay, TextDisplay

_SERVICE_STATE = Path("/var/lib/modemproxy")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def doctor(file: str | None, environ: Mapping[str, str], *, as_json: bool, pin: bool) -> int:
    """Examine the set-up; the report goes to standard output.

    Args:
        file: the configuration; in one of the usual places when left out.
        environ: the process's environment.
        as_json: one JSON object at the end instead of a line a step.
        pin: enter the configured PIN if the SIM asks for it.

    Returns:
        The exit code.
    """
    display = JsonDisplay(sys.stdout) if as_json else _text(sys.stdout, environ)
    try:
        config = load(find(file, environ))
    except ConfigError as error:
        return _refuse(display, error)
    return trio.run(_run, config, environ, display, pin)


def _text(out: TextIO, environ: Mapping[str, str]) -> TextDisplay:
    lively = out.isatty() and environ.get("TERM", "dumb") != "dumb"
    return TextDisplay(out, lively=lively, coloured=lively and "NO_COLOR" not in environ)


def _refuse(display: Display, error: ConfigError) -> int:
    """A configuration with mistakes ends it: nothing else can be looked at."""
    display.end(
        CONFIGURATION,
        failed("\n".join(error.problems), "put it right; modemproxy check shows it again"),
    )
    for step in EVERYTHING:
        display.end(step.name, skipped(f"needs: {CONFIGURATION}"))
    display.finish("The configuration is wrong: nothing else was looked at.")
    return 2


async def _run(config: Config, environ: Mapping[str, str], display: Display, pin: bool) -> int:
    """Examine until done or interrupted."""
    code = 0

    async def interrupt() -> None:
        nonlocal code
        code = 128 + await anext(signals)
        nursery.cancel_scope.cancel()

    with trio.open_signal_receiver(*_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupt)
            code = await examine(config, environ, display, enter_pin=pin)
            nursery.cancel_scope.cancel()
    return code


async def examine(
    config: Config,
    environ: Mapping[str, str],
    display: Display,
    *,
    enter_pin: bool = False,
    machine: Machine | None = None,
    open_port: OpenPort | None = None,
    state: StateStore | None = None,
) -> int:
    """Do all steps, and sum them up.

    Args:
        config: what is examined.
        environ: the process's environment.
        display: where it is shown.
        enter_pin: enter the configured PIN if the SIM asks for it.
        machine: this host; another one in tests.
        open_port: opens the line; the configured tty when left out.
        state: marks of the proxy's runs; the usual place when left out.

    Returns:
        The exit code: 0 or 1. Cancelling leaves the module as it was found.
    """
    modem = config.modem

    async def open_tty() -> Port:
        return await SerialPort.open(modem.port, baudrate=modem.baudrate, rtscts=False)

    case = Case(
        config=config,
        environ=environ,
        machine=machine or Machine(),
        state=state or _marks(modem.port, environ),
        open_port=open_port or open_tty,
        enter_pin=enter_pin,
    )
    display.end(CONFIGURATION, ok(_summary(config)))
    examination = Examination(case, display)
    await examination.run()
    said, code = verdict({CONFIGURATION: Grade.OK, **examination.grades})
    display.finish(said)
    return code


def _marks(port: str, environ: Mapping[str, str]) -> StateStore:
    """Those of the service where it is installed: a PIN that it had refused counts here too."""
    if "STATE_DIRECTORY" not in environ and os.access(_SERVICE_STATE, os.R_OK | os.X_OK):
        return StateStore(_SERVICE_STATE, port)
    return StateStore.for_port(port, environ)


def _summary(config: Config) -> str:
    counts = {
        "forward": len(config.forwards),
        "server": len(config.servers),
        "proxy": len(config.proxies),
        "dns listener": int(config.dns is not None),
    }
    parts = [_count(number, what) for what, number in counts.items() if number]
    return f"{os.path.abspath(config.path)}: {', '.join(parts)}"


def _count(number: int, what: str) -> str:
    if number == 1:
        return f"1 {what}"
    return f"{number} {what[:-1]}ies" if what.endswith("y") else f"{number} {what}s"

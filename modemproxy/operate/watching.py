"""The admin socket's requests that look at the module itself: ``at`` and ``trace``.

::

    {"request": "at", "command": "AT+CSQ", "force": false, "timeout_s": 10}
    {"ok": true, "lines": ["+CSQ: 20,99"], "final": "OK"}
    {"request": "trace", "on": true, "file": "/tmp/wire.txt"}
    {"ok": true, "on": true, "file": "/tmp/wire.txt"}
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from modemproxy.at.raw import RawCommand, Unfit, raw_command
from modemproxy.at.results import Dialect, Failure, Refused
from modemproxy.errors import ConfigError, ModemProxyError
from modemproxy.journal import Event
from modemproxy.line.wirelog import begin_anew
from modemproxy.operate.admin import BadRequest, Caller, Handler, Request
from modemproxy.operate.local import json_line
from modemproxy.operate.program import Program

log = logging.getLogger(__name__)
_wire = logging.getLogger("modemproxy.wire")

_USUAL_S: Final = 10.0
_LONGEST_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Forced(Event):
    """An operator has sent a command that may change what connections rely on."""

    command: str

    @property
    def text(self) -> str:
        """Which, secrets masked."""
        return f"{self.command} was sent by the operator"


def watching(program: Program) -> Mapping[str, Handler]:
    """Give what answers each request.

    Args:
        program: whose module is looked at.
    """
    trace = _Trace(program)

    async def at(request: Request, caller: Caller) -> bool:
        await caller.stream.send_all(json_line(await _at(program, request, caller)))
        return True

    return {"at": at, "trace": trace.switch}


async def _at(program: Program, request: Request, caller: Caller) -> dict[str, Any]:
    """Have a command done beside the traffic.

    Its time is the caller's: a command that is under way ends by its own bound, because
    giving it up sooner would cost everybody on the line a resynchronisation.

    Raises:
        BadRequest: it is not sent, or has no answer.
    """
    command, forced = _command(request)
    wait_s = _seconds(request)
    lifecycle = program.lifecycle
    session, condition = lifecycle.gate.session, lifecycle.condition
    if session is None:
        reason = f": {condition.reason}" if condition.reason else ""
        raise BadRequest(f"the module is not up ({condition.state.value}{reason})")
    log.info("admin: %s: %s", caller.name, command.shown)
    if forced:
        lifecycle.journal.record(Forced(command.shown))
    try:
        with trio.fail_after(wait_s):
            bound_s = max(wait_s, command.bound_s)
            await session.scheduler.execute(command, limit_s=bound_s)
    except trio.TooSlowError:
        raise BadRequest(f"{command.shown}: no answer within {wait_s:g} s") from None
    except Refused as error:
        more, final = _refusal(error.failure)
        return {"ok": True, "lines": [*command.lines, *more], "final": final}
    except ModemProxyError as error:
        raise BadRequest(str(error)) from None
    return {"ok": True, "lines": command.lines, "final": "OK"}


def _command(request: Request) -> tuple[RawCommand, bool]:
    """Read the command; and whether it is one that has to be forced."""
    typed, force = request.get("command"), request.get("force", False)
    if not isinstance(typed, str):
        raise BadRequest("command: not a text")
    if not isinstance(force, bool):
        raise BadRequest("force: not true or false")
    try:
        return raw_command(typed), False
    except Unfit as error:
        if not force:
            raise BadRequest(str(error)) from None
    try:
        return raw_command(typed, force=True), True
    except Unfit as error:
        raise BadRequest(str(error)) from None


def _seconds(request: Request) -> float:
    value = request.get("timeout_s", _USUAL_S)
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 < value <= _LONGEST_S
    ):
        return float(value)
    raise BadRequest(f"timeout_s: a number of seconds, at most {_LONGEST_S:g}")


def _refusal(failure: Failure) -> tuple[list[str], str]:
    """Spell how a module said no: lines before its final result code, and that."""
    if failure.dialect is Dialect.BARE:
        return [], "ERROR"
    said = f"+{failure.dialect.value}: {failure.text}"
    if failure.dialect in (Dialect.CME, Dialect.CMS):
        return [], said
    return [said], "ERROR"


class _Trace:
    """The wire transcript, switched at run time; it begins with the next exchange."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._running = ExitStack()
        program.at_end.callback(self._running.close)

    async def switch(self, request: Request, caller: Caller) -> bool:
        """Switch it on, to a file or the log, or off; on again is elsewhere."""
        on, file = request.get("on"), request.get("file")
        if not isinstance(on, bool):
            raise BadRequest("on: not true or false")
        if file is not None:
            _check_place(file)
        log.info("admin: %s: trace %s", caller.name, f"on ({file or 'log'})" if on else "off")
        self._running.close()
        if on:
            self._begin(file)
        await caller.stream.send_all(json_line({"ok": True, "on": on, "file": file}))
        return True

    def _begin(self, file: Any) -> None:  # noqa: ANN401
        try:
            where = _in_the_log() if file is None else self._program.record(file)
            self._running.enter_context(where)
        except ConfigError as error:
            raise BadRequest(error.problems[0]) from None
        begin_anew()


@contextmanager
def _in_the_log() -> Iterator[None]:
    level, propagate = _wire.level, _wire.propagate
    _wire.setLevel(logging.DEBUG)
    _wire.propagate = True
    try:
        yield
    finally:
        _wire.setLevel(level)
        _wire.propagate = propagate


def _check_place(file: object) -> None:
    """Refuse what is no file; opening a pipe that nobody reads would stop everything."""
    if not isinstance(file, str) or "\0" in file:
        raise BadRequest("file: not a file name")
    path = Path(file)
    if not path.is_absolute():
        raise BadRequest("file: not an absolute path")
    try:
        special = path.exists() and not path.is_file()
    except OSError as error:
        raise BadRequest(f"{file}: {error.strerror}") from None
    if special:
        raise BadRequest(f"{file}: exists and is no file")

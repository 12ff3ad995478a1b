"""The admin socket's requests that look at the module itself: ``at`` and ``trace``.

::

    {"request": "at", "command": "AT+CSQ", "force": false, "timeout_s": 10}
    {"ok": true, "lines": ["+CSQ: 20,99"], "final": "OK"}
    {"request": "trace", "on": true, "file": "/tmp/wire.txt"}
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from modemproxy.at.raw import Unfit, raw_command
from modemproxy.at.results import Refused
from modemproxy.errors import ConfigError, ModemProxyError
from modemproxy.operate.admin import BadRequest, Caller, Handler, Request
from modemproxy.operate.local import json_line
from modemproxy.operate.program import Program

log = logging.getLogger(__name__)
_wire = logging.getLogger("modemproxy.wire")

_LONGEST_S: Final = 180.0


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


async def _at(program: Program, request: Request, caller: Caller) -> dict[str, object]:
    """Have a command done beside the traffic.

    Raises:
        BadRequest: it is not sent, or has no answer.
    """
    typed, force = request.get("command"), request.get("force", False)
    limit_s = request.get("timeout_s", 10)
    if not isinstance(typed, str) or not isinstance(force, bool):
        raise BadRequest("command: a text; force: true or false")
    if type(limit_s) not in (int, float) or not 0 < limit_s <= _LONGEST_S:  # type: ignore[operator]
        raise BadRequest(f"timeout_s: a number of seconds, at most {_LONGEST_S:g}")
    try:
        command = raw_command(typed, force=force)
    except Unfit as error:
        raise BadRequest(str(error)) from None
    session, condition = program.lifecycle.gate.session, program.lifecycle.condition
    if session is None:
        reason = f": {condition.reason}" if condition.reason else ""
        raise BadRequest(f"the module is not up ({condition.state.value}{reason})")
    log.info("admin: %s: %s", caller.name, command.shown)
    try:
        reply = await session.scheduler.execute(command, limit_s=float(limit_s))  # type: ignore[arg-type]
    except Refused as error:
        return {"ok": True, "lines": [], "final": error.failure.text}
    except ModemProxyError as error:
        raise BadRequest(str(error)) from None
    return {"ok": True, "lines": list(reply), "final": "OK"}


class _Trace:
    """The wire transcript, switched at run time; it begins with the next exchange."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._usual = _wire.level
        self._file = ExitStack()

    async def switch(self, request: Request, caller: Caller) -> bool:
        on, file = request.get("on"), request.get("file")
        if not isinstance(on, bool) or not (file is None or isinstance(file, str)):
            raise BadRequest("on: true or false; file: a file name, if any")
        if isinstance(file, str) and not Path(file).is_absolute():
            raise BadRequest("file: not an absolute path")
        log.info("admin: %s: trace %s", caller.name, "on" if on else "off")
        self._file.close()
        _wire.setLevel(self._usual)
        if on and file is not None:
            try:
                self._file.enter_context(self._program.record(file))
            except ConfigError as error:
                raise BadRequest(error.problems[0]) from None
        elif on:
            _wire.setLevel(logging.DEBUG)
        await caller.stream.send_all(json_line({"ok": True, "on": on, "file": file}))
        return True

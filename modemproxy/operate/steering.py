"""The admin socket's requests that change something: reload, drain, disable, enable, kick.

::

    {"request": "reload", "dry_run": true}
    {"request": "drain", "deadline_s": 30}
    {"request": "disable", "name": "web", "kick": true}
    {"request": "enable", "name": "web"}
    {"request": "kick", "id": 7}              or {"request": "kick", "listener": "web"}
"""

import logging
from collections.abc import Mapping
from math import inf
from typing import Any, Final

from modemproxy.errors import ConfigError
from modemproxy.operate import switches
from modemproxy.operate.admin import BadRequest, Caller, Handler, Request
from modemproxy.operate.drain import Drain
from modemproxy.operate.local import json_line
from modemproxy.operate.program import Program

log = logging.getLogger(__name__)

#: How long those inside have when nobody says it, seconds.
DRAIN_S: Final = 60.0


def steering(program: Program) -> Mapping[str, Handler]:
    """Give what answers each request.

    Args:
        program: what is steered.
    """
    steer = _Steering(program)
    return {
        "reload": steer.reload,
        "drain": steer.drain,
        "disable": steer.disable,
        "enable": steer.enable,
        "kick": steer.kick,
    }


def unless_draining(program: Program, handler: Handler) -> Handler:
    """Have a request refused when nobody is let in any more.

    Args:
        program: tells.
        handler: what answers it otherwise.
    """

    async def guarded(request: Request, caller: Caller) -> bool:
        if program.draining:
            raise BadRequest("the proxy lets nobody in any more: it is about to stop")
        return await handler(request, caller)

    return guarded


class _Steering:
    """Answers for one program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._drain = Drain(program)

    async def reload(self, request: Request, caller: Caller) -> bool:
        dry_run = _flag(request, "dry_run")
        log.info("admin: %s: reload%s", caller.name, " --dry-run" if dry_run else "")
        try:
            outcome = await self._program.reload(dry_run)
        except ConfigError as error:
            problems = error.problems
            await _say(caller, ok=False, error="\n".join(problems), problems=problems)
        else:
            await _say(caller, **outcome)
        return True

    async def drain(self, request: Request, caller: Caller) -> bool:
        """Two answers: that it has begun, and at the end how many were reset."""
        deadline_s = _seconds(request, "deadline_s", DRAIN_S)
        if self._program.stopping.is_set():
            raise BadRequest("the proxy is stopping already")
        log.info("admin: %s: drain", caller.name)
        inside = self._drain.begin(deadline_s)
        await _say(caller, inside=inside, deadline_s=deadline_s)
        await self._drain.over.wait()
        await _say(caller, drained=True, left=self._drain.left)
        return True

    async def disable(self, request: Request, caller: Caller) -> bool:
        name = _text(request, "name")
        also_kick = _flag(request, "kick")
        log.info("admin: %s: disable %s", caller.name, name)
        switches.disable(self._program, name)
        visits = switches.connections_of(self._program, name)
        kicked = switches.kick(visits) if also_kick else []
        inside = len(visits) - len(kicked)
        await _say(caller, name=name, enabled=False, kicked=kicked, inside=inside)
        return True

    async def enable(self, request: Request, caller: Caller) -> bool:
        name = _text(request, "name")
        log.info("admin: %s: enable %s", caller.name, name)
        capped = switches.enable(self._program, name).access.capped
        await _say(caller, name=name, enabled=not capped, why_not=capped)
        return True

    async def kick(self, request: Request, caller: Caller) -> bool:
        if ("id" in request) == ("listener" in request):
            raise BadRequest("kick: either id or listener")
        if "id" in request:
            visits = [switches.connection(self._program, _number(request, "id"))]
        else:
            visits = switches.connections_of(self._program, _text(request, "listener"))
        kicked = switches.kick(visits)
        log.info("admin: %s: kick %s", caller.name, ", ".join(map(str, kicked)) or "nobody")
        await _say(caller, kicked=kicked)
        return True


async def _say(caller: Caller, *, ok: bool = True, **facts: Any) -> None:  # noqa: ANN401
    await caller.stream.send_all(json_line({"ok": ok, **facts}))


def _text(request: Request, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise BadRequest(f"{key}: not a text")
    return value


def _flag(request: Request, key: str) -> bool:
    value = request.get(key, False)
    if not isinstance(value, bool):
        raise BadRequest(f"{key}: not true or false")
    return value


def _number(request: Request, key: str) -> int:
    value = request.get(key)
    if type(value) is not int:
        raise BadRequest(f"{key}: not a number")
    return value


def _seconds(request: Request, key: str, usual: float) -> float:
    value = request.get(key, usual)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < inf:
        return float(value)
    raise BadRequest(f"{key}: not a number of seconds")

"""What can be asked on the admin socket, by name."""

from collections.abc import Mapping

from modemproxy.operate.admin import BadRequest, Caller, Handler, Request
from modemproxy.operate.events_request import telling
from modemproxy.operate.local import json_line
from modemproxy.operate.program import Program
from modemproxy.operate.report import Report
from modemproxy.operate.steering import steering, unless_draining
from modemproxy.operate.tunnel import Tunnels
from modemproxy.operate.watching import watching


def handlers_of(program: Program) -> Mapping[str, Handler]:
    """Give what answers each request.

    Args:
        program: what the requests are about.
    """
    report = Report(program)

    async def connect(request: Request, caller: Caller) -> bool:
        if program.capped:
            raise BadRequest(program.capped)
        gate, timeouts = program.lifecycle.gate, program.config.timeouts
        return await Tunnels(gate, timeouts, program.roster).connect(request, caller)

    async def status(_: Request, caller: Caller) -> bool:
        await caller.stream.send_all(json_line({"ok": True, "status": report.status()}))
        return True

    async def usage(_: Request, caller: Caller) -> bool:
        await caller.stream.send_all(json_line({"ok": True, "usage": program.usage()}))
        return True

    return {
        "connect": unless_draining(program, connect),
        "status": status,
        **steering(program),
        **watching(program),
        **telling(program.chronicle),
        "usage": usage,
    }

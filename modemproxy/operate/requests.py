"""What can be asked on the admin socket, by name."""

from collections.abc import Mapping

from modemproxy.operate.admin import Caller, Handler, Request
from modemproxy.operate.local import json_line
from modemproxy.operate.program import Program
from modemproxy.operate.report import Report
from modemproxy.operate.tunnel import Tunnels


def handlers_of(program: Program) -> Mapping[str, Handler]:
    """Give what answers each request.

    Args:
        program: what the requests are about.
    """
    tunnels = Tunnels(program.lifecycle.gate, program.config.timeouts, program.roster)
    report = Report(program)

    async def status(_: Request, caller: Caller) -> bool:
        await caller.stream.send_all(json_line({"ok": True, "status": report.status()}))
        return True

    return {"connect": tunnels.connect, "status": status}

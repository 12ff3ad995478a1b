"""SERVERSTART and SERVERSTOP (manual 15.2.10, 15.2.11)."""

from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.reply import ERROR, Reply, error, ok
from modemproxy.emulator.servers import BACKLOG, SERVERS
from modemproxy.emulator.syntax import Call, Form

_NOT_OPENED, _WRONG, _NOT_SUPPORTED, _BIND, _LISTENING, _SOCKETS_OPENED = 2, 3, 4, 6, 7, 9


def serverstart(dce: AtPort, call: Call) -> Reply:
    """SERVERSTART=port,index[,backlog]: just OK; clients come as ``+CLIENT``."""
    servers = dce.stack.servers
    if call.form is Form.TEST:
        return ok(f"+SERVERSTART: (0-65535),(0-{_indices(dce)[-1]})")
    if call.form is Form.QUERY:
        lines = (f"+SERVERSTART: {i},{s.port}" for i, s in sorted(servers.items()))
        return ok(*lines)
    if call.text(2) and dce.profile.server_backlog == "unknown":
        return ERROR
    problem = _start_problem(dce, call) or _start(dce, call)
    return error(f"+CIPERROR: {problem}") if problem else ok()


def _indices(dce: AtPort) -> range:
    return range(max(1, min(SERVERS, dce.profile.server_count)))


def _start(dce: AtPort, call: Call) -> int:
    backlog = call.number(2) or BACKLOG
    listens = dce.stack.entrance.listen(call.number(1) or 0, call.number(0) or 0, backlog)
    return 0 if listens else _BIND


def _start_problem(dce: AtPort, call: Call) -> int:
    port, index = call.number(0), call.number(1)
    backlog = call.number(2) if call.text(2) else BACKLOG
    if port not in range(65536) or index not in _indices(dce) or backlog not in (1, 2, 3):
        return _WRONG
    if call.text(2) and dce.profile.server_backlog == "wrong":
        return _WRONG
    if not dce.stack.net:
        return _NOT_OPENED
    ports = [server.port for server in dce.stack.servers.values()]
    if dce.stack.transparent and index != 0:
        return _NOT_SUPPORTED
    return _LISTENING if index in dce.stack.servers or port in ports else 0


def serverstop(dce: AtPort, call: Call) -> Reply:
    """SERVERSTOP[=index]: refused with 9 while accepted links are open."""
    if call.form is Form.TEST:
        return ok(f"+SERVERSTOP: (0-{_indices(dce)[-1]})")
    if call.form is Form.QUERY:
        return ERROR
    index = call.number(0) if call.args else 0
    if index not in _indices(dce):
        return ERROR
    stack = dce.stack
    if index not in stack.servers:
        return error(f"+SERVERSTOP: {index},{_NOT_SUPPORTED if stack.net else _NOT_OPENED}")
    if stack.accepted_on(index):
        return error(f"+SERVERSTOP: {index},{_SOCKETS_OPENED}")
    stack.entrance.stop(index)
    line = f"+SERVERSTOP: {index},0"
    if dce.profile.serverstop_result == "before_ok":
        return ok(line)
    return ok(after=lambda: dce.out.urc(line))


HANDLERS: Final[dict[str, Handler]] = {"+SERVERSTART": serverstart, "+SERVERSTOP": serverstop}

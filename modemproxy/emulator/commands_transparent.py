"""CIPOPEN in transparent mode, and ATO (manual 15.2.5, 15.2.12; protocol.md 10)."""

from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.reply import ERROR, Reply, error
from modemproxy.emulator.syntax import Call
from modemproxy.emulator.transparent import (
    attach_transparent,
    connect_text,
    resume_transparent,
)

_NOT_SUPPORTED: Final = 4
_BIND: Final = 6


def bad_link(dce: AtPort, number: int) -> Reply:
    """Refuse a link other than 0, in the way of this firmware."""
    if dce.profile.transparent_bad_link == "text":
        return dce.ip_error("Invalid parameter")
    return error(f"+CIPOPEN: {number},{_NOT_SUPPORTED}")


def open_tcp(dce: AtPort, call: Call) -> Reply | None:
    """Open link 0; CONNECT or CONNECT FAIL is the final result, no OK."""
    link = dce.stack.new_tcp(0)

    def result(err: int) -> None:
        if err:
            dce.finish(Reply(final="CONNECT FAIL"))
            return
        attach_transparent(dce, link)
        dce.finish(_connected(dce))

    link.on_result = result
    dce.stack.connect(link, call.text(2), call.number(3) or 0)
    return None


def open_udp(dce: AtPort, call: Call) -> Reply:
    """Open link 0 as a UDP port with one peer."""
    if not dce.stack.open_udp(0, call.number(4) or 0):
        return error(f"+CIPOPEN: 0,{_BIND}")
    link = dce.stack.open_link(0)
    assert link is not None, "opened above"
    attach_transparent(dce, link, (call.text(2), call.number(3) or 0))
    return _connected(dce)


def _connected(dce: AtPort) -> Reply:
    return Reply(final=connect_text(dce), after=lambda: resume_transparent(dce))


def online(dce: AtPort, call: Call) -> Reply:
    """ATO: back to the data; NO CARRIER when there is no connection."""
    if call.text(0) not in ("", "0"):
        return ERROR
    if dce.input.session is None:
        return Reply(final="NO CARRIER")
    return _connected(dce)


HANDLERS: Final[dict[str, Handler]] = {"O": online}

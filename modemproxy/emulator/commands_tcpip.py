"""NETOPEN, NETCLOSE, IPADDR, CIPOPEN, CIPCLOSE (manual 15.2.2-15.2.5, 15.2.9)."""

from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.commands_names import is_host
from modemproxy.emulator.commands_transparent import bad_link, open_tcp, open_udp
from modemproxy.emulator.links import Link, State
from modemproxy.emulator.reply import ERROR, Reply, error, ok
from modemproxy.emulator.syntax import Call, Form
from modemproxy.emulator.tcp import TcpLink
from modemproxy.emulator.timers import Action

_FAILURE, _NOT_OPENED, _WRONG, _NOT_SUPPORTED, _BIND = 1, 2, 3, 4, 6
_NOT_OPEN_TEXT: Final = "Network not opened"


def netopen(dce: AtPort, call: Call) -> Reply | None:
    """NETOPEN: OK first, the result later; a query means the opposite of a result."""
    if call.form is Form.TEST:
        return ok()
    if call.form is Form.QUERY:
        return ok(f"+NETOPEN: {dce.stack.net_state}")
    profile, stack = dce.profile, dce.stack
    if stack.net_state or stack.net_pending:
        return dce.ip_error(profile.already_open)
    if profile.netopen_reboots:
        return ok(after=lambda: _reboot_soon(dce))
    stack.opens += 1
    failing = stack.opens <= profile.netopen_fail_first
    if failing and profile.netopen_fail_code is None:
        return ERROR
    if profile.netopen_result_before_ok:
        dce.ctx.later(profile.netopen_delay_s, lambda: dce.finish(_opened_first(dce, failing)))
        return None
    stack.net_pending = True
    return ok(after=lambda: _open_later(dce, failing))


def _reboot_soon(dce: AtPort) -> None:
    # the OK still has to leave
    dce.ctx.timer(dce.ctx.now + 0.05, dce.module.reboot)


def _open_later(dce: AtPort, failing: bool) -> None:
    def done() -> None:
        dce.stack.net_pending = False
        if not dce.profile.netopen_mute:
            dce.out.urc(f"+NETOPEN: {_open_result(dce, failing)}")

    dce.ctx.later(dce.profile.netopen_delay_s, done)


def _opened_first(dce: AtPort, failing: bool) -> Reply:
    result = _open_result(dce, failing)
    line = f"+NETOPEN: {result}"
    return ok(line) if result == 0 else error(line)


def _open_result(dce: AtPort, failing: bool) -> int:
    if failing:
        return dce.profile.netopen_fail_code or _FAILURE
    if not dce.radio.attached:
        return _FAILURE
    dce.stack.net_up()
    return 0


def netclose(dce: AtPort, call: Call) -> Reply:
    """NETCLOSE: one +CIPCLOSE per open link, UDP ones before the OK."""
    if call.form is Form.TEST:
        return ok()
    stack = dce.stack
    if call.form is Form.QUERY:
        return ok(f"+NETCLOSE: {1 - stack.net_state}")
    if not stack.net_state:
        if dce.profile.netclose_closed_form == "text":
            return dce.ip_error("Network is already closed")
        return error(f"+NETCLOSE: {_NOT_OPENED}")
    links = stack.any_open()
    udp = [_closed(link) for link in links if link.kind == "UDP"]
    tcp = [_closed(link) for link in links if link.kind == "TCP"]
    stack.net_pending = True
    return ok(*udp, after=lambda: _close_later(dce, tcp))


def _closed(link: Link) -> str:
    return f"+CIPCLOSE: {link.number},0"


def _close_later(dce: AtPort, lines: list[str]) -> None:
    def done() -> None:
        for link in dce.stack.any_open():
            dce.stack.close(link.number)
        dce.stack.net_down()
        dce.stack.net_pending = False
        for line in (*lines, "+NETCLOSE: 0"):
            dce.out.urc(line)

    dce.ctx.later(dce.profile.netclose_delay_s, done)


def ipaddr(dce: AtPort, call: Call) -> Reply:
    """IPADDR: the address of the stack, not of the bearer."""
    if call.form is Form.TEST:
        return ok()
    if not dce.stack.net:
        return dce.ip_error(_NOT_OPEN_TEXT)
    return ok(f"+IPADDR: {dce.stack.address}")


# -- CIPOPEN --


def cipopen(dce: AtPort, call: Call) -> Reply | None:
    """CIPOPEN: TCP says OK at once and the result later, UDP the result and then OK."""
    if call.form is Form.TEST:
        return ok(f'+CIPOPEN: (0-{dce.stack.numbers[-1]}),("TCP","UDP","UDP SERVER")')
    if call.form is Form.QUERY:
        return _all_links(dce)
    number = call.number(0)
    if not dce.stack.has(number):
        return dce.ip_error("Invalid parameter")
    transparent = dce.stack.net and dce.stack.transparent
    if transparent and number != 0:
        return bad_link(dce, number)
    problem = _open_problem(dce, call, number)
    if problem:
        return error(f"+CIPOPEN: {number},{problem}")
    if call.text(1).upper() == "TCP":
        return open_tcp(dce, call) if transparent else _open_tcp(dce, call, number)
    if transparent:
        return open_udp(dce, call)
    return _open_udp(dce, call, number)


def _open_udp(dce: AtPort, call: Call, number: int) -> Reply:
    if not dce.stack.open_udp(number, call.number(4) or 0):
        return error(f"+CIPOPEN: {number},{_BIND}")
    line = f"+CIPOPEN: {number},0"
    if dce.profile.udp_open_result == "before_ok":
        return ok(line)
    return ok(after=lambda: dce.out.urc(line))


def _open_problem(dce: AtPort, call: Call, number: int) -> int:
    """Return the ``<err>`` that a CIPOPEN is refused with at once, 0 for none."""
    stack = dce.stack
    if not stack.net:
        return _NOT_OPENED
    if not stack.is_free(number):
        return _NOT_SUPPORTED
    match call.text(1).upper():
        case "TCP":
            good = bool(call.text(2)) and call.number(3) in range(1, 65536)
            if good and not is_host(call.text(2)):
                dce.ctx.complain(f"CIPOPEN to {call.text(2)!r}, which is no host")
        case "UDP" | "UDP SERVER":
            good = call.number(4) in range(65536)
            if stack.transparent:  # one peer, said at the start
                good = good and bool(call.text(2)) and call.number(3) in range(1, 65536)
        case _:
            good = False
    return 0 if good else _WRONG


def _all_links(dce: AtPort) -> Reply:
    stack = dce.stack
    if not stack.net:
        return dce.ip_error(_NOT_OPEN_TEXT)
    shown = [stack.open_link(number) for number in stack.numbers]
    lines = (str(n) if link is None else link.describe() for n, link in enumerate(shown))
    return ok(*(f"+CIPOPEN: {line}" for line in lines))


def _open_tcp(dce: AtPort, call: Call, number: int) -> Reply | None:
    link = dce.stack.new_tcp(number)
    host, port = call.text(2), call.number(3) or 0
    if dce.profile.open_result == "before_ok":
        link.holds_command = True
        link.on_result = lambda err: dce.finish(_open_reply(number, err))
        dce.stack.connect(link, host, port)
        return None
    link.on_result = lambda err: dce.out.urc(f"+CIPOPEN: {number},{err}")
    return ok(after=lambda: dce.stack.connect(link, host, port))


def _open_reply(number: int, err: int) -> Reply:
    line = f"+CIPOPEN: {number},{err}"
    return error(line) if err else ok(line)


# -- CIPCLOSE --


def cipclose(dce: AtPort, call: Call) -> Reply | None:
    """CIPCLOSE: TCP says OK and then the result, UDP the other way round."""
    stack = dce.stack
    if call.form is Form.TEST:
        return ok(f"+CIPCLOSE: (0-{stack.numbers[-1]})")
    if call.form is Form.QUERY:
        states = (int(stack.open_link(n) is not None) for n in stack.numbers)
        return ok("+CIPCLOSE: " + ",".join(map(str, states)))
    number = call.number(0)
    if not stack.has(number):
        return dce.ip_error("Invalid parameter")
    link = stack.links[number]
    if link is None or not _can_close(dce, link):
        if link is not None and link.state is State.CLOSED:
            stack.links[number] = None
        return error(f"+CIPCLOSE: {number},{_NOT_SUPPORTED}")
    return _close(dce, link)


def _can_close(dce: AtPort, link: Link) -> bool:
    if link.state is State.OPENING:
        return dce.profile.close_while_opening == "abort"
    return link.is_open


def _close(dce: AtPort, link: Link) -> Reply | None:
    line, number, profile = _closed(link), link.number, dce.profile

    def closed() -> None:
        if dce.stack.links[number] is link:
            dce.stack.close(number)
        dce.out.urc(line)

    tcp = isinstance(link, TcpLink)
    late = (profile.close_result if tcp else profile.udp_close_result) == "after_ok"
    if not late or profile.close_frees == "at_once":
        dce.stack.close(number)
    return ok(after=lambda: _then(dce, closed)) if late else ok(line)


def _then(dce: AtPort, closed: Action) -> None:
    dce.ctx.later(dce.profile.close_delay_s, closed)


HANDLERS: Final[dict[str, Handler]] = {
    "+NETOPEN": netopen,
    "+NETCLOSE": netclose,
    "+IPADDR": ipaddr,
    "+CIPOPEN": cipopen,
    "+CIPCLOSE": cipclose,
}

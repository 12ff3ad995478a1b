"""CIPSEND, CIPSENDSTR, CIPRXGET, CIPACK (manual 15.2.6-15.2.8, 15.2.17, 15.2.18)."""

from functools import partial
from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.links import MAX_REPORT, Link
from modemproxy.emulator.reply import ERROR, OK, Reply, error, ok
from modemproxy.emulator.stack import LINKS
from modemproxy.emulator.syntax import Call, Form
from modemproxy.emulator.tcp import TcpLink
from modemproxy.emulator.udp import UdpLink

_NOT_OPENED, _WRONG, _NOT_SUPPORTED, _BUSY = 2, 3, 4, 8
_MAX_HEX_READ: Final = 750


def _ciperror(err: int) -> Reply:
    return error(f"+CIPERROR: {err}")


# -- CIPSEND --


def cipsend(dce: AtPort, call: Call) -> Reply | None:
    """CIPSEND: prompt, payload, OK, and the result line after it."""
    if call.form is Form.TEST:
        return ok(f"+CIPSEND: (0-9),(1-{MAX_REPORT})")
    if call.form is not Form.SET:
        return ERROR
    number = call.number(0)
    size = call.number(1) if call.text(1) else None
    refusal = _send_refusal(dce, call, number, size)
    if refusal is not None:
        return refusal
    link = dce.stack.open_link(number) if number is not None else None
    assert link is not None, "refused above"
    dce.enter_data(size, partial(_entered, dce, call, link))
    return None


def _send_refusal(
    dce: AtPort, call: Call, number: int | None, size: int | None
) -> Reply | None:
    """Return the answer that comes instead of a prompt, or None."""
    if number is None or number >= LINKS or (size is None and call.text(1)):
        return _ciperror(_WRONG)
    if size is not None and not 1 <= size <= MAX_REPORT:
        dce.ctx.complain(f"CIPSEND of {size} bytes")
        return _ciperror(_WRONG)
    if not dce.stack.net:
        return _ciperror(_NOT_OPENED)
    link = dce.stack.open_link(number)
    if link is None or link.outlet is not None:
        return _ciperror(_NOT_SUPPORTED)
    if isinstance(link, UdpLink) and not (call.text(2) and call.number(3)):
        return _ciperror(_WRONG)
    if link.server >= 0 and size is None:
        return ERROR
    return _busy(dce, link, size or MAX_REPORT)


def _busy(dce: AtPort, link: Link, size: int) -> Reply | None:
    """Refuse a send while a result is pending, or when the buffer is full."""
    everyone = dce.profile.busy_scope == "global"
    asked = [other for other in dce.stack.links if other is link or everyone]
    if any(other is not None and other.result_pending for other in asked):
        dce.ctx.complain(f"CIPSEND on link {link.number} while a send result is pending")
        return _ciperror(_BUSY)
    if dce.profile.busy_link == link.number or dce.ctx.chance(dce.profile.busy_probability):
        return _ciperror(_BUSY)
    if not isinstance(link, TcpLink) or link.free() >= size:
        return None
    match dce.profile.send_full:
        case "busy":
            return _ciperror(_BUSY)
        case "busy_text":
            return dce.ip_error("TCP busy")
    return None


def _entered(dce: AtPort, call: Call, link: Link, payload: bytes | None) -> None:
    """Act on the payload: hand it to the stack, say OK and the result."""
    if payload is None:
        dce.finish(ERROR)
    elif not link.is_open and dce.profile.send_on_dead == "error":
        dce.finish(_ciperror(_NOT_SUPPORTED))
    else:
        _Send(dce, link, call, payload).start()


class _Send:
    """One send from its payload to its result line."""

    def __init__(self, dce: AtPort, link: Link, call: Call, payload: bytes) -> None:
        self._dce = dce
        self._link = link
        self._payload = payload
        self._target = (call.text(2), call.number(3) or 0)
        self._before = link.sent_total if isinstance(link, TcpLink) else 0
        self._count = 0

    def start(self) -> None:
        """Hand over what can be, then say OK and the result in the profile's order."""
        self._count = self._hand_over()
        if self._dce.profile.send_result_before_ok:
            self._dce.finish(ok(self._line()))
            self._settle()
            return
        self._link.result_pending = True
        self._dce.finish(ok(after=self._after_ok))

    def _hand_over(self) -> int:
        dce, link = self._dce, self._link
        if not link.is_open:
            return -1
        if isinstance(link, UdpLink):
            link.send_to(self._payload, self._target)
            return len(self._payload)
        assert isinstance(link, TcpLink)
        count = min(len(self._payload), link.free())
        if dce.forced_confirms:
            count = min(len(self._payload), dce.forced_confirms.popleft())
        elif dce.profile.send_full == "wait":
            count = len(self._payload)
        link.send(self._payload[: max(0, count)])
        return count

    def _after_ok(self) -> None:
        self._dce.ctx.later(self._dce.profile.send_result_delay_s, self._when_ready)

    def _when_ready(self) -> None:
        link = self._link
        if self._must_wait():
            assert isinstance(link, TcpLink)
            if self._when_ready not in link.on_progress:
                link.on_progress.append(self._when_ready)
            return
        if isinstance(link, TcpLink) and self._when_ready in link.on_progress:
            link.on_progress.remove(self._when_ready)
        link.result_pending = False
        self._dce.out.urc(self._line())
        self._settle()

    def _must_wait(self) -> bool:
        """Hold the result: for the ACK of earlier data, or for room in the buffer."""
        link = self._link
        if not isinstance(link, TcpLink) or not link.is_open:
            return False
        late_ack = self._dce.settings.one("+CIPSENDMODE") and link.acked_total < self._before
        unacked = link.sent_total - link.acked_total
        return bool(late_ack) or unacked > self._dce.profile.send_buffer_bytes

    def _line(self) -> str:
        return f"+CIPSEND: {self._link.number},{len(self._payload)},{self._count}"

    def _settle(self) -> None:
        short = self._count < len(self._payload)
        if short and self._dce.profile.short_send_link == "dead" and self._link.is_open:
            self._link.drop()


def cipsendstr(dce: AtPort, call: Call) -> Reply:
    """CIPSENDSTR: hex in the command line, at most 500 characters, not for servers."""
    if not dce.profile.cipcfg or call.form is not Form.SET:
        return ERROR
    number, text = call.number(0), call.text(1)
    link = dce.stack.tcp(number) if number is not None and number < LINKS else None
    if link is None or not link.is_open or link.server >= 0:
        return _ciperror(_NOT_SUPPORTED)
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return _ciperror(_WRONG)
    if not 1 <= len(data) <= 250:
        return _ciperror(_WRONG)
    link.send(data)
    line = f"+CIPSENDSTR: {number},{len(data)}"
    return ok(after=lambda: dce.out.urc(line))


# -- CIPRXGET --


def ciprxget(dce: AtPort, call: Call) -> Reply | None:
    """CIPRXGET: 0 and 1 choose push or buffer, 2 and 3 read, 4 asks, 5 adds addresses."""
    top = dce.profile.rxget_modes
    if call.form is Form.TEST:
        return ok(f"+CIPRXGET: (0-{top}),(0-9),(1-{dce.profile.max_read})")
    if call.form is Form.QUERY:
        return ok(f"+CIPRXGET: {dce.settings.rxget}")
    mode = call.number(0)
    if call.form is not Form.SET or mode is None or mode > top:
        return dce.ip_error("Invalid parameter")
    if mode in (0, 1):
        dce.settings.rxget = mode
        return ok(after=dce.stack.flush_pushes)
    if dce.settings.rxget == 0:
        return dce.ip_error("Operation not supported")
    if mode == 5:
        dce.settings.rx_ip = True
        return OK
    return _rx(dce, call, mode)


def _rx(dce: AtPort, call: Call, mode: int) -> Reply | None:
    number = call.number(1)
    if number is None or number >= LINKS:
        return dce.ip_error("Invalid parameter")
    if not dce.stack.net and dce.stack.links[number] is None and mode != 4:
        return dce.ip_error("No data")
    if mode == 4:
        return _rx_count(dce, number)
    most = dce.profile.max_read if mode == 2 else _MAX_HEX_READ
    wanted = call.number(2) if call.text(2) else most
    if wanted is None or not 1 <= wanted <= most:
        dce.ctx.complain(f"CIPRXGET={mode} of {call.text(2)} bytes")
        return dce.ip_error("Invalid parameter")
    return _rx_read(dce, number, mode, min(wanted, dce.profile.short_reads or wanted))


def _rx_count(dce: AtPort, number: int) -> Reply:
    link = dce.stack.links[number]
    if link is None and dce.profile.closed_link_query == "error":
        return dce.ip_error("No data")
    return ok(f"+CIPRXGET: 4,{number},{link.rx.waiting() if link else 0}")


def _rx_read(dce: AtPort, number: int, mode: int, limit: int) -> Reply | None:
    link = dce.stack.links[number]
    data = link.read(limit) if link is not None else b""
    if link is None or not data:
        return dce.ip_error("No data")
    if dce.ctx.chance(dce.profile.ghost_urc_p):
        dce.out.urc(f"+CIPRXGET: 1,{(number + 1) % LINKS}")
    header = f"+CIPRXGET: {mode},{number},{len(data)},{link.rx.waiting()}"
    if mode == 3:
        return ok(header, data.hex().upper())
    dce.out.payload(header, data)
    dce.ctx.later(dce.profile.read_gap_s, lambda: _read_done(dce))
    return None


def _read_done(dce: AtPort) -> None:
    dce.out.trailer()
    dce.finish(OK)


# -- CIPACK --


def cipack(dce: AtPort, call: Call) -> Reply:
    """CIPACK: totals sent, acknowledged and received; TCP only."""
    if call.form is Form.TEST:
        return ok("+CIPACK: (0-9)")
    if not dce.profile.cipack:
        return dce.ip_error("Operation not supported")
    number = call.number(0)
    if number is None or number >= LINKS:
        return dce.ip_error("Invalid parameter")
    if not dce.stack.net:
        return dce.ip_error("Network not opened")
    link = dce.stack.tcp(number)
    if link is None or not link.is_open:
        return dce.ip_error("Connection is not created")
    totals = f"{link.sent_total},{link.acked_total},{link.received_total}"
    return ok(f"+CIPACK: {totals}")


HANDLERS: Final[dict[str, Handler]] = {
    "+CIPSEND": cipsend,
    "+CIPSENDSTR": cipsendstr,
    "+CIPRXGET": ciprxget,
    "+CIPACK": cipack,
}

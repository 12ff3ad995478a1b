"""CIPSEND and CIPSENDSTR (manual 15.2.6-15.2.8)."""

from functools import partial
from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.commands_names import is_address, is_host
from modemproxy.emulator.links import MAX_REPORT, Link
from modemproxy.emulator.reply import ERROR, Reply, error, ok
from modemproxy.emulator.syntax import Call, Form
from modemproxy.emulator.tcp import TcpLink
from modemproxy.emulator.udp import UdpLink

_NOT_OPENED, _WRONG, _NOT_SUPPORTED, _BUSY = 2, 3, 4, 8


def _ciperror(err: int) -> Reply:
    return error(f"+CIPERROR: {err}")


def cipsend(dce: AtPort, call: Call) -> Reply | None:
    """CIPSEND: prompt, payload, OK, and the result line after it."""
    if call.form is Form.TEST:
        return ok(f"+CIPSEND: (0-{dce.stack.numbers[-1]}),(1-{MAX_REPORT})")
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
    if not dce.stack.has(number) or (size is None and call.text(1)):
        return _ciperror(_WRONG)
    if size is not None and not 1 <= size <= MAX_REPORT:
        dce.ctx.complain(f"CIPSEND of {size} bytes")
        return _ciperror(_WRONG)
    if not dce.stack.net:
        return _ciperror(_NOT_OPENED)
    link = dce.stack.open_link(number)
    if link is None or link.outlet is not None:
        return _ciperror(_NOT_SUPPORTED)
    return _target_refusal(dce, call, link) or _busy(dce, link, size or MAX_REPORT)


def _target_refusal(dce: AtPort, call: Call, link: Link) -> Reply | None:
    """Refuse a send for what it says about where to, or does not say."""
    complain, on_link = dce.ctx.complain, f"on link {link.number}"
    if not isinstance(link, UdpLink):
        if call.text(2) or call.text(3):
            complain(f"CIPSEND with a target {on_link}, which is TCP")
        if link.server >= 0 and not call.text(1):
            complain(f"CIPSEND of no given length {on_link}, which a server accepted")
            return ERROR
        return None
    host = call.text(2)
    if not (host and call.number(3)):
        complain(f"CIPSEND without a target {on_link}, which is UDP")
        return _ciperror(_WRONG)
    if not is_host(host):
        complain(f"CIPSEND to {host!r}, which is no host")
        return _ciperror(_WRONG)
    if dce.profile.udp_names == "taken" or is_address(host):
        return None
    return ERROR if dce.profile.udp_names == "error" else _ciperror(_WRONG)


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
        forced = dce.forced_confirms.popleft() if dce.forced_confirms else None
        if isinstance(link, UdpLink):
            return self._send_datagram(link, forced)
        assert isinstance(link, TcpLink)
        count = min(len(self._payload), link.free())
        if forced is not None:
            count = min(len(self._payload), forced)
        elif dce.profile.send_full == "wait":
            count = len(self._payload)
        link.send(self._payload[: max(0, count)])
        return count

    def _send_datagram(self, link: UdpLink, forced: int | None) -> int:
        """Send all of it or, when less is to be confirmed, nothing."""
        size = len(self._payload)
        if forced is not None and forced < size:
            return forced
        link.send_to(self._payload, self._target)
        return size

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
    link = dce.stack.tcp(number) if dce.stack.has(number) else None
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


HANDLERS: Final[dict[str, Handler]] = {"+CIPSEND": cipsend, "+CIPSENDSTR": cipsendstr}

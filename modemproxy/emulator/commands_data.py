"""CIPRXGET and CIPACK (manual 15.2.17, 15.2.18)."""

from typing import Final

from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.reply import OK, Reply, ok
from modemproxy.emulator.syntax import Call, Form

_MAX_HEX_READ: Final = 750


# -- CIPRXGET --


def ciprxget(dce: AtPort, call: Call) -> Reply | None:
    """CIPRXGET: 0 and 1 choose push or buffer, 2 and 3 read, 4 asks, 5 adds addresses."""
    top = dce.profile.rxget_modes
    if call.form is Form.TEST:
        return ok(
            f"+CIPRXGET: (0-{top}),(0-{dce.stack.numbers[-1]}),(1-{dce.profile.max_read})"
        )
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
    if not dce.stack.has(number):
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
    return ok(f"+CIPRXGET: 4,{number},{link.rx.count() if link else 0}")


def _rx_read(dce: AtPort, number: int, mode: int, limit: int) -> Reply | None:
    link = dce.stack.links[number]
    data = link.read(limit) if link is not None else b""
    if link is None or not data:
        return dce.ip_error("No data")
    if dce.ctx.chance(dce.profile.ghost_urc_p):
        dce.out.urc(f"+CIPRXGET: 1,{(number + 1) % len(dce.stack.numbers)}")
    header = f"+CIPRXGET: {mode},{number},{len(data)},{link.rx.rest()}"
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
        return ok(f"+CIPACK: (0-{dce.stack.numbers[-1]})")
    if not dce.profile.cipack:
        return dce.ip_error("Operation not supported")
    number = call.number(0)
    if not dce.stack.has(number):
        return dce.ip_error("Invalid parameter")
    if not dce.stack.net:
        return dce.ip_error("Network not opened")
    link = dce.stack.tcp(number)
    if link is None or not link.is_open:
        return dce.ip_error("Connection is not created")
    acked = link.acked_total if dce.profile.cipack_acked == "counted" else 0
    return ok(f"+CIPACK: {link.sent_total},{acked},{link.received_total}")


HANDLERS: Final[dict[str, Handler]] = {
    "+CIPRXGET": ciprxget,
    "+CIPACK": cipack,
}

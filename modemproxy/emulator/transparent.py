"""Transparent mode: the port is the connection (manual 15.2.12, CIPMODE; protocol.md 10).

Bytes of the DTE go out as they are, when a segment is full or none came for ``transwaittm``.
Bytes of the far side come out as they are. Out of it: ``+++`` with silence around it, a
falling DTR with AT&D1 or AT&D2, and the end of the connection (``CLOSED``). Back: ``ATO``.

In command mode the connection stays, and what comes in waits in the link.
"""

from typing import Final

from modemproxy.emulator.atport import AtPort
from modemproxy.emulator.escape import EscapeWatch
from modemproxy.emulator.internet import Address
from modemproxy.emulator.links import MAX_REPORT, PUSH_BACKLOG, Link
from modemproxy.emulator.output import Piece
from modemproxy.emulator.tcp import TcpLink
from modemproxy.emulator.timers import Timer
from modemproxy.emulator.udp import UdpLink

#: Outgoing bytes are sent on at the latest when there are so many.
_SEGMENT: Final = 1460

#: Outgoing bytes that wait for the stack, at most; without RTS the rest is lost.
_BACKLOG: Final = 8192

_SEND_TIMEOUT_OR_DTR: Final = 2
_COMMAND_MODE: Final = 1
_RTS_CTS: Final = 2


class Transparent:
    """The transparent session of one port over one link.

    Args:
        port: where the DTE is.
        link: open.
        target: where a UDP link sends to.

    Attributes:
        online: data mode; False after an escape.
    """

    def __init__(self, port: AtPort, link: Link, target: Address | None = None) -> None:
        self.online = False
        self._port = port
        self._ctx = port.ctx
        self._link = link
        self._target = target
        self._outgoing = bytearray()
        self._escape = EscapeWatch(self._ctx.now)
        self._escape_timer: Timer | None = None
        self._send_timer: Timer | None = None

    # -- between the modes --

    def go_online(self) -> None:
        """Enter data mode; CONNECT has been said."""
        self.online = True
        self._port.out.hears_urcs = False
        self._escape = EscapeWatch(self._ctx.now)
        self._port.input.data_follows()
        self._link.flush()

    def _go_offline(self) -> None:
        self._send()
        self._stop_timers()
        self.online = False
        self._port.out.hears_urcs = True

    def dtr_fell(self, mode: int) -> None:
        """Act as AT&D1 (command mode) or AT&D2 (disconnect) asks."""
        if mode != _COMMAND_MODE:
            self._port.stack.close(self._link.number)
            self._ctx.urc(f"+IPCLOSE: {self._link.number},{_SEND_TIMEOUT_OR_DTR}")
        elif self.online:
            self._go_offline()
            self._port.out.final("OK")

    def forget(self) -> None:
        """End without a word: the power went."""
        self._stop_timers()
        self.online = False
        self._port.out.hears_urcs = True
        self._port.input.session = None
        self._link.outlet = None

    # -- what the link says (links.Outlet) --

    def pull(self) -> None:
        """Take what is buffered, as far as the line keeps up."""
        out, values = self._port.out, self._ctx.settings.values
        while self.online and self._link.rx.waiting() and len(out) < PUSH_BACKLOG:
            data = self._link.read(MAX_REPORT)
            if self._ctx.profile.transparent_recv_from and values["+CIPSRIP"][0]:
                data = f"RECV FROM:{self._link.host}:{self._link.port}\r\n".encode() + data
            out.put(Piece.PAYLOAD, data)

    def ended(self, reason: int) -> None:
        """Hear that the link ended by itself; what was not asked for by ATO is lost."""
        link = self._link
        self._closed()
        link.rx.clear()
        if self._ctx.profile.transparent_ipclose:
            self._ctx.urc(f"+IPCLOSE: {link.number},{reason}")

    def dropped(self) -> None:
        """Hear that the link is no more."""
        self._closed()

    def _closed(self) -> None:
        self.forget()
        self._port.out.urc("CLOSED")

    # -- what the DTE says (dte_input.DataMode) --

    def feed(self, data: bytearray) -> int:
        """Take data; 0 while RTS holds the DTE back (AT+IFC=2,2)."""
        taken = bytes(data)
        if self._ctx.settings.values["+IFC"][0] == _RTS_CTS:
            taken = taken[: max(0, _BACKLOG - len(self._outgoing))]
        if taken:
            self._take(taken)
        return len(taken)

    def _take(self, data: bytes) -> None:
        self._outgoing += self._escape.feed(data, self._ctx.now)
        self._arm_escape()
        if len(self._outgoing) >= _SEGMENT:
            self._send()
        if len(self._outgoing) > _BACKLOG:
            self._ctx.complain("transparent data overran the module (no flow control)")
            del self._outgoing[_BACKLOG:]
        self._arm_send()

    def _arm_escape(self) -> None:
        if self._escape_timer is not None:
            self._escape_timer.cancel()
        when = self._escape.deadline()
        self._escape_timer = None if when is None else self._ctx.timer(when, self._silent)

    def _silent(self) -> None:
        """Silence after one to three plus signs: an escape, or data after all."""
        given_up, escaped = self._escape.silence()
        self._outgoing += given_up
        if escaped:
            self._go_offline()
            self._port.out.final("OK")
        elif given_up:
            self._arm_send()

    def _arm_send(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
        wait = self._ctx.settings.transwait_ms / 1000
        if self._outgoing:
            self._send_timer = self._ctx.timer(self._ctx.now + wait, self._send)

    def _send(self) -> None:
        """Send what waits, as far as the stack takes it."""
        link = self._link
        if isinstance(link, UdpLink):
            self._send_datagrams(link)
        elif isinstance(link, TcpLink) and link.is_open:
            count = min(len(self._outgoing), link.free())
            link.send(bytes(self._outgoing[:count]))
            del self._outgoing[:count]
            self._send_the_rest_later(link)

    def _send_datagrams(self, link: UdpLink) -> None:
        while self._outgoing and self._target is not None:
            link.send_to(bytes(self._outgoing[:MAX_REPORT]), self._target)
            del self._outgoing[:MAX_REPORT]

    def _send_the_rest_later(self, link: TcpLink) -> None:
        if self._progress in link.on_progress:
            link.on_progress.remove(self._progress)
        if self._outgoing:
            link.on_progress.append(self._progress)

    def _progress(self) -> None:
        self._send()
        self._port.input.pump()

    def _stop_timers(self) -> None:
        for timer in (self._escape_timer, self._send_timer):
            if timer is not None:
                timer.cancel()


def start_transparent(port: AtPort, link: Link, target: Address | None = None) -> None:
    """Connect a port to an open link, and say so.

    Args:
        port: in command mode, no command executing.
        link: open.
        target: where a UDP link sends to.
    """
    attach_transparent(port, link, target)
    port.out.final(connect_text(port))
    resume_transparent(port)


def attach_transparent(port: AtPort, link: Link, target: Address | None = None) -> None:
    """Make a session that is not yet in data mode."""
    session = Transparent(port, link, target)
    port.input.session = session
    link.outlet = session


def resume_transparent(port: AtPort) -> None:
    """Enter data mode; CONNECT has just been said."""
    if isinstance(port.input.session, Transparent):
        port.input.session.go_online()


def connect_text(port: AtPort) -> str:
    """Return the CONNECT of this firmware."""
    return port.profile.connect_text.format(rate=port.module.baudrate)

"""A UDP link (manual 15.2.5, CIPOPEN "UDP"; protocol.md 5.6).

A bound port of the module. One CIPSEND is one datagram. In buffer mode the sender of what
is read is not said; boundaries are kept only with CIPCCFG's udpRecvmode 1.
"""

from modemproxy.emulator.context import Context
from modemproxy.emulator.internet import Address, Datagrams
from modemproxy.emulator.links import MAX_REPORT, Link, State
from modemproxy.emulator.rx import DatagramBuffer
from modemproxy.emulator.wan import Wan


class UdpLink(Link):
    """One bound UDP port; the ``internet.DatagramSink`` of it.

    Args:
        ctx: shared by the module.
        wan: the radio.
        number: the link number.
        by_package: udpRecvmode, as it was at NETOPEN.
    """

    kind = "UDP"

    def __init__(self, ctx: Context, wan: Wan, number: int, *, by_package: bool) -> None:
        profile = ctx.profile
        self._datagrams = DatagramBuffer(
            by_package=by_package and profile.udp_package == "kept",
            capacity=profile.udp_buffer_bytes,
            keep_surplus=profile.udp_surplus == "kept",
            count_one=profile.udp_rest == "datagram",
        )
        self._datagrams.on_cut = self._cut
        super().__init__(ctx, number, self._datagrams)
        self._wan = wan
        self._socket: Datagrams | None = None
        self.dropped = 0

    def bound(self, socket: Datagrams) -> None:
        """Be open on a socket of the far side."""
        self._socket = socket
        self.state = State.OPEN

    def _cut(self, left: int) -> None:
        self.ctx.complain(f"CIPRXGET on link {self.number} cut {left} bytes off a datagram")

    def send_to(self, data: bytes, target: Address) -> None:
        """Send one datagram; what the network loses is lost without a word."""
        socket = self._socket
        fits = len(data) <= self.ctx.profile.udp_lost_above_bytes
        if socket is not None and fits and not self._lost():
            self._wan.up(len(data), lambda: socket.send_to(data, target))

    def datagram(self, data: bytes, source: Address) -> None:
        """Take one datagram from the network onto the radio."""
        self.ctx.touch()
        if not self._lost():
            self._wan.down(len(data), lambda: self._deliver(data, source))

    def _lost(self) -> bool:
        return self._wan.held or self.ctx.chance(self.ctx.profile.udp_loss)

    def _deliver(self, data: bytes, source: Address) -> None:
        if self.state is not State.OPEN:
            return
        self.host, self.port = source
        was_empty = self.rx.waiting() == 0
        if not self._datagrams.add(data, source):
            self.dropped += 1
            return
        self.received(was_empty=was_empty)

    def push(self) -> None:
        """Say what is buffered, each datagram with its own sender."""
        while self.rx.waiting() and self._line_keeps_up():
            (self.host, self.port), data = self._datagrams.take_one(MAX_REPORT)
            self.report(data)

    def drop(self) -> None:
        """Release the port."""
        super().drop()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()

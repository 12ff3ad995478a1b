"""One link of the module: what is common to TCP and UDP, that is receiving.

Bytes that came in wait in ``rx`` for a read (buffer mode, CIPRXGET=1) or are said at once
(direct push, CIPRXGET=0; manual 15.2.17, protocol.md 5 and 11).
"""

from enum import Enum
from typing import Final, Protocol

from modemproxy.emulator.context import Context
from modemproxy.emulator.rx import Unread

#: Push reports carry at most this many bytes; also the most that one CIPSEND takes.
MAX_REPORT: Final = 1500

#: With this much output waiting, pushing stops and the far side's window closes.
PUSH_BACKLOG: Final = 16384


class State(Enum):
    """Life of a link."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"


class Outlet(Protocol):
    """Where a link's data goes in transparent mode (``transparent.Transparent``)."""

    online: bool

    def pull(self) -> None:
        """Take what is buffered, as far as the line keeps up."""

    def ended(self, reason: int) -> None:
        """Hear that the link ended by itself, behind all its data; as +IPCLOSE has it."""

    def dropped(self) -> None:
        """Hear that the link is no more."""


class Link:
    """A used link number.

    Attributes:
        number: 0-9.
        kind: ``TCP`` or ``UDP``, as CIPOPEN spells it.
        host, port: the far end; for UDP that of the last datagram.
        server: index of the server that accepted it, -1 for the module's own.
        result_pending: the ``+CIPSEND`` of the last send is still to come.
        outlet: the transparent session, if there is one.
    """

    kind = ""

    def __init__(self, ctx: Context, number: int, rx: Unread, *, server: int = -1) -> None:
        self.ctx = ctx
        self.number = number
        self.state = State.OPENING
        self.host = ""
        self.port = 0
        self.server = server
        self.result_pending = False
        self.outlet: Outlet | None = None
        self.rx = rx

    @property
    def is_open(self) -> bool:
        """Whether data can be sent."""
        return self.state is State.OPEN

    def describe(self) -> str:
        """Return the fields of ``CIPOPEN?``."""
        return f'{self.number},"{self.kind}","{self.host}",{self.port},{self.server}'

    def read(self, limit: int) -> bytes:
        """Take at most ``limit`` bytes for the DTE."""
        return self.rx.take(limit)

    def hint(self, *, was_empty: bool) -> None:
        """Say ``+CIPRXGET: 1,l``, if this firmware would, and the dice agree."""
        profile, settings = self.ctx.profile, self.ctx.settings
        if profile.data_urcs == "none" or (profile.data_urcs == "edge" and not was_empty):
            return
        if self.ctx.chance(profile.data_urc_loss):
            return
        if settings.rx_ip:
            self.ctx.urc(f"+CIPRXGETIP:{self.host}:{self.port}")
        self.ctx.urc(f"+CIPRXGET: 1,{self.number}")

    def received(self, *, was_empty: bool) -> None:
        """Act on new bytes in ``rx``: push them or hint at them."""
        if self.streaming:
            self.flush()
        elif self.outlet is None and self.rx.waiting():
            self.hint(was_empty=was_empty)

    @property
    def streaming(self) -> bool:
        """Whether data goes out by itself: direct push, or transparent data mode."""
        return self.ctx.settings.rxget == 0 if self.outlet is None else self.outlet.online

    def flush(self) -> None:
        """Say what is buffered, as far as the line keeps up."""
        if self.outlet is None:
            self.push()
        else:
            self.outlet.pull()

    def push(self) -> None:
        """Say what is buffered as direct push (protocol.md 11)."""
        while self.rx.waiting() and self._line_keeps_up():
            self.report(self.read(MAX_REPORT))

    def _line_keeps_up(self) -> bool:
        return all(len(out) < PUSH_BACKLOG for out in self.ctx.reporting())

    def report(self, data: bytes) -> None:
        """Say one direct push report."""
        header = self._push_header(len(data))
        for out in self.ctx.reporting():
            out.push(header, data)

    def _push_header(self, size: int) -> bytes:
        values = self.ctx.settings.values
        if values["+CIPCCFG"][4] == 1:
            return f"\r\n+RECEIVE,{self.number},{size}\r\n".encode()
        header = f"\r\nRECV FROM:{self.host}:{self.port}\r\n" if values["+CIPSRIP"][0] else ""
        if values["+CIPHEAD"][0]:
            header += f"+IPD{size}\r\n" if header else f"\r\n+IPD{size}\r\n"
        return header.encode()

    def settle(self) -> None:
        """Say what was held back behind data, if that is out now."""

    def drop(self) -> None:
        """Lose the link without a word: network gone, power gone."""
        self.state = State.CLOSED
        self.rx.clear()
        if self.outlet is not None:
            self.outlet.dropped()

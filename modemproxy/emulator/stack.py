"""The module's TCP/IP stack: the network, ten links, four servers (manual chapter 15).

No AT syntax here. The command chapters ask, and say what came of it; what happens by itself
(a far close, a new client, the network going) is said from here as a URC.
"""

from collections.abc import Callable
from typing import Final, TypeGuard

from modemproxy.emulator.context import Context
from modemproxy.emulator.internet import Internet
from modemproxy.emulator.links import Link, State
from modemproxy.emulator.radio import Radio
from modemproxy.emulator.servers import Server, Servers
from modemproxy.emulator.tcp import TcpLink
from modemproxy.emulator.udp import UdpLink
from modemproxy.emulator.wan import Wan

#: More than any firmware has.
LINKS: Final = 10

_COVERAGE: Final = "coverage"
_IPV6: Final = 6


class Stack:
    """State of the embedded stack.

    Attributes:
        net: whether NETOPEN has succeeded.
        net_pending: whether a NETOPEN or NETCLOSE has its result still to come.
        links: by number; a closed link stays while its data may be read.
        entrance: the servers, and the far clients that come in.
        latched: what CIPMODE, CSOCKSETPN and udpRecvmode were at NETOPEN.
        opens: NETOPENs since boot.
    """

    def __init__(self, ctx: Context, internet: Internet, radio: Radio) -> None:
        self.ctx = ctx
        self.internet = internet
        self.radio = radio
        self.wan = Wan(ctx)
        self.net = False
        self.net_reported: bool | None = None
        self.net_pending = False
        self.links: list[Link | None] = [None] * LINKS
        self.entrance = Servers(ctx, self.wan, internet, self)
        self.entrance.on_accepted = self._accepted
        self.latched = (0, 1, 0)
        self.opens = 0
        self.on_transparent_client: Callable[[Link], None] = lambda _link: None
        radio.on_coverage = self._coverage

    # -- network --

    @property
    def transparent(self) -> bool:
        """Whether CIPMODE was 1 at NETOPEN."""
        return self.latched[0] == 1

    @property
    def address(self) -> str:
        """The module's own address, of the family that CSOCKSETPN chose."""
        profile = self.ctx.profile
        return profile.address6 if self.latched[1] == _IPV6 else profile.address

    def net_up(self) -> None:
        """Open the network; latch what is latched there."""
        values = self.ctx.settings.values
        package = values["+CIPCCFG"][7]
        self.latched = (values["+CIPMODE"][0], values["+CSOCKSETPN"][1], package)
        self.net = True
        self.net_reported = None

    def net_down(self) -> None:
        """Close the network: servers and links end without a word."""
        self.drop_all()
        self.net = False
        self.net_reported = None
        if not self.ctx.profile.rxget_survives_netclose:
            self.ctx.settings.rxget = 0

    def lose(self, *, urc: bool) -> None:
        """The network takes the context away (protocol.md 6, CIPEVENT)."""
        for number in range(LINKS):
            if (link := self.tcp(number)) is not None:
                link.release_command()
        self.drop_all()
        if self.net:
            self.net = False
            self.net_reported = bool(self.ctx.profile.netopen_after_loss)
        if urc:
            self.ctx.urc("+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY")

    def _coverage(self, there: bool) -> None:
        if there:
            self.wan.release(_COVERAGE)
        else:
            self.wan.hold(_COVERAGE)

    @property
    def net_state(self) -> int:
        """What ``NETOPEN?`` says; after a loss some firmware still says 1."""
        return int(self.net if self.net_reported is None else self.net_reported)

    def drop_all(self) -> None:
        """Lose every server and link, far sides reset."""
        self.entrance.stop_all()
        for link in self.links:
            if link is not None:
                link.drop()
        self.links = [None] * LINKS

    def reboot(self) -> None:
        """Be as after power-up."""
        self.drop_all()
        self.wan.reset()
        self.net, self.net_reported, self.net_pending = False, None, False
        self.opens = 0

    # -- links --

    @property
    def numbers(self) -> range:
        """The link numbers that this firmware has."""
        return range(max(1, min(LINKS, self.ctx.profile.link_count)))

    def has(self, number: int | None) -> TypeGuard[int]:
        """Whether a link can have this number."""
        return number in self.numbers

    def tcp(self, number: int) -> TcpLink | None:
        """Return the link if it is TCP, in whatever state."""
        link = self.links[number]
        return link if isinstance(link, TcpLink) else None

    def open_link(self, number: int) -> Link | None:
        """Return the link if data can be sent on it."""
        link = self.links[number]
        return link if link is not None and link.is_open else None

    def is_free(self, number: int) -> bool:
        """Whether an open may use this number."""
        link = self.links[number]
        return link is None or link.state is State.CLOSED

    def any_open(self) -> list[Link]:
        """Return all open links."""
        return [link for link in self.links if link is not None and link.is_open]

    def new_tcp(self, number: int) -> TcpLink:
        """Take a number for a TCP link of the module's own."""
        link = TcpLink(self.ctx, self.wan, number)
        self.put(link)
        return link

    def put(self, link: TcpLink) -> None:
        """Enter a TCP link under its number."""
        link.on_closed = self._ended
        self._leave_stale(link)
        self.links[link.number] = link

    def connect(self, link: TcpLink, host: str, port: int) -> None:
        """Start an open; ``link.on_result`` hears how it went."""
        link.host, link.port = host, port
        told = link.on_result

        def result(err: int) -> None:
            told(err)
            if err:
                self.entrance.look_soon()

        link.on_result = result
        # where nothing passes no SYN gets out: only CIPTIMEOUT ends that
        attempt = None if self.wan.held else self.internet.connect(host, port, link)
        link.watch(attempt, self.ctx.settings.values["+CIPTIMEOUT"][1] / 1000)

    def open_udp(self, number: int, port: int) -> bool:
        """Bind a UDP link; False when the port is taken."""
        link = UdpLink(self.ctx, self.wan, number, by_package=self.latched[2] == 1)
        socket = self.internet.bind(port, link)
        if socket is None:
            return False
        link.bound(socket)
        self.links[number] = link
        return True

    def close(self, number: int) -> None:
        """Close a link from our side and free its number; unread data is gone."""
        link, self.links[number] = self.links[number], None
        if isinstance(link, TcpLink):
            link.close()
        elif link is not None:
            link.drop()
        self.entrance.look_soon()

    def flush_pushes(self) -> None:
        """Go on with direct push or transparent data when the line has caught up."""
        for link in self.links:
            if link is not None and link.rx.waiting() and link.streaming:
                link.flush()
            elif link is not None:
                link.settle()

    def _leave_stale(self, link: TcpLink) -> None:
        old = self.links[link.number]
        if old is not None and self.ctx.profile.stale_data_after_reuse:
            link.preload(old.rx.take(link.ctx.profile.receive_buffer_bytes))

    def _ended(self, link: TcpLink) -> None:
        if not self.ctx.chance(self.ctx.profile.close_urc_loss):
            self.ctx.urc(f"+IPCLOSE: {link.number},{link.end_reason}")
        self.entrance.look_soon()

    # -- servers --

    @property
    def servers(self) -> dict[int, Server]:
        """The servers that are running, by index."""
        return self.entrance.running

    def listen(self, index: int, port: int) -> bool:
        """Start a server; False when the port is taken."""
        return self.entrance.listen(index, port)

    def free_numbers(self) -> list[int]:
        """Return the numbers a far client can have, in ascending order."""
        # transparent mode has room for one connection, link 0 (protocol.md 10)
        return list(filter(self.is_free, self.numbers[: 1 if self.transparent else LINKS]))

    def accepted_on(self, index: int) -> list[Link]:
        """Return the open links that a server accepted."""
        return [link for link in self.any_open() if link.server == index]

    def _accepted(self, link: TcpLink) -> None:
        if self.transparent:
            self.on_transparent_client(link)

"""UDP over the module's stack (manual 15.2.5, 15.2.6): bind a port, send one datagram.

A UDP link is a bound port without a peer: the far side is named in every send. Its result
lines have the forms of TCP's, in another order: ``+CIPOPEN`` stands before OK here. CIPACK
knows nothing of it (manual 15.2.18): ``+CIPSEND`` is all that is ever said about a datagram.
"""

from dataclasses import dataclass

from modemproxy.at.commands import Setting, quoted_host
from modemproxy.at.transfer import SendData
from modemproxy.at.urcs import LinkOpened, Urc


@dataclass(frozen=True, slots=True)
class OpenUdp(Setting):
    """``+CIPOPEN=<link>,"UDP",,,<localPort>``: bind a port; result ``LinkOpened`` before OK.

    The local port is mandatory, and the remote left empty (with one, or without the other,
    the module answers 3); a port that is taken answers 6.

    Attributes:
        link: the number to open, 0 to 9.
        local_port: the module's own port.
    """

    link: int
    local_port: int

    @property
    def text(self) -> str:
        """The command."""
        return f'+CIPOPEN={self.link},"UDP",,,{self.local_port}'

    def outcome(self, urc: Urc) -> int | None:
        """Its own result."""
        return urc.err if isinstance(urc, LinkOpened) and urc.link == self.link else None


@dataclass(frozen=True, slots=True)
class SendDatagram(SendData):
    """``+CIPSEND=<link>,<n>,"<host>",<port>``: one datagram; result ``SendConfirmed``.

    Attributes:
        host: the far side: an address, or on newer firmware a name.
        port: the far port.
    """

    host: str
    port: int

    @property
    def text(self) -> str:
        """The command."""
        return f"+CIPSEND={self.link},{len(self.data)},{quoted_host(self.host)},{self.port}"

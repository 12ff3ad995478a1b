"""Servers on the module (manual 15.2, SERVERSTART): listening, and who came in.

A far client is announced by ``+CLIENT`` (``ClientConnected`` of ``at/urcs.py``) and takes
the lowest free link number. ``+CIPOPEN?`` tells of every link on which server it came in.
"""

from dataclasses import dataclass
from typing import ClassVar

from modemproxy.at.commands import Command, Setting, parse_int
from modemproxy.at.urcs import ServerStopped, Urc, split_fields, split_tag
from modemproxy.errors import RemoteProtocolError

#: The most that a server lets wait for a link number (manual: 1 to 3, 3 by itself).
BACKLOG = 3


@dataclass(frozen=True, slots=True)
class StartServer(Setting):
    """``+SERVERSTART=<port>,<index>[,<backlog>]``: listen; errors come as ``+CIPERROR``.

    Attributes:
        index: which of the four servers.
        port: the module's port to listen on.
        backlog: how many may wait for a link number; None where the firmware does not
            take the field (SIM7600).
    """

    index: int
    port: int
    backlog: int | None = BACKLOG

    @property
    def text(self) -> str:
        """The command."""
        backlog = "" if self.backlog is None else f",{self.backlog}"
        return f"+SERVERSTART={self.port},{self.index}{backlog}"


@dataclass(frozen=True, slots=True)
class QueryServers(Command[dict[int, int]]):
    """``+SERVERSTART?``: the ports of the listening servers by index."""

    answers: ClassVar[bytes] = b"+SERVERSTART"
    arity: ClassVar[frozenset[int]] = frozenset({2, 3})

    @property
    def text(self) -> str:
        """The query."""
        return "+SERVERSTART?"

    def parse(self, info: list[bytes]) -> dict[int, int]:
        """Ports by server index."""
        servers = {}
        for line in info:
            fields = split_fields(split_tag(line)[1])
            servers[parse_int(fields[0], "SERVERSTART")] = parse_int(fields[1], "SERVERSTART")
        return servers


@dataclass(frozen=True, slots=True)
class StopServer(Setting):
    """``+SERVERSTOP=<index>``; result ``ServerStopped``, before or after OK."""

    index: int

    @property
    def text(self) -> str:
        """The command."""
        return f"+SERVERSTOP={self.index}"

    def outcome(self, urc: Urc) -> int | None:
        """Its own result."""
        return urc.err if isinstance(urc, ServerStopped) and urc.index == self.index else None


@dataclass(frozen=True, slots=True)
class OpenRow:
    """A link that the module has open, as ``+CIPOPEN?`` shows it.

    Attributes:
        link: its number.
        protocol: ``TCP``, ``UDP`` or ``UDP SERVER``.
        host: the far address; empty where the module does not say.
        port: the far port.
        server: the index of the server it came in on; -1 for one we opened.
    """

    link: int
    protocol: str
    host: str
    port: int
    server: int


@dataclass(frozen=True, slots=True)
class QueryOpen(Command[dict[int, OpenRow]]):
    """``+CIPOPEN?``: every link in a line, with five fields when it is open.

    A line of two fields is the result of an open that ends just now.
    """

    answers: ClassVar[bytes] = b"+CIPOPEN"

    @property
    def text(self) -> str:
        """The query."""
        return "+CIPOPEN?"

    def takes(self, line: bytes) -> bool:
        """One field: free; five: open; two are somebody's result."""
        tag, rest = split_tag(line)
        return tag == self.answers and len(split_fields(rest)) != 2

    def parse(self, info: list[bytes]) -> dict[int, OpenRow]:
        """The open links by number."""
        self._fields(info)
        lines = [split_fields(split_tag(line)[1]) for line in info]
        rows = [self._row(fields) for fields in lines if len(fields) > 1]
        return {row.link: row for row in rows}

    def _row(self, fields: list[bytes]) -> OpenRow:
        """Read one line; what stands there for a UDP link is not documented."""
        protocol = fields[1].decode("ascii", "replace").upper()
        if protocol == "TCP" and len(fields) < 5:
            raise RemoteProtocolError(f"{self.shown}: {len(fields)} fields where 5 are meant")
        return OpenRow(
            link=parse_int(fields[0], "CIPOPEN"),
            protocol=protocol,
            host=fields[2].decode("ascii", "replace") if protocol == "TCP" else "",
            port=parse_int(fields[3], "CIPOPEN") if protocol == "TCP" else 0,
            server=parse_int(fields[4], "CIPOPEN") if protocol == "TCP" else -1,
        )

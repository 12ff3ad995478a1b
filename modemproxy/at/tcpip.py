"""The TCP/IP chapter of the manual (15.2) as commands: network, links, data, servers.

Results that come after OK (``+CIPOPEN``, ``+CIPCLOSE``, ``+CIPSEND``, ``+NETOPEN``,
``+NETCLOSE``, ``+SERVERSTOP``) are unsolicited codes (``at/urcs.py``) whatever their
order; ``outcome()`` ties one that comes before ``ERROR`` to the command it explains.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from modemproxy.at.commands import Command, Setting, parse_int, quoted
from modemproxy.at.urcs import (
    CloseDone,
    LinkOpened,
    NetClosed,
    NetOpened,
    ServerStopped,
    Urc,
    split_fields,
    split_tag,
)

#: The module has ten links and four servers (A76XX; SIM767XX has 4 and 2).
LINKS: Final = 10
SERVERS: Final = 4
#: One TCP segment on a path with the usual MTU; 1500 would leave as 1460 + 40.
CHUNK: Final = 1460
#: The most that one read may ask for.
MAX_READ: Final = 1500
#: The module's own time-outs are multiples of 1 ms between these (CIPTIMEOUT).
MIN_TIMEOUT_S: Final = 3.0
MAX_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class QueryReceiveMode(Command[int]):
    """``+CIPRXGET?``: 1 is buffer access mode; a reboot sets it back to 0."""

    answers: ClassVar[bytes] = b"+CIPRXGET"
    arity: ClassVar[frozenset[int]] = frozenset({1})

    @property
    def text(self) -> str:
        """The query."""
        return "+CIPRXGET?"

    def parse(self, info: list[bytes]) -> int:
        """The mode."""
        return parse_int(self._fields(info)[0], "CIPRXGET")


@dataclass(frozen=True, slots=True)
class QueryNet(Command[bool]):
    """``+NETOPEN?``: here 1 means open; as a result the same token means failed."""

    answers: ClassVar[bytes] = b"+NETOPEN"

    @property
    def text(self) -> str:
        """The query."""
        return "+NETOPEN?"

    def parse(self, info: list[bytes]) -> bool:
        """Whether the embedded stack is up."""
        return parse_int(self._fields(info)[0], "NETOPEN") == 1


@dataclass(frozen=True, slots=True)
class OpenNet(Setting):
    """``+NETOPEN``: bring the stack up; result ``NetOpened`` (manual: up to 120 s)."""

    timeout_s: ClassVar[float] = 150.0

    @property
    def text(self) -> str:
        """The plain command."""
        return "+NETOPEN"

    def outcome(self, urc: Urc) -> int | None:
        """Its own result."""
        return urc.err if isinstance(urc, NetOpened) else None


@dataclass(frozen=True, slots=True)
class CloseNet(Setting):
    """``+NETCLOSE``: take the stack down with every link; result ``NetClosed``."""

    timeout_s: ClassVar[float] = 30.0

    @property
    def text(self) -> str:
        """The plain command."""
        return "+NETCLOSE"

    def outcome(self, urc: Urc) -> int | None:
        """Its own result."""
        return urc.err if isinstance(urc, NetClosed) else None


@dataclass(frozen=True, slots=True)
class QueryIp(Command[str]):
    """``+IPADDR``: the stack's own address."""

    answers: ClassVar[bytes] = b"+IPADDR"

    @property
    def text(self) -> str:
        """The plain command."""
        return "+IPADDR"

    def parse(self, info: list[bytes]) -> str:
        """The address as the module writes it."""
        return self._fields(info)[0].decode("ascii", "replace")


@dataclass(frozen=True, slots=True)
class OpenLink(Setting):
    """``+CIPOPEN`` for TCP; result ``LinkOpened``, before or after OK.

    Attributes:
        link: the number to open, 0 to 9.
        host: name or address; the module resolves names.
        port: the far port.
        patience_s: the module's own bound on an open (CIPTIMEOUT).
    """

    link: int
    host: str
    port: int
    patience_s: float = MAX_TIMEOUT_S

    # A firmware that prints the result before OK says nothing until the open ended.
    @property
    def timeout_s(self) -> float:  # type: ignore[override]
        """The open may take all its time before OK."""
        return self.patience_s + 5

    @property
    def text(self) -> str:
        """The command."""
        return f'+CIPOPEN={self.link},"TCP",{quoted(self.host)},{self.port}'

    def outcome(self, urc: Urc) -> int | None:
        """Its own result."""
        return urc.err if isinstance(urc, LinkOpened) and urc.link == self.link else None


@dataclass(frozen=True, slots=True)
class CloseLink(Setting):
    """``+CIPCLOSE=<link>``: close both directions; result ``CloseDone``."""

    link: int

    @property
    def text(self) -> str:
        """The command."""
        return f"+CIPCLOSE={self.link}"

    def outcome(self, urc: Urc) -> int | None:
        """Its own result."""
        return urc.err if isinstance(urc, CloseDone) and urc.link == self.link else None


@dataclass(frozen=True, slots=True)
class QueryLinks(Command[tuple[bool, ...]]):
    """``+CIPCLOSE?``: which links are open, all in one line."""

    answers: ClassVar[bytes] = b"+CIPCLOSE"

    @property
    def text(self) -> str:
        """The query."""
        return "+CIPCLOSE?"

    def takes(self, line: bytes) -> bool:
        """Two fields are the result of a close; the query's answer has one per link."""
        tag, rest = split_tag(line)
        return tag == self.answers and len(split_fields(rest)) > 2

    def parse(self, info: list[bytes]) -> tuple[bool, ...]:
        """Open or not, by link number."""
        return tuple(parse_int(field, "CIPCLOSE") != 0 for field in self._fields(info))


@dataclass(frozen=True, slots=True)
class SendData(Setting):
    """``+CIPSEND=<link>,<n>``, a prompt, n bytes; result ``SendConfirmed``.

    Fixed length only: there 0x1A, 0x1B and all others are plain payload. The module's
    own bound on the payload is the third field of CIPTIMEOUT.
    """

    link: int
    data: bytes

    timeout_s: ClassVar[float] = 18.0
    #: How long the prompt may take before its absence means something (rulings of the field).
    prompt_s: ClassVar[float] = 5.0

    @property
    def text(self) -> str:
        """The command."""
        return f"+CIPSEND={self.link},{len(self.data)}"

    @property
    def payload(self) -> bytes:
        """The bytes for the prompt."""
        return self.data


@dataclass(frozen=True, slots=True)
class ReadReply:
    """What one read brought: the bytes, and how many the module still holds."""

    data: bytes
    rest: int


@dataclass(frozen=True, slots=True)
class ReadData(Command[ReadReply]):
    """``+CIPRXGET=2,<link>,<size>``: take up to ``size`` bytes out of the link's buffer.

    The payload is framed by its header; ``parse`` is not used.
    """

    link: int
    size: int

    @property
    def text(self) -> str:
        """The command."""
        return f"+CIPRXGET=2,{self.link},{self.size}"


@dataclass(frozen=True, slots=True)
class QueryUnread(Command[int]):
    """``+CIPRXGET=4,<link>``: bytes in the link's buffer. Zero is no proof of life."""

    link: int

    @property
    def text(self) -> str:
        """The command."""
        return f"+CIPRXGET=4,{self.link}"

    def takes(self, line: bytes) -> bool:
        """Mode 4 and this link; a mode-1 line in between is a URC."""
        tag, rest = split_tag(line)
        if tag != b"+CIPRXGET":
            return False
        fields = split_fields(rest)
        return len(fields) == 3 and fields[:2] == [b"4", b"%d" % self.link]

    def parse(self, info: list[bytes]) -> int:
        """The number of bytes."""
        return parse_int(self._fields(info)[2], "CIPRXGET")


@dataclass(frozen=True, slots=True)
class AckReply:
    """Absolute counters of one link since its open; the third is not used (see manual)."""

    sent: int
    acked: int


@dataclass(frozen=True, slots=True)
class QueryAck(Command[AckReply]):
    """``+CIPACK=<link>``: how many bytes left, and how many the far side acknowledged."""

    link: int
    answers: ClassVar[bytes] = b"+CIPACK"

    @property
    def text(self) -> str:
        """The command."""
        return f"+CIPACK={self.link}"

    def parse(self, info: list[bytes]) -> AckReply:
        """The two counters every firmware has."""
        fields = self._fields(info)
        if len(fields) < 2:
            return AckReply(-1, -1)
        return AckReply(parse_int(fields[0], "CIPACK"), parse_int(fields[1], "CIPACK"))


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

"""The TCP/IP chapter of the manual (15.2) as commands: network and links. Their traffic is
in ``at/transfer.py``, servers on the module in ``at/servers.py``.

Results that come after OK (``+CIPOPEN``, ``+CIPCLOSE``, ``+CIPSEND``, ``+NETOPEN``,
``+NETCLOSE``) are unsolicited codes (``at/urcs.py``) whatever their
order; ``outcome()`` ties one that comes before ``ERROR`` to the command it explains.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from modemproxy.at.commands import Command, Setting, parse_int, quoted_host
from modemproxy.at.urcs import (
    CloseDone,
    LinkOpened,
    NetClosed,
    NetOpened,
    Urc,
    split_fields,
    split_tag,
)
from modemproxy.errors import RemoteProtocolError

#: The module has ten links and four servers; others of the family have as few as 4 and 2.
LINKS: Final = 10
FEWEST_LINKS: Final = 4
SERVERS: Final = 4
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
        return f'+CIPOPEN={self.link},"TCP",{quoted_host(self.host)},{self.port}'

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
    """``+CIPCLOSE?``: which links are open, all in one line.

    Attributes:
        count: how many links there are; None where that is to be learned.
    """

    count: int | None = None
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
        """Open or not, by link number; with a lost byte, every link would be another."""
        states = self._fields(info)
        least = self.count or FEWEST_LINKS
        right = least <= len(states) <= (self.count or LINKS)
        if not right or not all(len(state) == 1 for state in states):
            raise RemoteProtocolError(f"{self.shown}: not {least} states: {info[0]!r}")
        return tuple(parse_int(state, "CIPCLOSE") != 0 for state in states)

"""Names and addresses: the module's own resolver (manual 15.2, CDNSGIP)."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import ClassVar

from modemproxy.at.commands import Command, quoted_host
from modemproxy.at.urcs import LookupFailure, Urc, split_fields, split_tag
from modemproxy.errors import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class ResolveName(Command[list[str]]):
    """``+CDNSGIP="<name>"``: the addresses of a name, one a line; OK comes behind them.

    The line is taken until the answer is there: the manual says 6 s at most, and drivers
    of older modules wait for 32 s.

    Attributes:
        name: what to look up.
    """

    name: str

    timeout_s: ClassVar[float] = 32.0
    answers: ClassVar[bytes] = b"+CDNSGIP"

    @property
    def text(self) -> str:
        """The command."""
        return f"+CDNSGIP={quoted_host(self.name)}"

    def takes(self, line: bytes) -> bool:
        """Lines with an address; ``+CDNSGIP: 0,<err>`` explains the ERROR behind it."""
        tag, rest = split_tag(line)
        return tag == self.answers and split_fields(rest)[0] != b"0"

    def outcome(self, urc: Urc) -> int | None:
        """Its own failure."""
        return urc.err if isinstance(urc, LookupFailure) else None

    def parse(self, info: list[bytes]) -> list[str]:
        """The addresses in the module's order, each once; at least one."""
        self._fields(info)
        found: dict[str, None] = {}
        for line in info:
            for field in split_fields(split_tag(line)[1])[2:]:
                found[_address(field)] = None
        if not found:
            raise RemoteProtocolError(f"{self.shown}: no address in {info[0]!r}")
        return list(found)


def _address(field: bytes) -> str:
    """Read one address, or raise RemoteProtocolError."""
    try:
        return str(ip_address(field.decode("ascii")))
    except ValueError:
        raise RemoteProtocolError(f"CDNSGIP: not an address: {field!r}") from None

"""Questions about module and network that nobody needs for running, only for judging."""

from dataclasses import dataclass
from typing import ClassVar

from modemproxy.at.commands import Command, parse_int
from modemproxy.at.urcs import split_fields, split_tag


@dataclass(frozen=True, slots=True)
class Probe(Command[None]):
    """``+NAME=?``: the test form (V.250 5.4.4.2); OK when the firmware has the command.

    Attributes:
        name: of the command, a constant of this program.
    """

    name: str

    @property
    def text(self) -> str:
        """The test command."""
        return f"+{self.name}=?"

    def takes(self, line: bytes) -> bool:
        """Its ranges, however many lines."""
        return split_tag(line)[0] == b"+" + self.name.encode()

    def parse(self, info: list[bytes]) -> None:
        """That it was not refused is all there is to know."""


@dataclass(frozen=True, slots=True)
class QueryNumbers(Command[tuple[int, ...]]):
    """``+NAME?`` of a command whose answer is a line of numbers (CMEE, CIPCCFG, CATR).

    Attributes:
        name: of the command, a constant of this program.
    """

    name: str

    @property
    def text(self) -> str:
        """The query."""
        return f"+{self.name}?"

    def takes(self, line: bytes) -> bool:
        """The one line of that name."""
        return split_tag(line)[0] == b"+" + self.name.encode()

    def parse(self, info: list[bytes]) -> tuple[int, ...]:
        """The numbers in their order."""
        return tuple(parse_int(field, self.name) for field in self._fields(info))


@dataclass(frozen=True, slots=True)
class QueryOperator(Command[str]):
    """``+COPS?``: the network's name; empty while there is none (3GPP TS 27.007, 7.3)."""

    answers: ClassVar[bytes] = b"+COPS"
    timeout_s: ClassVar[float] = 45.0  # the manual's bound; modules look it up on the SIM

    @property
    def text(self) -> str:
        """The query."""
        return "+COPS?"

    def parse(self, info: list[bytes]) -> str:
        """The third field, when it is there."""
        fields = self._fields(info)
        return fields[2].decode("ascii", "replace") if len(fields) > 2 else ""


@dataclass(frozen=True, slots=True)
class QueryPinAttempts(Command[int]):
    """``+SPIC``: how many attempts are left for the PIN; asking costs none of them."""

    answers: ClassVar[bytes] = b"+SPIC"

    @property
    def text(self) -> str:
        """The plain command."""
        return "+SPIC"

    def parse(self, info: list[bytes]) -> int:
        """The first number; those for PUK, PIN2 and PUK2 follow it."""
        return parse_int(split_fields(split_tag(info[0])[1])[0], "SPIC") if info else 0

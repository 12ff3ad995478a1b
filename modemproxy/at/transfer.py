"""Moving bytes over a link: send, read, and the counters that tell what became of them."""

from dataclasses import dataclass, field
from typing import ClassVar, Final

from modemproxy.at.commands import Command, Setting, parse_int
from modemproxy.at.urcs import split_fields, split_tag

#: One TCP segment on a path with the usual MTU; 1500 would leave as 1460 + 40.
CHUNK: Final = 1460
#: The most that one read may ask for.
MAX_READ: Final = 1500


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
    """Absolute counters of one link since its open.

    Attributes:
        sent, acked: bytes of ours; both -1 where they were not understood.
        received: bytes of the far side that the stack has taken in, read or not; -1 where
            the firmware does not say, and otherwise not to be relied on (protocol.md 8).
    """

    sent: int
    acked: int
    received: int = field(default=-1, compare=False, repr=False)


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
        """The two counters every firmware has, and the third where there is one."""
        fields = self._fields(info)
        if len(fields) < 2:
            return AckReply(-1, -1)
        told = len(fields) > 2 and fields[2].isdigit()
        return AckReply(
            parse_int(fields[0], "CIPACK"),
            parse_int(fields[1], "CIPACK"),
            int(fields[2]) if told else -1,
        )

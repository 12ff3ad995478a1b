"""The TA commands we send, one frozen dataclass each: V.250, 3GPP TS 27.007 and vendor ones.

A command is text for the line, a bound on its final result code, a way to know its
information lines from unsolicited ones, and a parser that makes a reply of them. The
TCP/IP chapter of the manual is in ``at/tcpip.py``.

Nothing here is sent to a module unchecked: text that users or clients supply goes
through ``quoted()``, which refuses what could end the string or the line.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeVar

from modemproxy.at.urcs import Urc, parse_urc, split_fields, split_tag
from modemproxy.errors import LocalProtocolError, RemoteProtocolError

ReplyT = TypeVar("ReplyT")

#: Bound on configuration commands (manual: 9000 ms for nearly all of them).
SETTING_TIMEOUT_S: Final = 9.0


def quoted(text: str) -> str:
    """Return ``text`` as an AT string.

    Raises:
        LocalProtocolError: the text could leave its quotes or its line. Whoever lets
            text in (configuration, clients) refuses it before; this is the last guard.
    """
    if not text.isascii() or not text.isprintable() or '"' in text:
        raise LocalProtocolError(f"text not fit for an AT string: {text!r}")
    return f'"{text}"'


class Command(Generic[ReplyT]):
    """One command line and what is known about its answer.

    Attributes:
        timeout_s: bound on the final result code, in seconds.
        answers: the tag of its information lines; empty when it has none.
        arity: how many fields an information line has; empty when any number goes.
    """

    __slots__ = ()
    timeout_s: ClassVar[float] = SETTING_TIMEOUT_S
    answers: ClassVar[bytes] = b""
    arity: ClassVar[frozenset[int]] = frozenset()

    @property
    def text(self) -> str:
        """What stands behind ``AT``."""
        raise NotImplementedError

    @property
    def shown(self) -> str:
        """The command line as a log may show it, secrets masked."""
        return "AT" + self.text

    @property
    def payload(self) -> bytes | None:
        """Bytes to hand over at the prompt, or None if the command has no prompt."""
        return None

    def takes(self, line: bytes) -> bool:
        """Say whether an information line belongs to this command's answer."""
        if not self.answers:
            return False
        tag, rest = split_tag(line)
        if tag != self.answers:
            return False
        return not self.arity or len(split_fields(rest)) in self.arity

    def outcome(self, urc: Urc) -> int | None:
        """Return ``<err>`` if ``urc`` is this command's own result, else None."""
        return None

    def parse(self, info: list[bytes]) -> ReplyT:
        """Make a reply of the information lines.

        Raises:
            RemoteProtocolError: they are not what the manual says.
        """
        raise NotImplementedError

    def _fields(self, info: list[bytes]) -> list[bytes]:
        """Return the fields of the one information line that is due."""
        if not info:
            raise RemoteProtocolError(f"{self.shown}: OK without an answer")
        return split_fields(split_tag(info[0])[1])


class Setting(Command[None]):
    """A command whose whole answer is its final result code."""

    __slots__ = ()

    def parse(self, info: list[bytes]) -> None:
        """Nothing to read."""


def parse_int(field: bytes, what: str) -> int:
    """Read a number of an answer, or raise RemoteProtocolError."""
    try:
        return int(field)
    except ValueError:
        raise RemoteProtocolError(f"{what}: not a number: {field!r}") from None


@dataclass(frozen=True, slots=True)
class Attention(Setting):
    """``AT``: is somebody there."""

    timeout_s: ClassVar[float] = 1.0

    @property
    def text(self) -> str:
        """Nothing behind ``AT``."""
        return ""


@dataclass(frozen=True, slots=True)
class Basic(Setting):
    """A V.250 basic command: ``E0`` echo off, ``V1`` result words, ``Q0`` results on."""

    setting: str

    @property
    def text(self) -> str:
        """The letters and the digit."""
        return self.setting


@dataclass(frozen=True, slots=True)
class Assign(Setting):
    """``+NAME=value`` with constants of this program, never with text from outside."""

    name: str
    values: str

    @property
    def text(self) -> str:
        """The assignment."""
        return f"+{self.name}={self.values}"


@dataclass(frozen=True, slots=True)
class SetRate(Setting):
    """``+IPR``: the line speed until the next boot. OK comes at the old speed."""

    baudrate: int

    @property
    def text(self) -> str:
        """The assignment."""
        return f"+IPR={self.baudrate}"


@dataclass(frozen=True, slots=True)
class Identify(Command[str]):
    """``+CGMM`` model or ``+CGMR`` revision: answered in free text."""

    what: str

    @property
    def text(self) -> str:
        """The plain command."""
        return f"+{self.what}"

    def takes(self, line: bytes) -> bool:
        """Free text, or the tagged form some firmware uses."""
        tag, _ = split_tag(line)
        if not tag:
            return parse_urc(line) is None  # the words of a late boot are no model name
        return tag == b"+" + self.what.encode()

    def parse(self, info: list[bytes]) -> str:
        """The words, joined."""
        words = (split_tag(line)[1].decode("ascii", "replace").strip() for line in info)
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class QuerySim(Command[str]):
    """``+CPIN?``: ``READY``, ``SIM PIN``, ``SIM PUK`` ..."""

    answers: ClassVar[bytes] = b"+CPIN"

    @property
    def text(self) -> str:
        """The query."""
        return "+CPIN?"

    def parse(self, info: list[bytes]) -> str:
        """The state in the manual's words."""
        return self._fields(info)[0].decode("ascii", "replace")


@dataclass(frozen=True, slots=True)
class EnterPin(Setting):
    """``+CPIN=``: unlock the SIM. Never sent twice after a refusal (three end in PUK)."""

    pin: str

    @property
    def text(self) -> str:
        """The assignment, with the PIN."""
        return f"+CPIN={quoted(self.pin)}"

    @property
    def shown(self) -> str:
        """The assignment, masked."""
        return "AT+CPIN=" + "*" * (len(self.pin) + 2)


@dataclass(frozen=True, slots=True)
class QueryFunction(Command[int]):
    """``+CFUN?``: 1 is full functionality."""

    answers: ClassVar[bytes] = b"+CFUN"

    @property
    def text(self) -> str:
        """The query."""
        return "+CFUN?"

    def parse(self, info: list[bytes]) -> int:
        """The level."""
        return parse_int(self._fields(info)[0], "CFUN")


@dataclass(frozen=True, slots=True)
class QueryRegistration(Command[int]):
    """``+CEREG?`` / ``+CGREG?`` / ``+CREG?``: ``<stat>`` of 3GPP TS 27.007."""

    domain: str

    @property
    def text(self) -> str:
        """The query."""
        return f"+{self.domain}?"

    def takes(self, line: bytes) -> bool:
        """The answer has one field more than the unsolicited form: ``<n>`` comes first."""
        tag, rest = split_tag(line)
        if tag != b"+" + self.domain.encode():
            return False
        fields = split_fields(rest)  # in the long unsolicited form <tac> stands here
        return len(fields) >= 2 and fields[1].isdigit() and len(fields[1]) <= 2

    def parse(self, info: list[bytes]) -> int:
        """``<stat>``."""
        return parse_int(self._fields(info)[1], self.domain)


@dataclass(frozen=True, slots=True)
class QueryContexts(Command[dict[int, tuple[str, str]]]):
    """``+CGDCONT?``: the PDP contexts by cid, as (type, APN)."""

    answers: ClassVar[bytes] = b"+CGDCONT"

    @property
    def text(self) -> str:
        """The query."""
        return "+CGDCONT?"

    def parse(self, info: list[bytes]) -> dict[int, tuple[str, str]]:
        """Contexts by cid."""
        contexts = {}
        for line in info:
            fields = split_fields(split_tag(line)[1])
            if len(fields) >= 3:
                cid = parse_int(fields[0], "CGDCONT")
                words = [field.decode("ascii", "replace") for field in fields[1:3]]
                contexts[cid] = words[0], words[1]
        return contexts


@dataclass(frozen=True, slots=True)
class SetContext(Setting):
    """``+CGDCONT=1,...``: the PDP context the embedded stack uses (saved by the module)."""

    ip_type: str
    apn: str

    @property
    def text(self) -> str:
        """The assignment."""
        return f"+CGDCONT=1,{quoted(self.ip_type)},{quoted(self.apn)}"


@dataclass(frozen=True, slots=True)
class SetAuth(Setting):
    """``+CGAUTH=1,...``: on this family the password stands before the user name."""

    method: int
    username: str
    password: str

    @property
    def text(self) -> str:
        """The assignment."""
        if not self.method:
            return "+CGAUTH=1,0"
        return f"+CGAUTH=1,{self.method},{quoted(self.password)},{quoted(self.username)}"

    @property
    def shown(self) -> str:
        """The assignment, password masked."""
        hidden = SetAuth(self.method, self.username, "*" * len(self.password))
        return "AT" + hidden.text


@dataclass(frozen=True, slots=True)
class SetDns(Setting):
    """``+CDNSCFG``: the module's resolvers."""

    servers: tuple[str, ...]

    @property
    def text(self) -> str:
        """The assignment."""
        return "+CDNSCFG=" + ",".join(quoted(server) for server in self.servers)


@dataclass(frozen=True, slots=True)
class QueryAddress(Command[str]):
    """``+CGPADDR=1``: the PDP address, which exists without NETOPEN; empty for none."""

    answers: ClassVar[bytes] = b"+CGPADDR"

    @property
    def text(self) -> str:
        """The query."""
        return "+CGPADDR=1"

    def parse(self, info: list[bytes]) -> str:
        """The address, or nothing for ``0.0.0.0``."""
        fields = split_fields(split_tag(info[0])[1]) if info else []
        address = fields[1].decode("ascii", "replace") if len(fields) > 1 else ""
        return "" if address == "0.0.0.0" else address

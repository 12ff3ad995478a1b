"""The TA commands we send, one frozen dataclass each: V.250, 3GPP TS 27.007 and vendor ones.

A command is text for the line, a bound on its final result code, a way to know its
information lines from unsolicited ones, and a parser that makes a reply of them. The
SIM and network are in ``at/subscription.py``, the TCP/IP chapter in ``at/tcpip.py``.

Nothing here is sent to a module unchecked: text that users or clients supply goes
through ``quoted()`` or ``quoted_host()``, which refuse what could end the string or the line.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeVar

from modemproxy.at.urcs import Urc, parse_urc, split_fields, split_tag
from modemproxy.errors import LocalProtocolError, RemoteProtocolError

ReplyT = TypeVar("ReplyT")

#: Bound on configuration commands (manual: 9000 ms for nearly all of them).
SETTING_TIMEOUT_S: Final = 9.0
#: The manual's limit for a name (CDNSGIP): 254; underscores are in use, colons are IPv6's.
_HOST: Final = re.compile(r"[A-Za-z0-9._:-]{1,254}", re.ASCII)


def quoted(text: str) -> str:
    """Return ``text`` as an AT string.

    Raises:
        LocalProtocolError: the text could leave its quotes or its line. Whoever lets
            text in (configuration, clients) refuses it before; this is the last guard.
    """
    if not text.isascii() or not text.isprintable() or '"' in text:
        raise LocalProtocolError(f"text not fit for an AT string: {text!r}")
    return f'"{text}"'


def quoted_host(text: str) -> str:
    """Return a host name or address as an AT string.

    Stricter than ``quoted()``, because any client may choose it: nothing but what names and
    addresses are made of. A backslash, for one, may begin an escape in a string (V.250
    5.4.2.2), and ``\\22`` would be the quote that ends it.

    Raises:
        LocalProtocolError: it is no host name or address.
    """
    if not _HOST.fullmatch(text):
        raise LocalProtocolError(f"no host name or address: {text!r}")
    return quoted(text)


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
class Reset(Setting):
    """``+CRESET``: restart the module; it is gone for a while after OK (manual 2.2)."""

    @property
    def text(self) -> str:
        """The plain command."""
        return "+CRESET"


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

"""What the module says, understood well enough to pick out what a fault is about."""

import re
from difflib import get_close_matches
from typing import Final, Literal

from modemproxy.emulator.chapters import HANDLERS
from modemproxy.emulator.faults_params import BadValue
from modemproxy.emulator.output import Piece
from modemproxy.emulator.syntax import Call, Form

_LINE: Final = re.compile(rb"(?:\r\n)?([^\r\n]*)")
_HEADER: Final = re.compile(rb"(?:\r\n)?[^\r\n]*\r\n")
_READ_FIELDS: Final = 4
_FINALS: Final = frozenset({"OK", "ERROR", "0", "4"})

#: What can be told apart: name -> (tag, how many fields, kinds of piece).
UrcName = Literal[
    "data",
    "closed",
    "send_result",
    "open_result",
    "close_result",
    "netopen_result",
    "netclose_result",
    "network",
    "client",
    "registration",
    "packet",
    "sim",
    "boot",
    "any",
]
_RESULT: Final = (Piece.URC, Piece.LINE)
_UNASKED: Final = (Piece.URC,)
_URCS: Final[dict[str, tuple[tuple[str, ...], int | None, tuple[Piece, ...]]]] = {
    "data": (("+CIPRXGET", "+CIPRXGETIP"), None, _UNASKED),
    "closed": (("+IPCLOSE",), None, _UNASKED),
    "send_result": (("+CIPSEND",), 3, _RESULT),
    "open_result": (("+CIPOPEN",), 2, _RESULT),
    "close_result": (("+CIPCLOSE",), 2, _RESULT),
    "netopen_result": (("+NETOPEN",), 1, _UNASKED),
    "netclose_result": (("+NETCLOSE",), 1, _UNASKED),
    "network": (("+CIPEVENT",), None, _UNASKED),
    "client": (("+CLIENT",), None, _UNASKED),
    "registration": (("+CREG", "+CGREG", "+CEREG"), None, _UNASKED),
    "packet": (("+CGEV",), None, _UNASKED),
    "sim": (("+CPIN",), None, _UNASKED),
    "boot": (("*ATREADY", "RDY", "SMS DONE", "PB DONE"), None, _UNASKED),
}
_LINK_FIRST: Final = frozenset({"+IPCLOSE", "+CIPSEND", "+CIPOPEN", "+CIPCLOSE", "+CLIENT"})


class Said:
    """One piece of what the module says.

    Attributes:
        piece: its kind.
        data: its bytes.
        text: its first line, without line ends.
        tag: what stands before the colon, or all of ``text``.
        fields: what stands behind it, at commas.
    """

    __slots__ = ("data", "fields", "piece", "tag", "text")

    def __init__(self, piece: Piece, data: bytes) -> None:
        self.piece = piece
        self.data = data
        match = _LINE.match(data)
        self.text = match[1].decode("latin-1") if match else ""
        parts = self.text.partition(":")
        self.tag, rest = parts[0], parts[2]
        self.fields = rest.strip().split(",") if rest else []

    @property
    def link(self) -> int | None:
        """The link number it is about."""
        index = {"+CIPRXGET": 1, "+CIPACK": None}.get(self.tag, 0)
        if self.tag not in _LINK_FIRST and self.tag != "+CIPRXGET":
            return None
        if index is None or len(self.fields) <= index or not self.fields[index].isdecimal():
            return None
        return int(self.fields[index])

    @property
    def is_read(self) -> bool:
        """Whether it is the header and the bytes of a read."""
        whole = self.tag == "+CIPRXGET" and len(self.fields) == _READ_FIELDS
        return self.piece is Piece.PAYLOAD and whole

    @property
    def final(self) -> bool:
        """Whether it is a final result code."""
        if self.piece is not Piece.LINE:
            return False
        return self.text in _FINALS or self.text.startswith("+CME ERROR")

    def is_urc(self, name: UrcName) -> bool:
        """Whether it is that unsolicited line, or the late result of that command."""
        if name == "any":
            return self.piece is Piece.URC and not self.text.startswith(("+RECEIVE", "RECV"))
        tags, arity, pieces = _URCS[name]
        if self.piece not in pieces or self.tag not in tags:
            return False
        return arity is None or len(self.fields) == arity

    def header_end(self) -> int:
        """Return where the bytes of a read begin; 0 where they have no header."""
        match = _HEADER.match(self.data) if self.is_read else None
        return match.end() if match else 0


def known_command(text: str, path: str) -> str:
    """Return the name of a command as ``Call`` has it.

    Args:
        text: as people write it, with or without AT.
        path: of the parameter, for the mistake.

    Raises:
        BadValue: the module knows no such command, or it is a bare AT.
    """
    name = text.upper().removeprefix("AT")
    if name not in HANDLERS:
        found = get_close_matches(name, HANDLERS, 1, 0.5)
        hint = f"did you mean {found[0]}?" if found else "such as +CIPSEND"
        raise BadValue(f"{text!r} is no command that the module knows ({hint})", path)
    return name


def link_of(call: Call) -> int | None:
    """Return the link that a command is about, None for none."""
    if call.form is not Form.SET or not call.name.startswith("+CIP"):
        return None
    if call.name == "+CIPRXGET":
        return call.number(1)
    named = ("+CIPSEND", "+CIPOPEN", "+CIPCLOSE", "+CIPACK", "+CIPSENDSTR")
    return call.number(0) if call.name in named else None

r"""Command lines that an operator types: which of them are fit for a line with traffic.

The line is shared with connections. What would break it for them is never sent: another
echo, framing or speed, a prompt (the next command would become payload), what the module
has for somebody else. What only takes something away that they rely on can be forced. What
is known to change nothing needs no force: the read and test forms (``X?``, ``X=?``) and a
list of queries.

A command is judged as the module will understand it (V.250 5.2.1): blanks outside strings
mean nothing there, nor does case; basic commands can stand one behind the other, and an
extended one behind them, without a semicolon, so that only whole known ones are let
through.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from modemproxy.at.commands import Command
from modemproxy.at.urcs import (
    NetOpened,
    Registration,
    SimState,
    Urc,
    parse_urc,
    split_fields,
    split_tag,
)
from modemproxy.errors import LocalProtocolError

_LINE_MAX: Final = 200
#: Of an answer, the rest is not kept.
_LINES_MAX: Final = 1000
_ANSWER_MAX: Final = 64_000
#: A search for networks (3GPP TS 27.007 7.3) takes minutes.
_SEARCH_S: Final = 180.0

_EXTENDED: Final = re.compile(r"([+*^$#%][A-Z][A-Z0-9_]{0,30})(\?|=\?|=.*)?")
_STRINGS: Final = re.compile(r'("[^"]*")')
#: What may be a PIN or a password in a value: a string, or a run that is long enough.
_VALUES: Final = re.compile(r'"[^"]*"?|[^",=]{4,}')


def _each(names: str, why: str) -> dict[str, str]:
    return dict.fromkeys((f"+{name}" for name in names.split()), why)


#: Never sent, forced or not, except in their read and test forms.
_NEVER: Final = {
    **_each(
        "CIPSEND CCHSEND CMGS CMGW CMGC CNMA CSSLSEND CFTRANRX CFSWFILE CCERTDOWN HTTPDATA "
        "CHTTPSEND CFTPSPUT CMQTTTOPIC CMQTTPAYLOAD CMQTTWILLTOPIC CMQTTWILLMSG CMQTTSUBTOPIC "
        "CMQTTSUB CMQTTUNSUBTOPIC CMQTTUNSUB",
        "asks for payload, and the next command would become that",
    ),
    **_each(
        "IPR IPREX ICF IFC CMUX CIPMODE CIPHEAD CIPSRIP CIPCCFG CIPTIMEOUT CATR CSCLK CSUART",
        "changes how the line works",
    ),
    "+CIPRXGET": "takes bytes, or reports of them, that belong to connections",
    "+CPIN": "could lock the SIM: the PIN is the configuration's, modem.pin",
    "+CGDATA": "leaves command mode",
}
#: Why others have to be forced, where more can be said than that they may matter.
_RISKY: Final = {
    **_each("CIPCLOSE CIPOPEN", "makes or ends connections behind the proxy's back"),
    **_each("SERVERSTART SERVERSTOP", "changes servers behind the proxy's back"),
    **_each(
        "NETCLOSE NETOPEN CGATT CGACT CGDCONT CGAUTH CNACT",
        "changes the network that every connection is on",
    ),
    **_each("CFUN CRESET CPOF CPOWD", "is a restart, and ends every connection"),
    **_each("COPS CNMP CNWSEARCH CNSMOD", "takes the line, or the network, for long"),
}
#: Queries that are no read form; they change nothing.
_HARMLESS: Final = _each(
    "CBC CCID CEER CESQ CGMI CGMM CGMR CGPADDR CGSN CICCID CIMI CNUM CPAS CPMUTEMP CPSI CSQ "
    "CSUB GCAP GMI GMM GMR GSN ICCID IPADDR SIMEI",
    "",
).keys()
_HARMLESS_BASIC: Final = re.compile(r"(I\d?|&V)?")
_ACK: Final = re.compile(r"=\d")


class Unfit(LocalProtocolError):
    """A command line that is not sent; the text says why."""


@dataclass(slots=True, eq=False)
class RawCommand(Command[tuple[str, ...]]):
    """A command line as an operator typed it; its reply is the information lines.

    Attributes:
        line: what stands behind ``AT``; made by ``raw_command``.
        lines: what has come of the answer; also when it ended in an error.
        bound_s: how long it may take, at least, before the line must be doubted.
    """

    line: str
    lines: list[str] = field(default_factory=list)
    bound_s: float = Command.timeout_s
    _room: int = _ANSWER_MAX

    @property
    def text(self) -> str:
        """The line."""
        return self.line

    @property
    def shown(self) -> str:
        """The line, with stars for whatever in its values may be a secret."""
        name, sets, values = self.line.partition("=")
        return f"AT{name}{sets}{_VALUES.sub(_masked, values)}"

    def takes(self, line: bytes) -> bool:
        """Lines of its own name, and those that nobody else understands.

        A report that others wait for is never taken, also when its name is this one's:
        while ``+CIPOPEN?`` is asked, ``+CIPOPEN: 3,0`` is the end of somebody's open.
        """
        urc = parse_urc(line)
        own = split_tag(line)[0].decode("ascii", "replace") == re.split("[?=]", self.line)[0]
        if self._is_report(urc, line, own=own) or not (own or _is_text(line)):
            return False
        if len(line) <= self._room and len(self.lines) < _LINES_MAX:
            self.lines.append(line.decode("ascii", "backslashreplace"))
            self._room -= len(line)
        return True

    def _is_report(self, urc: Urc | None, line: bytes, *, own: bool) -> bool:
        if urc is None:
            return False
        if not own or "=" in self.line or not self.line.endswith("?"):
            return True
        if isinstance(urc, Registration):  # its answer says first what is reported
            fields = split_fields(split_tag(line)[1])
            return len(fields) < 2 or not fields[1].isdigit()
        return not isinstance(urc, NetOpened | SimState)

    def parse(self, info: list[bytes]) -> tuple[str, ...]:
        """All lines, up to a bound."""
        return tuple(self.lines)


def raw_command(typed: str, *, force: bool = False) -> RawCommand:
    """Make a command of what an operator typed.

    Args:
        typed: with or without the ``AT``.
        force: also one that may change something.

    Raises:
        Unfit: it is not to be sent.
    """
    line = _as_understood(typed)
    if _HARMLESS_BASIC.fullmatch(line):
        return RawCommand(line)
    match = _EXTENDED.fullmatch(line)
    if match is None:
        raise Unfit(
            "not a single command that is known to leave the line as it is "
            "(of basic ones, only ATI and AT&V are)"
        )
    name, form = match[1], match[2] or ""
    reads = form in ("?", "=?")
    if name in _NEVER and not reads:
        raise Unfit(f"AT{name} is never sent here: it {_NEVER[name]}")
    searches = name == "+COPS" and form.startswith("=")
    if not force and not _is_harmless(name, form, reads=reads and not searches):
        why = _RISKY.get(name, "may change what the proxy relies on")
        raise Unfit(f"AT{name}{form[:1]} {why} (--force sends it all the same)")
    return RawCommand(line, bound_s=_SEARCH_S if searches else Command.timeout_s)


def _is_harmless(name: str, form: str, *, reads: bool) -> bool:
    asks_acks = name == "+CIPACK" and _ACK.fullmatch(form) is not None
    return reads or asks_acks or (name in _HARMLESS and not form)


def _as_understood(typed: str) -> str:
    """Take away what means nothing to the module.

    Raises:
        Unfit: it is too long, or not one line of text.
    """
    line = typed.strip(" \r\n")
    if len(line) > _LINE_MAX or not all(" " <= char <= "~" for char in line):
        raise Unfit(f"a command is one line of at most {_LINE_MAX} printable ASCII characters")
    if line.count('"') % 2:
        raise Unfit('a string has no end (")')
    line = "".join(_parts(line))
    if ";" in line:
        raise Unfit("one command at a time, without ';'")
    return line.removeprefix("AT")


def _parts(line: str) -> Iterator[str]:
    for part in _STRINGS.split(line):
        yield part if part.startswith('"') else part.replace(" ", "").upper()


def _masked(value: re.Match[str]) -> str:
    if value[0].startswith('"'):
        return re.sub(r'[^"]', "*", value[0])
    return "*" * len(value[0])


def _is_text(line: bytes) -> bool:
    """A line with other bytes in it lost some on the way, and is nobody's."""
    return all(0x20 <= byte < 0x7F for byte in line)

"""Result codes: how a module says yes and no.

A module of this family has four error dialects and one silence:

====================  =======================================  =====================
dialect               on the wire                              used by
====================  =======================================  =====================
tagged                ``+CIPOPEN: 3,4`` then ``ERROR``         NETCLOSE, CIPOPEN, CIPCLOSE
CIPERROR              ``+CIPERROR: 8`` then ``ERROR``          CIPSEND, SERVERSTART
IP ERROR              ``+IP ERROR: No data`` then ``ERROR``    CIPRXGET, CIPACK, IPADDR
CME / CMS             ``+CME ERROR: SIM busy`` (is final)      SIM and network commands
bare                  ``ERROR``                                settings, anything
====================  =======================================  =====================

The numbers are those of the AT command manual V1.09 (section 15.3). Strings win over
numbers, because the tables of older firmware are shifted from 21 upwards.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from modemproxy.errors import CommandError

#: ``<err_info>`` of ``+IP ERROR:`` (manual 15.3.1).
IP_ERRORS: Final[dict[int, str]] = {
    0: "Connection time out",
    1: "Bind port failed",
    2: "Port overflow",
    3: "Create socket failed",
    4: "Network is already opened",
    5: "Network is already closed",
    6: "No clients connected",
    7: "No active client",
    8: "Network not opened",
    9: "Client index overflow",
    10: "Connection is already created",
    11: "Connection is not created",
    12: "Invalid parameter",
    13: "Operation not supported",
    14: "DNS query failed",
    15: "TCP busy",
    16: "Net close failed for socket opened",
    17: "Sending time out",
    18: "Sending failure for network error",
    19: "Open failure for network error",
    20: "Server is already listening",
    21: "Operation failed",
    22: "No data",
}

#: ``<err>`` inside a command's own tag and in ``+CIPERROR:`` (manual 15.3.2).
TCPIP_ERRORS: Final[dict[int, str]] = {
    0: "operation succeeded",
    1: "network failure",
    2: "network not opened",
    3: "wrong parameter",
    4: "operation not supported",
    5: "failed to create socket",
    6: "failed to bind socket",
    7: "TCP server is already listening",
    8: "busy",
    9: "sockets opened",
    10: "timeout",
    11: "DNS parse failed",
    12: "unknown error",
    255: "unknown error",
}

#: The part of 3GPP TS 27.007 9.2 that a data-only user meets.
CME_ERRORS: Final[dict[int, str]] = {
    3: "operation not allowed",
    4: "operation not supported",
    10: "SIM not inserted",
    11: "SIM PIN required",
    12: "SIM PUK required",
    13: "SIM failure",
    14: "SIM busy",
    15: "SIM wrong",
    16: "incorrect password",
    30: "no network service",
    31: "network timeout",
    50: "incorrect parameters",
    100: "unknown",
    148: "unspecified GPRS error",
    149: "PDP authentication failure",
    151: "AT command timeout",
}

#: ``<close_reason>`` of ``+IPCLOSE:`` (manual 15.4).
CLOSE_REASONS: Final[dict[int, str]] = {
    0: "closed by local",
    1: "closed by remote",
    2: "closed for sending timeout or DTR off",
}


class TcpipErr(int, Enum):
    """``<err>`` values that the program acts on."""

    OK = 0
    NETWORK_FAILURE = 1
    NOT_OPENED = 2
    WRONG_PARAMETER = 3
    NOT_SUPPORTED = 4
    ALREADY_LISTENING = 7
    BUSY = 8
    SOCKETS_OPENED = 9
    TIMEOUT = 10
    DNS_FAILED = 11


class Dialect(Enum):
    """Which of the module's ways of saying no was used."""

    TAGGED = "tagged"
    CIPERROR = "CIPERROR"
    IP_ERROR = "IP ERROR"
    CME = "CME ERROR"
    CMS = "CMS ERROR"
    BARE = "ERROR"


def tcpip_error_text(err: int) -> str:
    """Return the words for an ``<err>``; unknown numbers are said as numbers."""
    return TCPIP_ERRORS.get(err, f"error {err}")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command failed, whatever dialect said it.

    Attributes:
        dialect: the form it came in.
        code: the number in that dialect's table; None when only words were given and
            they are in no table.
        text: words for the log.
    """

    dialect: Dialect
    code: int | None
    text: str

    def is_ip(self, text: str) -> bool:
        """Say whether this is the ``+IP ERROR`` with that string (case is ignored)."""
        return self.dialect is Dialect.IP_ERROR and self.text.casefold() == text.casefold()

    def is_err(self, err: TcpipErr) -> bool:
        """Say whether this is ``err`` of the TCP/IP table, tagged or as ``+CIPERROR``."""
        return self.dialect in (Dialect.TAGGED, Dialect.CIPERROR) and self.code == err

    @property
    def is_busy(self) -> bool:
        """Busy in either form: nothing was handed over, try again later."""
        return self.is_err(TcpipErr.BUSY) or self.is_ip("TCP busy")

    @property
    def is_no_data(self) -> bool:
        """The link's buffer is empty, or there is no such link."""
        return self.is_ip("No data")

    @property
    def is_network_closed(self) -> bool:
        """The embedded stack is not up (any more)."""
        return self.is_err(TcpipErr.NOT_OPENED) or self.is_ip("Network not opened")


BARE_ERROR: Final = Failure(Dialect.BARE, None, "ERROR")

# Spaces after the colon vary between firmwares; so does the case of the words.
_CIPERROR = re.compile(rb"\+CIPERROR:\s*(\d{1,9})\s*$")
_IP_ERROR = re.compile(rb"\+IP ERROR:\s*(.*?)\s*$", re.IGNORECASE)
_CME_ERROR = re.compile(rb"\+CM([ES]) ERROR:\s*(.*?)\s*$", re.IGNORECASE)

_IP_CODES = {text.casefold(): code for code, text in IP_ERRORS.items()}
_CME_CODES = {text.casefold(): code for code, text in CME_ERRORS.items()}


def parse_failure_line(line: bytes) -> Failure | None:
    """Read an information line that announces an error; ``ERROR`` itself follows it.

    Args:
        line: one line without its CR LF.

    Returns:
        The failure, or None if the line is not ``+CIPERROR`` or ``+IP ERROR``.
    """
    if match := _CIPERROR.match(line):
        code = int(match[1])
        return Failure(Dialect.CIPERROR, code, tcpip_error_text(code))
    if match := _IP_ERROR.match(line):
        code_, text = _number_or_words(match[1], IP_ERRORS, _IP_CODES)
        return Failure(Dialect.IP_ERROR, code_, text)
    return None


def parse_final(line: bytes) -> Failure | bool | None:
    """Read a final result code.

    Args:
        line: one line without its CR LF.

    Returns:
        True for OK, a Failure for an error, None for a line that ends nothing.
    """
    if line == b"OK":
        return True
    if line == b"ERROR":
        return BARE_ERROR
    if match := _CME_ERROR.match(line):
        dialect = Dialect.CME if match[1] in b"Ee" else Dialect.CMS
        code, text = _number_or_words(match[2], CME_ERRORS, _CME_CODES)
        return Failure(dialect, code, text)
    return None


def _number_or_words(
    raw: bytes, texts: dict[int, str], codes: dict[str, int]
) -> tuple[int | None, str]:
    """Accept either form of an error value; the table supplies the other one."""
    words = raw.decode("ascii", "replace")
    if words.isdecimal() and len(words) < 10:
        return int(words), texts.get(int(words), f"error {words}")
    return codes.get(words.casefold()), words


class Refused(CommandError):
    """The module said no to a command.

    Args:
        command: what was asked, secrets masked.
        failure: what it said.
        handed_over: payload bytes had been written; whether they count is not known.
    """

    def __init__(self, command: str, failure: Failure, *, handed_over: bool = False) -> None:
        super().__init__(command, failure.text, failure.code)
        self.failure = failure
        self.handed_over = handed_over

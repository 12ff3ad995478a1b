"""What went wrong with a client's request, in the words of its protocol."""

from dataclasses import dataclass
from typing import Final

from modemproxy.at.results import TcpipErr
from modemproxy.errors import (
    LineError,
    LinkRefused,
    LocalProtocolError,
    LookupFailed,
    ModemProxyError,
    NetworkError,
    NoFreeLink,
    NotReady,
)
from modemproxy.surfaces.proxying.hosts import UnfitHost
from modemproxy.surfaces.proxying.socks5 import Reply


class DestinationDenied(ModemProxyError):
    """``allow_destinations`` does not let this client go there.

    Args:
        destination: host and port, as the client named them.
    """

    def __init__(self, destination: str) -> None:
        super().__init__(f"{destination} is not in allow_destinations")
        self.destination = destination


@dataclass(frozen=True, slots=True)
class Verdict:
    """One failure in every protocol.

    Attributes:
        socks: the SOCKS5 reply field.
        http: the HTTP status.
        sentence: for people; says nothing about the module that a client may not know.
    """

    socks: Reply
    http: int
    sentence: str


_FAILED: Final = Verdict(Reply.GENERAL_FAILURE, 502, "The connection failed.")
_NO_NETWORK: Final = Verdict(
    Reply.NETWORK_UNREACHABLE, 503, "The mobile network is not available at the moment."
)
_BUSY: Final = Verdict(
    Reply.GENERAL_FAILURE, 503, "All connections of the module are in use at the moment."
)
_NO_SERVICE: Final = Verdict(
    Reply.NETWORK_UNREACHABLE, 504, "There was no connection within the time allowed."
)
_DENIED: Final = Verdict(
    Reply.NOT_ALLOWED, 403, "This destination is not allowed through this proxy."
)
_UNFIT: Final = Verdict(
    Reply.NOT_ALLOWED, 400, "This host name cannot be handed to the module."
)
_NAME: Final = Verdict(Reply.HOST_UNREACHABLE, 502, "The name of the host was not found.")

#: The module's <err> for an open (manual 15.2, table of <err>). 4 is "not supported" by
#: its words, and what every refused connection is answered with in fact.
_OPEN_ERRORS: Final[dict[int, Verdict]] = {
    TcpipErr.NETWORK_FAILURE: Verdict(
        Reply.NETWORK_UNREACHABLE, 502, "The mobile network could not reach the host."
    ),
    TcpipErr.NOT_OPENED: _NO_NETWORK,
    TcpipErr.NOT_SUPPORTED: Verdict(
        Reply.CONNECTION_REFUSED, 502, "The host refused the connection."
    ),
    TcpipErr.BUSY: _BUSY,
    TcpipErr.TIMEOUT: Verdict(Reply.TTL_EXPIRED, 504, "The host did not answer in time."),
    TcpipErr.DNS_FAILED: _NAME,
}


def verdict(error: BaseException) -> Verdict:
    """Say what a client is told about a failure; never fails itself.

    Args:
        error: what opening a link, or the wait for it, ended with.
    """
    if isinstance(error, LinkRefused):
        return _of_code(error.code)
    for kinds, meaning in _KINDS:
        if isinstance(error, kinds):
            return meaning
    return _FAILED


def _of_code(code: int | None) -> Verdict:
    return _OPEN_ERRORS.get(code, _FAILED) if code is not None else _FAILED


_KINDS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], Verdict], ...]] = (
    (DestinationDenied, _DENIED),
    ((UnfitHost, LocalProtocolError), _UNFIT),
    (LookupFailed, _NAME),
    (NoFreeLink, _BUSY),
    (NotReady, _NO_SERVICE),
    ((NetworkError, LineError), _NO_NETWORK),
)

"""Unsolicited result codes: what the module says without being asked.

One frozen dataclass per code, and ``parse_urc(line)``. The asynchronous results of a
command that already said OK (``+CIPOPEN: 3,0``, ``+CIPSEND: 3,5,5`` ...) are here too:
they carry the link number, and whoever started the command waits for the value. Where a
token is both an answer and a result, the arity decides; the answers are taken by the
command in flight before this module is asked (``at/dte.py``).

The lexer is tolerant where firmwares differ: the colon may be missing, spaces may be
anywhere, fields may be more than expected.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


class Urc:
    """Base of everything the module says on its own."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class DataWaiting(Urc):
    """``+CIPRXGET: 1,<link>``: the link's buffer is not empty any more (a hint)."""

    link: int


@dataclass(frozen=True, slots=True)
class LinkOpened(Urc):
    """``+CIPOPEN: <link>,<err>``: the outcome of an open; 0 is success."""

    link: int
    err: int


@dataclass(frozen=True, slots=True)
class LinkClosed(Urc):
    """``+IPCLOSE: <link>,<reason>``: closed without our asking (0 local, 1 far, 2 time-out)."""

    link: int
    reason: int


@dataclass(frozen=True, slots=True)
class CloseDone(Urc):
    """``+CIPCLOSE: <link>,<err>``: the outcome of our own close."""

    link: int
    err: int


@dataclass(frozen=True, slots=True)
class SendConfirmed(Urc):
    """``+CIPSEND: <link>,<requested>,<confirmed>``: what the stack took; -1: link gone."""

    link: int
    requested: int
    confirmed: int


@dataclass(frozen=True, slots=True)
class NetOpened(Urc):
    """``+NETOPEN: <err>`` as a result (the polarity is opposite to the query's)."""

    err: int


@dataclass(frozen=True, slots=True)
class NetClosed(Urc):
    """``+NETCLOSE: <err>``: the outcome of NETCLOSE."""

    err: int


@dataclass(frozen=True, slots=True)
class ServerStopped(Urc):
    """``+SERVERSTOP: <index>,<err>``: the outcome of SERVERSTOP."""

    index: int
    err: int


@dataclass(frozen=True, slots=True)
class ClientConnected(Urc):
    """``+CLIENT: <link>,<index>,<host>:<port>``: a server accepted a far client."""

    link: int
    index: int
    peer: str


@dataclass(frozen=True, slots=True)
class LookupFailure(Urc):
    """``+CDNSGIP: 0,<err>``: why a name was not found; ERROR follows."""

    err: int


@dataclass(frozen=True, slots=True)
class NetworkLost(Urc):
    """``+CIPEVENT: NETWORK CLOSED UNEXPECTEDLY``: every link is gone, without a word each."""


@dataclass(frozen=True, slots=True)
class ModuleBooted(Urc):
    """A boot banner: everything configured is gone, echo is on."""

    banner: str


@dataclass(frozen=True, slots=True)
class BootProgress(Urc):
    """``SMS DONE``, ``PB DONE``: late in a boot, or after a SIM restart; only a suspicion."""

    text: str


@dataclass(frozen=True, slots=True)
class SimState(Urc):
    """``+CPIN: <state>`` unasked: ``READY``, ``SIM PIN``, ``NOT READY``, ``SIM REMOVED`` ..."""

    state: str


@dataclass(frozen=True, slots=True)
class Registration(Urc):
    """``+CREG:``, ``+CGREG:``, ``+CEREG:`` unasked, one field shorter than the answer."""

    domain: str
    stat: int


@dataclass(frozen=True, slots=True)
class PacketEvent(Urc):
    """``+CGEV: ...``: hints about the PDP context, to be confirmed by asking."""

    text: str


@dataclass(frozen=True, slots=True)
class Pushed(Urc):
    """Data in direct push form: the module is not in buffer access mode (any more)."""

    link: int | None
    data: bytes


def split_fields(rest: bytes) -> list[bytes]:
    """Split the values behind a tag at commas outside quotes; quotes are removed."""
    if b'"' not in rest:
        return [field.strip() for field in rest.split(b",")]
    fields: list[bytes] = []
    inside = False
    for part in rest.split(b","):
        if inside:
            fields[-1] += b"," + part
        else:
            fields.append(part)
        inside ^= bool(part.count(b'"') % 2)
    return [field.strip().strip(b'"') for field in fields]


def split_tag(line: bytes) -> tuple[bytes, bytes]:
    """Split ``+TAG: values``; the colon may be missing (``+IPCLOSE 0,1``)."""
    if match := _TAGGED.match(line):
        return match[1].upper(), match[2]
    return b"", line


def parse_urc(line: bytes) -> Urc | None:
    """Return what an unsolicited line means, or None if it is not known."""
    tag, rest = split_tag(line)
    if not tag:
        return _parse_untagged(line)
    parse = _PARSERS.get(tag)
    if parse is None:
        return None
    try:
        return parse(split_fields(rest))
    except (ValueError, IndexError):
        return None


def may_be_urc(line: bytes) -> bool:
    """Whether a line that ``parse_urc`` does not know is a report all the same.

    One that makes no sense is none, nor is a tag without a colon: payload looks like that.
    """
    tagged = _UNKNOWN.match(line)
    return tagged is not None and tagged[1] not in _PARSERS


_UNKNOWN: Final = re.compile(rb"([+*^][A-Z][A-Z0-9 _]*):")
_TAGGED: Final = re.compile(rb"([+*][A-Za-z]+)\s*:?\s*(.*)$", re.DOTALL)
_BOOT_WORDS: Final = frozenset({b"RDY", b"START", b"QCRDY"})
_PROGRESS_WORDS: Final = frozenset({b"SMS DONE", b"PB DONE"})


def _parse_untagged(line: bytes) -> Urc | None:
    if line in _BOOT_WORDS:
        return ModuleBooted(line.decode())
    if line in _PROGRESS_WORDS:
        return BootProgress(line.decode())
    return None


def _exactly(fields: list[bytes], count: int) -> list[int]:
    if len(fields) != count:
        raise ValueError(f"{len(fields)} fields where {count} are meant")
    return [int(field) for field in fields]


def _data_waiting(fields: list[bytes]) -> Urc | None:
    mode, link = _exactly(fields, 2)
    return DataWaiting(link) if mode == 1 else None


def _link_opened(fields: list[bytes]) -> Urc:
    return LinkOpened(*_exactly(fields, 2))


def _link_closed(fields: list[bytes]) -> Urc:
    return LinkClosed(*_exactly(fields, 2))


def _close_done(fields: list[bytes]) -> Urc:
    return CloseDone(*_exactly(fields, 2))


def _send_confirmed(fields: list[bytes]) -> Urc:
    return SendConfirmed(*_exactly(fields, 3))


def _net_opened(fields: list[bytes]) -> Urc:
    return NetOpened(int(fields[0]))


def _net_closed(fields: list[bytes]) -> Urc:
    return NetClosed(int(fields[0]))


def _server_stopped(fields: list[bytes]) -> Urc:
    return ServerStopped(*_exactly(fields, 2))


def _client_connected(fields: list[bytes]) -> Urc:
    return ClientConnected(int(fields[0]), int(fields[1]), fields[2].decode("ascii", "replace"))


def _lookup_failure(fields: list[bytes]) -> Urc | None:
    found, err = _exactly(fields, 2)
    return None if found else LookupFailure(err)


def _event(fields: list[bytes]) -> Urc | None:
    return NetworkLost() if fields[0].upper().startswith(b"NETWORK CLOSED") else None


def _booted(fields: list[bytes]) -> Urc:
    return ModuleBooted("*ATREADY: " + fields[0].decode("ascii", "replace"))


def _sim_state(fields: list[bytes]) -> Urc:
    return SimState(fields[0].decode("ascii", "replace"))


def _packet_event(fields: list[bytes]) -> Urc:
    return PacketEvent(b",".join(fields).decode("ascii", "replace"))


def _registration(domain: str) -> Callable[[list[bytes]], Urc]:
    def parse(fields: list[bytes]) -> Urc:
        return Registration(domain, int(fields[0]))

    return parse


_PARSERS: Final[dict[bytes, Callable[[list[bytes]], Urc | None]]] = {
    b"+CIPRXGET": _data_waiting,
    b"+CIPOPEN": _link_opened,
    b"+IPCLOSE": _link_closed,
    b"+CIPCLOSE": _close_done,
    b"+CIPSEND": _send_confirmed,
    b"+NETOPEN": _net_opened,
    b"+NETCLOSE": _net_closed,
    b"+SERVERSTOP": _server_stopped,
    b"+CLIENT": _client_connected,
    b"+CDNSGIP": _lookup_failure,
    b"+CIPEVENT": _event,
    b"*ATREADY": _booted,
    b"+CPIN": _sim_state,
    b"+CGEV": _packet_event,
    b"+CREG": _registration("CREG"),
    b"+CGREG": _registration("CGREG"),
    b"+CEREG": _registration("CEREG"),
}

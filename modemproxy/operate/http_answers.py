"""Requests and answers of the HTTP server, without I/O: what is asked, and may it be?

h11 reads what is a whole head; it ends where ``HeadReader`` says. Only ``GET`` and ``HEAD``
exist here, so there is nothing that a foreign page could make a browser change; and the
name that a browser asked for must be one of ours, or a page whose own name suddenly leads
to this address could read what we say (DNS rebinding).
"""

import ipaddress
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import h11

from modemproxy.config.checks import show

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"
_METHODS: Final = (b"GET", b"HEAD")
#: What every answer says: the page loads nothing but its own files, and nobody frames it.
_SAFETY: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back.

    Attributes:
        body: the whole of it.
        content_type: what it is.
        status: of HTTP.
        extra: more header fields.
    """

    body: bytes
    content_type: str = TEXT
    status: int = 200
    extra: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> list[tuple[str, str]]:
        """Give the header fields, those of safety included."""
        return [
            ("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())),
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-cache"),
            *_SAFETY.items(),
            *self.extra.items(),
        ]


class BadHttp(Exception):
    """The request is answered with an error.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status

    def answer(self) -> Answer:
        """Say it to the client."""
        phrase = HTTPStatus(self.status).phrase
        extra = {"Allow": "GET, HEAD"} if self.status == 405 else {}
        return Answer(f"{self.status} {phrase}\n{self}\n".encode(), TEXT, self.status, extra)


class Names:
    """The names by which this machine may be asked."""

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        """Args: hosts: names beside the machine's own."""
        own = socket.gethostname().lower()
        self._known = {"localhost", own, f"{own}.local", *(host.lower() for host in hosts)}

    def __contains__(self, host: str) -> bool:
        return host.lower().removesuffix(".") in self._known or _is_address(host)


def path_of(request: h11.Request, names: Names) -> str:
    """Say which path a request asks for.

    Args:
        request: what h11 read.
        names: those of this machine.

    Raises:
        BadHttp: it is no request for this server, or carries a body.
    """
    if request.http_version not in (b"1.0", b"1.1"):
        raise BadHttp(505, "This server speaks HTTP/1.1.")
    if request.method not in _METHODS:
        raise BadHttp(405, "This server only shows: GET and HEAD.")
    fields = dict(request.headers)
    if b"transfer-encoding" in fields or int(fields.get(b"content-length", b"0")):
        raise BadHttp(413, "A request has no body here.")
    authority, path = _target(request.target)
    host = fields.get(b"host") if authority is None else authority
    if host is not None and (name := _host(host.decode("ascii", "replace"))) not in names:
        what = f"{show(name)} is no name of this machine (metrics.hosts can say that it is)"
        raise BadHttp(421, what)
    return path.partition(b"?")[0].decode("ascii", "replace")


def _target(target: bytes) -> tuple[bytes | None, bytes]:
    """Take the target apart; servers accept the absolute form, too (RFC 9112 3.2.2)."""
    if target.startswith(b"/"):
        return None, target
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() != b"http":
        raise BadHttp(400, "The target is no path.")
    authority, slash, path = rest.partition(b"/")
    return authority, slash + path or b"/"


def _host(authority: str) -> str:
    """The name without its port and without brackets."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

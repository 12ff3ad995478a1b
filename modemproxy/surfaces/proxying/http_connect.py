"""An HTTP proxy's side of one request, sans-IO: CONNECT, and plain ``http://`` requests.

The driver's loop, for one client::

    event = server.next_event()
    None     -> receive_data(what the client sends next)
    Refused  -> send(server.data_to_send()), close
    Connect  -> open a link, send(accept()), then relay; ``trailing_data`` goes first
    Forward  -> open a link, send it event.head and event.body.forward(trailing_data),
                then everything of the client's through event.body.forward(), and
                everything of the far side's unchanged

A link that does not open is answered with ``refuse(status, sentence)``. One request a
connection: every answer of ours closes it, and ``Forward`` asks the far side to close it.
A client may still be sending when it is refused; unless the driver reads that for a
moment before it closes, the kernel's reset may overtake the answer.

h11 reads what is a whole head. It is not shown other bytes: on a header line with white
space and then a control character its work grows with the square of the length.
"""

import base64
import binascii
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import h11

from modemproxy.surfaces.proxying.hosts import UnfitHost
from modemproxy.surfaces.proxying.http_body import INCOMPLETE_MAX, RequestBody
from modemproxy.surfaces.proxying.http_head import (
    BadTarget,
    HeadReader,
    UnreadableHead,
    origin_head,
    parse_authority,
    parse_url,
)
from modemproxy.surfaces.proxying.refusals import Refused, Why
from modemproxy.surfaces.proxying.users import Users, shown

__all__ = ["Connect", "Event", "Forward", "HttpProxyServer", "Refused", "Why", "answer"]

_CHALLENGE: Final = b'Proxy-Authenticate: Basic realm="modemproxy", charset="UTF-8"\r\n'
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
#: A client that is told to come again soon: links and networks come back within seconds.
_RETRY: Final = b"Retry-After: 5\r\n"


@dataclass(frozen=True, slots=True)
class Connect:
    """The client wants a tunnel (RFC 9110 section 9.3.6).

    Attributes:
        host: a safe name or address (``hosts.clean_host``).
        port: 1 to 65535.
    """

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Forward:
    """The client wants a plain request taken to an origin server.

    Attributes:
        host: a safe name or address.
        port: 1 to 65535.
        head: request line and headers as the origin server shall see them.
        body: lets through what belongs to this request.
    """

    host: str
    port: int
    head: bytes
    body: RequestBody


Event = Connect | Forward | Refused


class _Refusal(Exception):
    """The request is refused with this status."""

    def __init__(self, status: int, why: Why, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.why = why
        self.reason = reason


def answer(status: int, sentence: str, *, bodiless: bool = False) -> bytes:
    """Build an answer of the proxy's own, after which the connection ends.

    Args:
        status: the HTTP status.
        sentence: the body, for people; what a client chose is escaped in it.
        bodiless: announce the body and leave it out (HEAD).
    """
    body = sentence.encode("ascii", "backslashreplace") + b"\n"
    extra = {407: _CHALLENGE, 503: _RETRY}.get(status, b"")
    head = (
        b"HTTP/1.1 %d %b\r\nContent-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Length: %d\r\n%bConnection: close\r\n\r\n"
    ) % (status, HTTPStatus(status).phrase.encode(), len(body), extra)
    return head if bodiless else head + body


class HttpProxyServer:
    """One client's request."""

    def __init__(self, users: Users | None = None) -> None:
        """Args:
        users: who may use the proxy; None asks for no login.
        """
        self._users = users
        self._head = HeadReader()
        self._to_send = b""
        self._method = b""
        self._ended = False

    def receive_data(self, data: bytes) -> None:
        """Store bytes of the client."""
        self._head.receive_data(data)

    def data_to_send(self) -> bytes:
        """Take what is due to the client: with ``Refused``, its refusal."""
        data, self._to_send = self._to_send, b""
        return data

    @property
    def trailing_data(self) -> bytes:
        """What the client sent behind the head: payload, or the beginning of a body."""
        return self._head.trailing_data

    def next_event(self) -> Event | None:
        """Return the request or the refusal, or None when more bytes are needed.

        After either there are no more events.
        """
        if self._ended:
            return None
        try:
            event = self._next()
        except _Refusal as refusal:
            self._to_send = self.refuse(refusal.status, refusal.reason)
            event = Refused(refusal.why, refusal.reason)
        self._ended = event is not None
        return event

    def accept(self) -> bytes:
        """Return the answer to a ``Connect`` that succeeded; payload follows it."""
        return _ESTABLISHED

    def refuse(self, status: int, sentence: str) -> bytes:
        """Return the answer to a request that failed.

        Args:
            status: the HTTP status.
            sentence: why, for people.
        """
        return answer(status, sentence, bodiless=self._method == b"HEAD")

    def _next(self) -> Event | None:
        try:
            head = self._head.next_head()
        except UnreadableHead as error:
            raise _Refusal(error.status, Why.PROTOCOL, str(error)) from None
        if head is None:
            return None
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=INCOMPLETE_MAX)
        request = _read(connection, head)
        self._method = request.method
        self._check_login(request)
        try:
            if request.method == b"CONNECT":
                return self._tunnel(request)
            return self._forward(connection, request)
        except BadTarget as error:
            raise _Refusal(error.status, Why.PROTOCOL, str(error)) from None
        except UnfitHost as error:
            raise _Refusal(400, Why.UNFIT_HOST, str(error)) from None

    def _check_login(self, request: h11.Request) -> None:
        if self._users is None:
            return
        given = _values(request, b"proxy-authorization")
        if not given:
            raise _Refusal(407, Why.NO_LOGIN, "This proxy asks for a name and a password.")
        name, password = _basic(given)
        if not self._users.check(name, password):
            reason = f"Wrong name or password for {shown(name)}."
            raise _Refusal(407, Why.WRONG_LOGIN, reason)

    def _tunnel(self, request: h11.Request) -> Connect:
        # Its bytes would be a body for one reader and payload for another.
        lengths = _values(request, b"content-length")
        if _values(request, b"transfer-encoding") or any(int(length) for length in lengths):
            raise _Refusal(400, Why.PROTOCOL, "A CONNECT request has no body.")
        return Connect(*parse_authority(request.target, default_port=None))

    def _forward(self, connection: h11.Connection, request: h11.Request) -> Forward:
        if _values(request, b"transfer-encoding") and (
            request.http_version < b"1.1" or _values(request, b"content-length")
        ):
            # RFC 9112 section 6.1: two readers could see two ends of this request.
            raise _Refusal(400, Why.PROTOCOL, "Where the request ends is ambiguous.")
        url = parse_url(request.target)
        head = origin_head(request, url)
        return Forward(url.host, url.port, head, RequestBody(connection, request))


def _read(connection: h11.Connection, head: bytes) -> h11.Request:
    """Have h11 read a whole head."""
    connection.receive_data(head)
    try:
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        # Behind the colon stands the client's line, which may hold a password.
        what = str(error).partition(":")[0]
        reason = f"This is no HTTP request that can be read: {what}."
        raise _Refusal(error.error_status_hint, Why.PROTOCOL, reason) from None
    if not isinstance(request, h11.Request):
        raise _Refusal(400, Why.PROTOCOL, "Not an HTTP request.")
    if request.http_version not in (b"1.0", b"1.1"):
        raise _Refusal(505, Why.PROTOCOL, "This proxy speaks HTTP/1.1.")
    return request


def _values(request: h11.Request, name: bytes) -> list[bytes]:
    return [value for found, value in request.headers if found == name]


def _basic(values: list[bytes]) -> tuple[bytes, bytes]:
    """Read Basic credentials (RFC 7617 section 2)."""
    scheme, _, encoded = values[0].partition(b" ")
    if len(values) > 1 or scheme.lower() != b"basic":
        raise _Refusal(407, Why.NO_LOGIN, "This proxy takes one login, of the Basic scheme.")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        raise _Refusal(407, Why.WRONG_LOGIN, "The login is not base64.") from None
    name, colon, password = decoded.partition(b":")
    if not colon:
        raise _Refusal(407, Why.WRONG_LOGIN, "The login has no colon.")
    return name, password

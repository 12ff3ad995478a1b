"""The head of a request to an HTTP proxy: where it ends, what it names, how it goes on."""

import re
from dataclasses import dataclass
from typing import Final

import h11

from modemproxy.surfaces.proxying.hosts import clean_host

#: Request line and headers together, as Apache and nginx bound them; cookies are long.
HEAD_MAX: Final = 16384
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
#: What no head may hold: NUL (RFC 9110 section 5.5), a CR on its own, and the white space
#: that is none to HTTP. Other controls do stand in cookies.
_FORBIDDEN: Final = re.compile(rb"[\x00\x0b\x0c]|\r(?!\n)")
_PORT: Final = re.compile(rb"[0-9]{1,5}")
_HTTP_PORT: Final = 80

#: What concerns this hop alone (RFC 9110 section 7.6.1). Not Transfer-Encoding: the body
#: goes on as it is framed.
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"upgrade",
    }
)
#: What a Connection header cannot make us drop: it would change what the request means.
_KEPT: Final = frozenset({b"content-length", b"transfer-encoding"})


class UnreadableHead(ValueError):
    """What the client sends is no head of a request; ``status`` is the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class BadTarget(ValueError):
    """The request names no destination of ours; ``status`` is the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of an ``http://`` URL that matter.

    Attributes:
        host: a safe name or address.
        port: 1 to 65535.
        path: path and query, or empty.
    """

    host: str
    port: int
    path: bytes

    @property
    def authority(self) -> bytes:
        """As a Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port == _HTTP_PORT else f"{host}:{self.port}").encode()


class HeadReader:
    """Collects a head, and keeps apart what comes behind it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0

    def receive_data(self, data: bytes) -> None:
        """Store bytes of the client."""
        self._buffer += data

    @property
    def trailing_data(self) -> bytes:
        """What came behind the head, once that has been taken."""
        return bytes(self._buffer)

    def next_head(self) -> bytes | None:
        """Return the head with its blank line, or None when more bytes are needed.

        Raises:
            UnreadableHead: it is too long, or not text.
        """
        self._skip_empty_lines()
        buffer = self._buffer
        if buffer and buffer[0] <= 0x20 and buffer[:1] != b"\r":
            what = "TLS" if buffer[0] == 0x16 else "This"
            raise UnreadableHead(400, f"{what} is not HTTP: this port is an HTTP proxy.")
        match = _BLANK_LINE.search(buffer, self._searched, HEAD_MAX)
        if match is None:
            if len(buffer) >= HEAD_MAX:
                raise UnreadableHead(431, f"The head has more than {HEAD_MAX} bytes.")
            self._searched = max(0, len(buffer) - 2)
            return None
        head = bytes(buffer[: match.end()])
        if _FORBIDDEN.search(head):
            raise UnreadableHead(400, "The head holds a control character.")
        del buffer[: match.end()]
        return head

    def _skip_empty_lines(self) -> None:
        """RFC 9112 section 2.2: some clients send one behind a body."""
        skip = 0
        while self._buffer.startswith((b"\n", b"\r\n"), skip):
            skip += 1 if self._buffer[skip] == 0x0A else 2
        if skip:
            del self._buffer[:skip]
            self._searched = 0


def parse_authority(text: bytes, *, default_port: int | None) -> tuple[str, int]:
    """Read ``host:port``, with brackets around an IPv6 address.

    Args:
        text: what the client wrote.
        default_port: the port where none is given; None asks for one.

    Raises:
        BadTarget: it has not that form.
        UnfitHost: the host must not reach the module.
    """
    if b"@" in text:
        raise BadTarget(400, "A name or password has no place before the host.")
    host, port = _split_port(text)
    if host.startswith(b"[") != host.endswith(b"]") or (
        b":" in host and not host.startswith(b"[")
    ):
        raise BadTarget(400, "An IPv6 address needs brackets, and a host has one port.")
    if host.startswith(b"["):
        host = host[1:-1]
        if b":" not in host:
            raise BadTarget(400, "Brackets are for IPv6 addresses.")
    return clean_host(host), _port(port, default_port)


def _split_port(text: bytes) -> tuple[bytes, bytes]:
    host, colon, port = text.rpartition(b":")
    if not colon or port.endswith(b"]"):
        return text, b""
    return host, port


def _port(text: bytes, default: int | None) -> int:
    if not text and default is not None:
        return default
    if not _PORT.fullmatch(text) or not 0 < int(text) <= 65535:
        raise BadTarget(400, "The destination needs a port from 1 to 65535.")
    return int(text)


def parse_url(target: bytes) -> Url:
    """Read the target of a plain request: an absolute ``http://`` URL (RFC 9112 3.2.2).

    Raises:
        BadTarget: it is another form, or another scheme.
        UnfitHost: the host must not reach the module.
    """
    scheme, separator, rest = target.partition(b"://")
    if not separator or b"/" in scheme:
        raise BadTarget(400, "This is a proxy: a request names a whole URL, or is CONNECT.")
    if scheme.lower() != b"http":
        raise BadTarget(501, "Through this proxy go http:// URLs and CONNECT, nothing else.")
    rest = rest.partition(b"#")[0]
    end = next((at for at, byte in enumerate(rest) if byte in b"/?"), len(rest))
    host, port = parse_authority(rest[:end], default_port=_HTTP_PORT)
    return Url(host, port, rest[end:])


def origin_head(request: h11.Request, url: Url) -> bytes:
    """Write the head for the origin server (RFC 9112 section 3.2.1).

    The client's version is kept, so that a client of HTTP/1.0 is not answered in chunks.
    There is no Via: many servers send the answers to requests that carry one without
    compression, and every byte of them is paid for.
    """
    lines = [
        b"%b %b HTTP/%b" % (request.method, _origin_form(request, url), request.http_version),
        b"Host: " + url.authority,
    ]
    dropped = _dropped(request)
    lines += (
        name + b": " + value
        for name, value in request.headers.raw_items()
        if name.lower() not in dropped
    )
    return b"\r\n".join((*lines, b"Connection: close", b"", b""))


def _origin_form(request: h11.Request, url: Url) -> bytes:
    if request.method == b"OPTIONS" and not url.path:
        return b"*"  # RFC 9112 section 3.2.4
    return url.path if url.path.startswith(b"/") else b"/" + url.path


def _dropped(request: h11.Request) -> frozenset[bytes]:
    named = {
        option.strip().lower()
        for name, value in request.headers
        if name == b"connection"
        for option in value.split(b",")
    }
    return (_HOP_BY_HOP | named | {b"host"}) - _KEPT

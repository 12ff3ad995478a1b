"""What programs do that come in by SOCKS5, HTTP CONNECT, DNS or UDP, written out by hand.

On purpose not with the proxy's own protocol code: a mistake there would hide itself.
"""

import socket
import struct
from ipaddress import ip_address
from typing import Final

import trio

_LOCAL: Final = "127.0.0.1"
_HEADER_BYTES: Final = 12
_ANSWER_BYTES: Final = 12
_MAX_ANSWER: Final = 512
_MAX_DATAGRAM: Final = 65535
#: How often datagrams are sent, and how long each time their echo is waited for.
_TRIES: Final = 5
_ANSWER_S: Final = 2.0


class Refused(Exception):
    """The other side said no, in its protocol's words."""


class Differs(Exception):
    """What arrived is not what was sent."""


async def open_socks5(port: int, host: str, far_port: int) -> trio.SocketStream:
    """Connect to a far side by SOCKS5, the name looked up there (RFC 1928).

    Raises:
        Refused: the proxy refused.
    """
    stream = await trio.open_tcp_stream(_LOCAL, port)
    try:
        await stream.send_all(b"\x05\x01\x00")  # no login
        _check(await _exactly(stream, 2), b"\x05\x00", "SOCKS5 methods")
        name = host.encode("ascii")
        address = bytes([len(name)]) + name + struct.pack("!H", far_port)
        await stream.send_all(b"\x05\x01\x00\x03" + address)
        _check((await _exactly(stream, 10))[:4], b"\x05\x00\x00\x01", "SOCKS5 CONNECT")
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def open_tunnel(port: int, host: str, far_port: int) -> trio.SocketStream:
    """Connect to a far side by HTTP CONNECT (RFC 9110 9.3.6).

    Raises:
        Refused: the proxy refused.
    """
    stream = await trio.open_tcp_stream(_LOCAL, port)
    try:
        where = f"{host}:{far_port}"
        await stream.send_all(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await _exactly(stream, 1)
        _check(head[:12], b"HTTP/1.1 200", "HTTP CONNECT")
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def look_up(port: int, name: str) -> list[str]:
    """Ask a DNS server for the IPv4 addresses of a name (RFC 1035).

    Raises:
        Refused: the answer is none, or not to this question.
    """
    labels = b"".join(bytes([len(each)]) + each.encode() for each in name.split("."))
    question = labels + b"\0" + struct.pack("!HH", 1, 1)
    query = struct.pack("!HHHHHH", 0x4D50, 0x0100, 1, 0, 0, 0) + question
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.connect((_LOCAL, port))
        await sock.send(query)
        answer = await sock.recv(_MAX_ANSWER)
    return _addresses(answer, query)


def _addresses(answer: bytes, query: bytes) -> list[str]:
    if len(answer) < len(query):
        raise Refused(f"DNS: an answer of {len(answer)} bytes")
    ident, flags, questions, count = struct.unpack_from("!HHHH", answer)
    whole = len(query) + count * (_ANSWER_BYTES + 4)
    asked = answer[_HEADER_BYTES : len(query)] == query[_HEADER_BYTES:]
    if (ident, questions) != (0x4D50, 1) or not asked or not flags & 0x8000:
        raise Refused("DNS: no answer to this question")
    if flags & 0xF or not count or len(answer) < whole:
        raise Refused(f"DNS: code {flags & 0xF}, {count} answers")
    ends = range(len(query) + _ANSWER_BYTES, whole, _ANSWER_BYTES + 4)
    return [str(ip_address(answer[end : end + 4])) for end in ends]


async def datagrams_back(sock: trio.socket.SocketType, sent: list[bytes]) -> list[bytes]:
    """Send datagrams and wait until all are back; what got lost is sent again: it is UDP.

    Args:
        sock: connected to something that echoes.
        sent: all different.

    Returns:
        What came back, each once.

    Raises:
        Differs: one came back that was not sent, or twice, or never.
    """
    got: list[bytes] = []
    for turn in range(_TRIES):
        for data in sent:
            if data not in got:
                await sock.send(data)
        with trio.move_on_after(_ANSWER_S):
            while len(got) < len(sent):
                data = await sock.recv(_MAX_DATAGRAM)
                if data not in sent or (data in got and not turn):
                    why = "twice" if data in got else "that nobody sent"
                    raise Differs(f"a datagram of {len(data)} bytes came {why}")
                got += [data] if data not in got else []
            return got
    raise Differs(f"{len(sent) - len(got)} datagrams were lost {_TRIES} times")


async def _exactly(stream: trio.SocketStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = await stream.receive_some(count - len(data))
        if not more:
            raise Refused(f"the connection ended after {data!r}")
        data += more
    return data


def _check(said: bytes, wanted: bytes, what: str) -> None:
    if said != wanted:
        raise Refused(f"{what}: {said!r}")

"""SOCKS5, the server's side, sans-IO: RFC 1928, and RFC 1929 for names and passwords.

The driver's loop, for one client::

    event = server.next_event()
    send(server.data_to_send())          # greeting and login answers, or a refusal
    None     -> receive_data(what the client sends next)
    Refused  -> close
    Connect, Associate -> do it, then send accept(...) or refuse(code)

After ``accept()`` the connection belongs to the payload, of which ``trailing_data`` is
what the client sent ahead of its answer. Only the driver's one read can be too much: no
message has more than 513 bytes, and nothing behind the request is looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from modemproxy.surfaces.proxying.hosts import UnfitHost
from modemproxy.surfaces.proxying.refusals import Refused, Why
from modemproxy.surfaces.proxying.socks5_address import (
    Address,
    UnknownAddressType,
    pack_address,
    unpack_address,
)
from modemproxy.surfaces.proxying.users import Users, shown

__all__ = ["Associate", "Connect", "Event", "Refused", "Reply", "Socks5Server", "Why", "reply"]

_VERSION: Final = 5
_LOGIN_VERSION: Final = 1
_NO_LOGIN: Final = 0
_PASSWORD: Final = 2
_NO_METHOD: Final = 0xFF
_SOCKS4: Final = 4
#: "Request rejected or failed" in the older protocol's own form, for its clients to show.
_SOCKS4_REJECTED: Final = b"\0\x5b" + bytes(6)


class Reply(IntEnum):
    """The reply field (RFC 1928 section 6)."""

    SUCCEEDED = 0
    GENERAL_FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    CONNECTION_REFUSED = 5
    TTL_EXPIRED = 6
    COMMAND_NOT_SUPPORTED = 7
    ADDRESS_TYPE_NOT_SUPPORTED = 8


class Command(IntEnum):
    """The command field (RFC 1928 section 4)."""

    CONNECT = 1
    BIND = 2
    ASSOCIATE = 3


@dataclass(frozen=True, slots=True)
class Connect:
    """The client wants a connection.

    Attributes:
        host: a safe name or address (``hosts.clean_host``).
        port: 1 to 65535.
    """

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Associate:
    """The client wants to send datagrams (RFC 1928 section 7).

    Attributes:
        host: where it says it will send from; an unspecified address says nothing.
        port: the port it will send from, 0 when it does not know.
    """

    host: str
    port: int


Event = Connect | Associate | Refused


def reply(code: int, host: str = "0.0.0.0", port: int = 0) -> bytes:
    """Build a reply.

    Args:
        code: the reply field.
        host: the bound address, as text; a name is sent as one.
        port: the bound port.
    """
    return bytes((_VERSION, code, 0)) + pack_address(host, port)


class Socks5Server:
    """One client's negotiation and request."""

    def __init__(self, users: Users | None = None) -> None:
        """Args:
        users: who may use the proxy; None asks for no login.
        """
        self._users = users
        self._buffer = bytearray()
        self._to_send = bytearray()
        self._state: Callable[[], Event | bool] | None = self._greeting

    def receive_data(self, data: bytes) -> None:
        """Store bytes of the client."""
        self._buffer += data

    def data_to_send(self) -> bytes:
        """Take what is due to the client; with ``Refused``, its refusal."""
        data = bytes(self._to_send)
        self._to_send.clear()
        return data

    @property
    def trailing_data(self) -> bytes:
        """What the client sent behind its request: the first payload of a connection."""
        return bytes(self._buffer)

    def next_event(self) -> Event | None:
        """Return the request or the refusal, or None when more bytes are needed.

        Either ends the negotiation: after it there are no more events.
        """
        while self._state is not None:
            step = self._state()
            if isinstance(step, bool):
                if not step:
                    return None
            else:
                self._state = None
                return step
        return None

    def accept(self, host: str = "0.0.0.0", port: int = 0) -> bytes:
        """Return the answer to a request that succeeded.

        Args:
            host: for ``Associate`` the address to send datagrams to.
            port: and the port.
        """
        return reply(Reply.SUCCEEDED, host, port)

    def refuse(self, code: int) -> bytes:
        """Return the answer to a request that failed, with a code of ``Reply``."""
        return reply(code)

    def _refused(self, why: Why, reason: str, answer: bytes) -> Refused:
        self._to_send += answer
        return Refused(why, reason)

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _greeting(self) -> Event | bool:
        """VER NMETHODS METHODS (RFC 1928 section 3)."""
        have = self._buffer
        if have and have[0] != _VERSION:
            answer = _SOCKS4_REJECTED if have[0] == _SOCKS4 else self._method(_NO_METHOD)
            return self._refused(Why.PROTOCOL, f"not SOCKS5: begins with {have[0]}", answer)
        if len(have) < 2 or len(have) < 2 + have[1]:
            return False
        methods = self._take(2 + have[1])[2:]
        wanted = _NO_LOGIN if self._users is None else _PASSWORD
        if wanted not in methods:
            return self._no_method()
        self._to_send += self._method(wanted)
        self._state = self._request if self._users is None else self._login
        return True

    def _no_method(self) -> Refused:
        answer = self._method(_NO_METHOD)
        if self._users is None:
            return self._refused(
                Why.PROTOCOL, "the client insists on a login, and none is set", answer
            )
        return self._refused(Why.NO_LOGIN, "the client offers no name and password", answer)

    @staticmethod
    def _method(method: int) -> bytes:
        return bytes((_VERSION, method))

    def _login(self) -> Event | bool:
        """VER ULEN UNAME PLEN PASSWD (RFC 1929 section 2)."""
        have = self._buffer
        if have and have[0] != _LOGIN_VERSION:
            return self._login_failed(Why.PROTOCOL, f"login version {have[0]}")
        if len(have) < 2 or len(have) < 3 + have[1]:
            return False
        name_end = 2 + have[1]
        end = name_end + 1 + have[name_end]
        if len(have) < end:
            return False
        message = self._take(end)
        name, password = message[2:name_end], message[name_end + 1 :]
        if self._users is None or not self._users.check(name, password):
            reason = f"wrong name or password for {shown(name)}"
            return self._login_failed(Why.WRONG_LOGIN, reason)
        self._to_send += bytes((_LOGIN_VERSION, 0))
        self._state = self._request
        return True

    def _login_failed(self, why: Why, reason: str) -> Refused:
        return self._refused(why, reason, bytes((_LOGIN_VERSION, 1)))

    def _request(self) -> Event | bool:
        """VER CMD RSV ATYP DST.ADDR DST.PORT (RFC 1928 section 4)."""
        have = self._buffer
        if have and have[0] != _VERSION:
            answer = reply(Reply.GENERAL_FAILURE)
            return self._refused(Why.PROTOCOL, f"request version {have[0]}", answer)
        try:
            address = unpack_address(bytes(have[3 : 3 + 259]))
        except UnknownAddressType as error:
            answer = reply(Reply.ADDRESS_TYPE_NOT_SUPPORTED)
            return self._refused(Why.UNSUPPORTED, str(error), answer)
        if address is None:
            return False
        command = self._take(3 + address.size)[1]
        return self._wanted(command, address)

    def _wanted(self, command: int, address: Address) -> Event:
        if command not in (Command.CONNECT, Command.ASSOCIATE):
            answer = reply(Reply.COMMAND_NOT_SUPPORTED)
            return self._refused(Why.UNSUPPORTED, f"command {command}", answer)
        try:
            host = address.host()
        except UnfitHost as error:
            # Not 1: clients try that again. Not 8: they would give up sending names at
            # all. A rule of this proxy forbids the name, whatever the network is like.
            return self._refused(Why.UNFIT_HOST, str(error), reply(Reply.NOT_ALLOWED))
        if command == Command.ASSOCIATE:
            return Associate(host, address.port)
        if not address.port:
            return self._refused(Why.PROTOCOL, "port 0", reply(Reply.NOT_ALLOWED))
        return Connect(host, address.port)

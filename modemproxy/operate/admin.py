"""The admin socket: one JSON object a line asks, one JSON object a line answers.

::

    {"request": "connect", "host": "example.com", "port": 22}
    {"ok": true}                                    or {"ok": false, "error": "..."}

Only the user who runs the proxy can open the socket, so nobody is asked who they are. A
request that is not understood is answered and does not end the connection.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import trio

from modemproxy.operate.local import json_line, peer_name
from modemproxy.surfaces.guard import contained

log = logging.getLogger(__name__)

_LINE_MAX: Final = 8192
_REQUEST_S: Final = 30.0


class BadRequest(Exception):
    """What was asked cannot be done; the text says why."""


@dataclass(slots=True)
class Caller:
    """Who asks.

    Attributes:
        stream: the connection.
        name: the process, for the log.
        ahead: bytes that were read behind the request.
    """

    stream: trio.SocketStream
    name: str
    ahead: bytes = b""


Request = Mapping[str, object]
#: Answers a request, or raises BadRequest. False: the connection is used up.
Handler = Callable[[Request, Caller], Awaitable[bool]]


class AdminSocket:
    """Serves the admin socket.

    Attributes:
        handlers: what can be asked, by the request's name.
    """

    def __init__(self, listener: trio.SocketListener, handlers: Mapping[str, Handler]) -> None:
        """Args:
        listener: the socket's (``rendezvous.listen_at``).
        handlers: what can be asked, by the request's name.
        """
        self._listener = listener
        self.handlers = dict(handlers)

    async def serve(self, callers: trio.Nursery) -> None:
        """Accept until cancelled; who came in is served in ``callers``."""
        await trio.serve_listeners(self._serve, [self._listener], handler_nursery=callers)

    async def _serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            caller = Caller(stream, peer_name(stream))
            with contained(f"admin: {caller.name}"), suppress(trio.BrokenResourceError):
                while await self._answer_next(caller):
                    pass

    async def _answer_next(self, caller: Caller) -> bool:
        """Answer a request; False when there are no more."""
        try:
            line = await _read_line(caller)
            if line is None:
                return False
        except BadRequest as error:
            await _refuse(caller, error)
            return False
        try:
            return await self._answer(_parse(line), caller)
        except BadRequest as error:
            await _refuse(caller, error)
            return True

    async def _answer(self, request: Request, caller: Caller) -> bool:
        name = request.get("request")
        handler = self.handlers.get(name) if isinstance(name, str) else None
        if handler is None:
            known = ", ".join(sorted(self.handlers))
            raise BadRequest(f"unknown request {name!r:.40} (known: {known})")
        return await handler(request, caller)


async def _refuse(caller: Caller, error: BadRequest) -> None:
    log.warning("admin: %s: %s", caller.name, error)
    await caller.stream.send_all(json_line({"ok": False, "error": str(error)}))


async def _read_line(caller: Caller) -> bytes | None:
    """Read a line; None when the caller will send no more.

    Raises:
        BadRequest: it is too long, or did not come in time.
    """
    with trio.move_on_after(_REQUEST_S):
        while b"\n" not in caller.ahead:
            if len(caller.ahead) > _LINE_MAX:
                raise BadRequest(f"a request has at most {_LINE_MAX} bytes")
            data = await caller.stream.receive_some(_LINE_MAX)
            if not data:
                return None
            caller.ahead += data
    line, newline, ahead = caller.ahead.partition(b"\n")
    if not newline:
        raise BadRequest(f"no request within {_REQUEST_S:g} s")
    caller.ahead = ahead
    return line


def _parse(line: bytes) -> Request:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequest("not JSON") from None
    if not isinstance(request, dict):
        raise BadRequest("not a JSON object")
    return request

"""A small HTTP server on trio and h11, for those who look at the proxy.

It answers ``GET`` and ``HEAD``, with keep-alive. What a client can cost is bounded: the
number of connections, the size of a head, the time for one, the time for an answer to be
taken. Its connections end with the server, so that a collector's idle one keeps nobody.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import h11
import trio

from modemproxy.operate.http_answers import Answer, BadHttp, Names, path_of
from modemproxy.surfaces.access import Access, Denied
from modemproxy.surfaces.client import ClientConnection
from modemproxy.surfaces.guard import contained
from modemproxy.surfaces.proxying.http_head import HeadReader, UnreadableHead

log = logging.getLogger(__name__)

#: Gives the answer for one path.
Page = Callable[[], Answer]

#: A browser has six; several people and a collector are served.
CONNECTIONS_MAX: Final = 32
#: From the first byte of a head, or from the beginning of the connection, to its end.
HEAD_S: Final = 10.0
#: Between two requests: longer than collectors pause.
IDLE_S: Final = 75.0
_SEND_S: Final = 20.0
_READ_BYTES: Final = 8192
_TOLD_MAX: Final = 20


class HttpServer:
    """Serves a few pages, each made when it is asked for.

    Attributes:
        name: for the log.
        port: the host port in fact bound.
        access: who may look.
        pages: what there is, by path.
    """

    def __init__(
        self,
        name: str,
        listener: trio.SocketListener,
        access: Access,
        names: Names,
        pages: Mapping[str, Page],
    ) -> None:
        """Args:
        name: for the log.
        listener: bound (``listening.bind_tcp``).
        access: who may look, and how many at once.
        names: by which it may be asked.
        pages: what there is, by path.
        """
        self.name = name
        self.port: int = listener.socket.getsockname()[1]
        self.access = access
        self._listener = listener
        self._names = names
        self.pages = pages
        self._told: set[str] = set()

    def lend(self) -> trio.SocketListener:
        """Give a second handle to the port: it stays bound when this one lets go of it."""
        return trio.SocketListener(self._listener.socket.dup())

    def close(self) -> None:
        """Let go of a port that is not served."""
        self._listener.socket.close()

    async def serve(self, handlers: trio.Nursery) -> None:
        """Accept until cancelled; who is inside is cancelled with it.

        Args:
            handlers: of those whose clients may finish; not used.
        """
        async with trio.open_nursery() as visitors:
            await trio.serve_listeners(self._accept, [self._listener], handler_nursery=visitors)

    async def _accept(self, stream: trio.SocketStream) -> None:
        client = ClientConnection(stream)
        peer = client.peer
        try:
            with contained(f"{self.name}: {peer}"), suppress(trio.BrokenResourceError):
                await self._admit(client, peer)
        finally:
            with trio.CancelScope(shield=True):
                await client.aclose()

    async def _admit(self, client: ClientConnection, peer: str) -> None:
        try:
            with self.access.admitted(peer.rpartition(":")[0].strip("[]")):
                await _Conversation(client, self.page).run()
        except Denied as error:
            self._tell_once(f"{peer.rpartition(':')[0]} refused: {error}")

    def page(self, request: h11.Request) -> Answer:
        """Answer a request."""
        try:
            page = self.pages.get(path_of(request, self._names))
        except BadHttp as error:
            if error.status == 421:
                self._tell_once(str(error))
            raise
        if page is None:
            raise BadHttp(404, "There is no such page.")
        return page()

    def _tell_once(self, what: str) -> None:
        """A collector that is refused comes again every few seconds: log that once."""
        if what not in self._told and len(self._told) < _TOLD_MAX:
            self._told.add(what)
            log.warning("%s: %s", self.name, what)


class _Conversation:
    """One client's requests, one after the other."""

    def __init__(self, client: ClientConnection, page: Callable[[h11.Request], Answer]) -> None:
        self._client = client
        self._page = page
        self._heads = HeadReader()
        self._http = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        wait_s = HEAD_S
        while (head := await self._next_head(wait_s)) is not None:
            if not await self._answer(head):
                return
            wait_s = IDLE_S
        self._client.finish()

    async def _next_head(self, wait_s: float) -> bytes | None:
        """Read a head; None when there is no other. What is none is answered."""
        try:
            return await self._read_head(wait_s)
        except UnreadableHead as error:
            long = error.status == 431
            what = "The head is too long." if long else "This is no HTTP request."
            await self._send(BadHttp(error.status, what).answer(), None)
        except BadHttp as error:
            await self._send(error.answer(), None)
        return None

    async def _read_head(self, wait_s: float) -> bytes | None:
        """Read until a head is whole; the clock starts anew with its first byte.

        Raises:
            BadHttp: it does not come to an end.
            UnreadableHead: it can not be read.
        """
        begun = bool(self._heads.trailing_data)
        with trio.move_on_after(HEAD_S if begun else wait_s) as limit:
            while (head := self._heads.next_head()) is None:
                data = await self._client.receive_some(_READ_BYTES)
                if not data:
                    return None
                if not begun:
                    begun, limit.deadline = True, trio.current_time() + HEAD_S
                self._heads.receive_data(data)
            return head
        if begun:
            raise BadHttp(408, f"A request has {HEAD_S:g} s to arrive.")
        return None

    async def _answer(self, head: bytes) -> bool:
        """Answer a request; False when that was the last one."""
        http = self._http
        http.receive_data(head)
        request: h11.Request | None = None
        try:
            request = self._parse()
            answer = self._page(request)
        except h11.RemoteProtocolError as error:
            answer = BadHttp(error.error_status_hint, "This is no HTTP request.").answer()
        except BadHttp as error:
            answer = error.answer()
        stays = await self._send(answer, request)
        if stays:
            http.start_next_cycle()
        return stays

    def _parse(self) -> h11.Request:
        """Read the one request of a head, and its end where it has no body."""
        request = self._http.next_event()
        if not isinstance(request, h11.Request):
            raise BadHttp(400, "This is no HTTP request.")
        self._http.next_event()
        return request

    async def _send(self, answer: Answer, request: h11.Request | None) -> bool:
        """Send an answer; False when the connection ends with it.

        So it does when the client wants that, and where it is not clear where its next
        request would begin.
        """
        http = self._http
        stays = http.their_state is h11.DONE
        headers = answer.headers() + ([] if stays else [("Connection", "close")])
        phrase = HTTPStatus(answer.status).phrase
        response = h11.Response(status_code=answer.status, headers=headers, reason=phrase)
        data = http.send(response) or b""
        if request is None or request.method != b"HEAD":
            data += http.send(h11.Data(data=answer.body)) or b""
        data += http.send(h11.EndOfMessage()) or b""
        if not stays or http.our_state is not h11.DONE:
            await self._client.dismiss(data)
            return False
        with trio.move_on_after(_SEND_S) as limit:
            await self._client.send_all(data)
        return not limit.cancelled_caught

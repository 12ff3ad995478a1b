"""The body of a plain request: what may go on to the origin server, and where it ends.

Bytes behind the end would be a second request, perhaps for another host and with a
password for this proxy in it: they are never passed on.
"""

from typing import Final

import h11

#: What h11 is given of a body at a time.
_SLICE: Final = 1024
#: What h11 may keep of a chunk's size or a trailer that has not ended; with _SLICE this
#: bounds its work on a hostile one (see http_connect.py on what it costs).
INCOMPLETE_MAX: Final = 512


class BadBody(ValueError):
    """The client's chunks make no sense: the far side cannot be told where they end."""


class RequestBody:
    """Lets one request's body through.

    Attributes:
        ended: all of it has been let through (true at once where there is none).
    """

    def __init__(self, connection: h11.Connection, request: h11.Request) -> None:
        """Args:
        connection: has read the request's head and nothing behind it.
        request: that request.
        """
        self.ended = False
        self._connection = connection
        self._chunked = any(name == b"transfer-encoding" for name, _ in request.headers)
        self._collect()

    def forward(self, data: bytes) -> bytes:
        """Return what of ``data`` is to be sent on, framed as it came.

        Args:
            data: the client's next bytes; those behind the end are dropped.

        Raises:
            BadBody: the request is broken; nothing more of it can be sent on.
        """
        passed = bytearray()
        for start in range(0, len(data), _SLICE):
            if self.ended:
                break
            self._connection.receive_data(data[start : start + _SLICE])
            passed += self._collect()
        return bytes(passed)

    def _collect(self) -> bytes:
        passed = bytearray()
        while not self.ended:
            try:
                event = self._connection.next_event()
            except h11.RemoteProtocolError as error:
                raise BadBody(str(error)) from None
            if isinstance(event, h11.Data):
                passed += self._framed(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                self.ended = True
                passed += self._end(event)
            else:
                break
        return bytes(passed)

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data

    def _end(self, event: h11.EndOfMessage) -> bytes:
        if not self._chunked:
            return b""
        trailer = b"".join(b"%b: %b\r\n" % item for item in event.headers.raw_items())
        return b"0\r\n" + trailer + b"\r\n"

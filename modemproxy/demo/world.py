"""The services of the demo: those of the far side, and one of this host.

Each listens on a free port of loopback and reports it when it does.
"""

import socket
from collections.abc import Awaitable, Callable
from typing import Final

import trio

_MAX_DATAGRAM: Final = 65535
_MAX_HEADER: Final = 200

Handler = Callable[[trio.SocketStream], Awaitable[object]]


async def serve_http(file: bytes, part: int, task_status: trio.TaskStatus[int]) -> None:
    """Serve files by HTTP, for ever.

    Args:
        file: is ``/file.bin``; everything else is a greeting.
        part: so many bytes of it are ``/part.bin``.
        task_status: is told the port.
    """
    files = {b"/file.bin": file, b"/part.bin": file[:part]}

    async def answer(stream: trio.SocketStream) -> None:
        await _answer_http(stream, files)

    await _serve(answer, task_status)


async def _answer_http(stream: trio.SocketStream, files: dict[bytes, bytes]) -> None:
    """One GET, one answer, and the connection ends: HTTP/1.0 is enough to be fetched."""
    request = b""
    while b"\r\n\r\n" not in request:
        data = await stream.receive_some()
        if not data:
            return
        request += data
    _, _, behind = request.partition(b" ")
    path = behind.partition(b" ")[0]
    body = files.get(path, b"Hello through the module.\n")
    kind = b"application/octet-stream" if path in files else b"text/plain"
    head = b"HTTP/1.0 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    await stream.send_all(head % (kind, len(body)) + body)


async def serve_echo(task_status: trio.TaskStatus[int]) -> None:
    """Send back what comes by TCP, for ever."""

    async def echo(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    await _serve(echo, task_status)


async def serve_home(task_status: trio.TaskStatus[int]) -> None:
    """Be a service of this host: say to far clients who they are, then send back what comes.

    Who they are stands in a PROXY header of version 1, so only the proxy can know.
    """

    async def welcome(stream: trio.SocketStream) -> None:
        header = bytearray()
        while not header.endswith(b"\r\n"):
            if len(header) > _MAX_HEADER or not (byte := await stream.receive_some(1)):
                return
            header += byte
        source = bytes(header).split()[2:5:2]  # PROXY TCP4 source destination ports
        await stream.send_all(b"Hello " + b":".join(source) + b"\n")
        async for data in stream:
            await stream.send_all(data)

    await _serve(welcome, task_status)


async def serve_datagrams(task_status: trio.TaskStatus[int]) -> None:
    """Send every datagram back, for ever."""
    with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.0.0.1", 0))
        task_status.started(sock.getsockname()[1])
        while True:
            data, source = await sock.recvfrom(_MAX_DATAGRAM)
            await sock.sendto(data, source)


async def _serve(handler: Handler, task_status: trio.TaskStatus[int]) -> None:
    async def guarded(stream: trio.SocketStream) -> None:
        try:
            await handler(stream)
        except trio.BrokenResourceError:
            return  # the other side gave up

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(guarded, listeners)

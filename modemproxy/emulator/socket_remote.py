"""One connection of the module on a real socket: two pumps and the close semantics."""

import socket
import struct
from typing import Final, NoReturn

import trio

from modemproxy.emulator.internet import Sink

_LINGER_RST: Final = struct.pack("ii", 1, 0)
_CHUNK: Final = 65536

#: Small kernel buffers, so that a far side that stops reading is felt by the module.
_KERNEL_BUFFER: Final = 32768

#: How long a closed connection waits for the far FIN before it is forgotten.
_FIN_WAIT_S: Final = 5.0
#: An endless source must not keep a processor busy meanwhile.
_DISCARD_S: Final = 0.01


def small_buffers(sock: trio.socket.SocketType) -> None:
    """Prepare a socket for the part of the module's."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BUFFER)


class SocketRemote:
    """One connected socket; two tasks pump it (``run``)."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._sock = sock
        self._outbox = bytearray()
        self._finishing = False
        self._scope = trio.CancelScope()
        self._to_send = trio.Event()
        self._room = trio.Event()
        self._far_ended = trio.Event()

    def write(self, data: bytes) -> None:
        """Queue bytes for the socket."""
        self._outbox += data
        self._to_send.set()

    def resume(self) -> None:
        """Read on."""
        self._room.set()

    def finish(self) -> None:
        """Send a FIN once everything is sent."""
        self._finishing = True
        self._to_send.set()
        self._room.set()

    def abort(self) -> None:
        """Send a RST."""
        self._arm_reset()
        self._scope.cancel()

    async def run(self, sink: Sink) -> None:
        """Pump both ways until the connection is over; closes the socket."""
        with self._sock, self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._receive, sink)
                await self._send(sink)
                with trio.move_on_after(_FIN_WAIT_S):
                    await self._far_ended.wait()
                nursery.cancel_scope.cancel()

    async def _receive(self, sink: Sink) -> None:
        while data := await self._receive_some(sink):
            if not self._finishing:
                sink.arrived(data)
            else:  # after our close the far side may still talk; nobody listens, unhurriedly
                await trio.sleep(_DISCARD_S)
        self._far_ended.set()
        sink.ended(reset=False)

    async def _receive_some(self, sink: Sink) -> bytes:
        while not (room := _CHUNK if self._finishing else sink.room()):
            self._room = trio.Event()
            await self._room.wait()
        try:
            return await self._sock.recv(min(room, _CHUNK))
        except OSError:
            return await self._reset_by_far(sink)

    async def _send(self, sink: Sink) -> None:
        while self._outbox or not self._finishing:
            if not self._outbox:
                self._to_send = trio.Event()
                await self._to_send.wait()
                continue
            try:
                count = await self._sock.send(self._outbox[:_CHUNK])
            except OSError:
                await self._reset_by_far(sink)
            del self._outbox[:count]
            sink.acked(count)
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._far_ended.set()  # reset meanwhile: nothing to wait for

    async def _reset_by_far(self, sink: Sink) -> NoReturn:
        """Tell the sink and end both pumps."""
        sink.ended(reset=True)
        self._scope.cancel()
        await trio.sleep_forever()
        raise AssertionError("cancelled above")

    def _arm_reset(self) -> None:
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RST)
        except OSError:
            return  # closed already: nothing left to reset

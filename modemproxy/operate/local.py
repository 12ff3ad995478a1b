"""A connection of a program on this machine over a Unix socket, as a relay needs it.

A Unix socket knows no reset: closing it looks to the peer like an orderly end. What came
of the connection is therefore told beside it: a pipe is handed to the peer, on which one
line says at the end whether everything arrived. No line means that it did not.
"""

import array
import json
import os
import select
import socket
import struct
from typing import Final

import trio

_CREDENTIALS: Final = struct.Struct("3i")
_RECEIVE_BYTES: Final = 4096


class LocalConnection:
    """A client of the admin socket whose connection carries payload.

    Attributes:
        finished: the end was a clean one.
    """

    def __init__(self, stream: trio.SocketStream, ahead: bytes = b"") -> None:
        """Args:
        stream: stays the caller's to close.
        ahead: bytes that were read too far, the first of the payload.
        """
        self._stream = stream
        self._ahead = ahead
        self.finished = False

    async def send_all(self, data: bytes) -> None:
        """Write; waits for a slow reader."""
        await self._stream.send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read; ``b""`` when the peer will send no more."""
        if self._ahead:
            await trio.lowlevel.checkpoint()
            data = self._ahead[:max_bytes]
            self._ahead = self._ahead[len(data) :]
            return data
        return bytes(await self._stream.receive_some(max_bytes or _RECEIVE_BYTES))

    async def send_eof(self) -> None:
        """Say that nothing more comes; the peer may still send."""
        await self._stream.send_eof()

    def finish(self) -> None:
        """Everything arrived."""
        self.finished = True

    async def flush(self, limit_s: float) -> bool:
        """Nothing to wait for: what was sent is in the peer's queue and stays there."""
        await trio.lowlevel.checkpoint()
        return True

    @property
    def gone(self) -> bool:
        """The peer has closed its socket altogether (both directions are hung up)."""
        fd = self._stream.socket.fileno()
        if fd < 0:
            return True
        poll = select.poll()
        poll.register(fd, 0)  # hanging up is always reported
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))

    @property
    def broken(self) -> bool:
        """The peer does not wait any more."""
        return self.gone


def peer_name(stream: trio.SocketStream) -> str:
    """Say which process is at the other end, for the log."""
    raw = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return f"pid {pid} (uid {uid})"


class Outcome:
    """The proxy's end of the pipe beside a connection."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    async def hand_over(self, stream: trio.SocketStream, line: bytes) -> None:
        """Send a line, and with it the other end of the pipe.

        Raises:
            trio.BrokenResourceError: the peer is gone.
        """
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self._read]))
        try:
            sent = await stream.socket.sendmsg([line], [rights])
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error
        finally:
            os.close(self._read)
            self._read = -1
        await stream.send_all(line[sent:])

    def tell(self, error: str | None) -> None:
        """Say what came of the connection; None is an orderly end. Never waits."""
        line = json_line({"ok": True} if error is None else {"ok": False, "error": error})
        try:
            os.write(self._write, line[: select.PIPE_BUF])
        except OSError:
            return  # nobody is interested

    def close(self) -> None:
        """Close what is still open."""
        for fd in (self._read, self._write):
            if fd >= 0:
                os.close(fd)
        self._read = self._write = -1


def json_line(message: object) -> bytes:
    """Spell a message as one line."""
    return json.dumps(message).encode() + b"\n"

"""The host's side of a connection: a TCP socket, and what its kernel knows about it.

A socket here is armed to be reset from the moment it is accepted (SO_LINGER 1, 0,
inherited from the listening socket): whatever goes wrong, a crash included, the client
sees RST. A clean end has to be earned: ``finish()`` disarms.

The kernel tells two things that the stream does not. ``unsent``: how many bytes the
client has not taken yet, which a reset would destroy. And whether a client that sent
FIN only ended its sending side and waits for an answer, or is gone altogether: on this
machine (the usual case, programs that talk to localhost) the peer's own socket can be
looked up, and one that was closed has no owner any more.
"""

import errno
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

_TCP_CLOSE: Final = 7
_ABORT: Final = struct.pack("ii", 1, 0)
_NO_LINGER: Final = struct.pack("ii", 0, 0)
_FLUSH_POLL_S: Final = 0.01
_READ_BYTES: Final = 65536
_DISMISS_S: Final = 2.0
_DISMISS_BYTES: Final = 1_000_000
_SIOCOUTQ: Final = termios.TIOCOUTQ


def arm_reset(sock: socket.socket | trio.socket.SocketType) -> None:
    """Make closing ``sock`` a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)


class ClientConnection(trio.abc.HalfCloseableStream):
    """One client's TCP connection to a listener of ours."""

    def __init__(self, stream: trio.SocketStream) -> None:
        """Args: stream: becomes ours to close; it is armed to be reset."""
        self._stream = stream
        self._ahead = b""
        arm_reset(stream.socket)

    @property
    def peer(self) -> str:
        """``address:port`` of the client, for the log."""
        return _name(self._stream.socket.getpeername)

    @property
    def local_host(self) -> str:
        """The address of ours that the client connected to."""
        host: str = self._stream.socket.getsockname()[0]
        return host

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write to the client; waits while it does not read, and only then checkpoints."""
        try:
            sent = os.write(self._stream.socket.fileno(), data)
        except OSError:
            sent = 0  # the stream says it in trio's words
        if sent < len(data):
            await self._stream.send_all(memoryview(data)[sent:])

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the client's socket takes bytes."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Read from the client, ``b""`` when it will send no more.

        A checkpoint only when there is nothing yet: the link behind has its own.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._ahead:
            size = max_bytes or _READ_BYTES
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        if (fd := self._stream.socket.fileno()) >= 0:
            try:
                return os.read(fd, max_bytes or _READ_BYTES)
            except BlockingIOError:
                pass
            except OSError as error:  # the kernel tells it once: a second read says EOF
                raise trio.BrokenResourceError(f"client connection broken: {error}") from error
        return bytes(await self._stream.receive_some(max_bytes))

    def push_back(self, data: bytes) -> None:
        """Have ``data``, which was read too far, read again before anything else."""
        self._ahead = data + self._ahead

    async def send_eof(self) -> None:
        """Send FIN; the client may still send."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close: a reset unless ``finish()`` came before."""
        await self._stream.aclose()

    def finish(self) -> None:
        """Disarm the reset: everything arrived, the end is a clean one."""
        self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)

    async def dismiss(self, last_words: bytes) -> None:
        """Answer the client ourselves, and end its connection in order.

        What it still sends is read and dropped for a moment: closing a socket that has
        unread bytes is a reset, and that could overtake the answer. A client that does
        not wait for the answer, or not for the end of it, is none to be told of.
        """
        with suppress(trio.BrokenResourceError), trio.move_on_after(_DISMISS_S):
            await self.send_all(last_words)
            await self.send_eof()
            left = _DISMISS_BYTES
            while left > 0 and (data := await self.receive_some()):
                left -= len(data)
        self.finish()

    @property
    def unsent(self) -> int:
        """Bytes that the client's kernel has not acknowledged."""
        try:
            raw = fcntl.ioctl(self._stream.socket.fileno(), _SIOCOUTQ, struct.pack("i", 0))
        except (OSError, ValueError):
            return 0
        count: int = struct.unpack("i", raw)[0]
        return count

    async def flush(self, limit_s: float) -> bool:
        """Wait until the client's kernel has everything, at most ``limit_s`` seconds.

        A reset destroys what is still in our send queue; what the client's kernel has
        stays readable.
        """
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(limit_s):
            while self.unsent and not self.broken:  # noqa: ASYNC110 - the kernel has no event
                await trio.sleep(_FLUSH_POLL_S)
        return self.unsent == 0

    @property
    def broken(self) -> bool:
        """The connection is over: the client reset it."""
        try:
            info = self._stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        except (OSError, ValueError):
            return True
        return info[0] == _TCP_CLOSE

    @property
    def gone(self) -> bool:
        """The client, which has sent FIN, has closed its socket altogether.

        Known only for clients on this machine; False for all others.
        """
        try:
            local = self._stream.socket.getsockname()
            remote = self._stream.socket.getpeername()
        except OSError:
            return True
        return is_orphan(remote[:2], local[:2])


def _name(get: object) -> str:
    try:
        host, port = get()[:2]  # type: ignore[operator]
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "gone")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_orphan(
    local: tuple[str, int],
    remote: tuple[str, int],
    tables: Iterable[Path] = (Path("/proc/net/tcp"), Path("/proc/net/tcp6")),
) -> bool:
    """Say whether the socket from ``local`` to ``remote`` is here and owned by nobody.

    After close() the kernel finishes a connection on its own: the entry stays (in
    FIN_WAIT or TIME_WAIT), with inode 0. After shutdown() the program still holds it.
    """
    ends = _hex_end(*local), _hex_end(*remote)
    for table in tables:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and (_tail(fields[1]), _tail(fields[2])) == ends:
                return fields[9] == "0"
    return False


def _hex_end(host: str, port: int) -> str:
    """An address as the kernel's tables write it: words in host byte order."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    packed = socket.inet_pton(family, host.split("%")[0])
    if packed[:12] == b"\0" * 10 + b"\xff\xff":  # an IPv4 client of an IPv6 socket
        packed = packed[12:]
    words = [packed[i : i + 4][::-1] for i in range(0, len(packed), 4)]
    return b"".join(words).hex().upper() + f":{port:04X}"


def _tail(entry: str) -> str:
    """Drop the prefix of an IPv4-mapped address, so that both tables compare alike."""
    mapped = "0000000000000000FFFF0000"
    return entry.removeprefix(mapped)

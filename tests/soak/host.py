"""TCP on the host, in memory: a client program, the kernel between, and the proxy's socket.

What matters of the kernel is here, as measured on Linux (failures.md A5.5, A5.7): the
receiver's queue stays readable after a reset while the sender's queue is lost; closing with
unread input resets; a socket armed with SO_LINGER (1, 0) resets unless both sides have
finished; bytes that come for a program that has left are answered with a reset.
"""

from collections.abc import Callable

import trio

from modemproxy.surfaces.client import ClientConnection


class Reset(Exception):
    """The client's program is told ECONNRESET."""


class Kernel:
    """One connection between a client's program and the proxy's socket."""

    def __init__(self, *, upward: int, sending: int, receiving: int) -> None:
        """Args:
        upward: bytes the proxy's side takes before it reads.
        sending: the proxy's send queue, bytes.
        receiving: the client's receive queue, bytes.
        """
        self.up = bytearray()
        self.up_limit = upward
        self.down_unsent = bytearray()
        self.unsent_limit = sending
        self.down = bytearray()
        self.down_limit = receiving
        self.client_fin = False
        self.client_closed = False
        self.proxy_fin = False
        self.proxy_closed = False
        self.reset = False
        self._changed = trio.Event()

    def notify(self) -> None:
        """Let everyone look again."""
        self._changed.set()
        self._changed = trio.Event()

    async def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        await trio.lowlevel.checkpoint()
        while not condition():
            await self._changed.wait()

    def carry(self) -> None:
        """Move what the client's kernel has room for."""
        room = self.down_limit - len(self.down)
        if room > 0 and self.down_unsent:
            self.down += self.down_unsent[:room]
            del self.down_unsent[:room]
        self.notify()

    def break_off(self) -> None:
        """A RST passes: what was still to be sent is lost."""
        self.reset = True
        self.down_unsent.clear()
        self.notify()


class ProxySocket(ClientConnection):
    """The proxy's end: what the product's own wrapper does, on a simulated kernel."""

    def __init__(self, kernel: Kernel, peer: str) -> None:
        self._kernel = kernel
        self._peer = peer
        self._armed = True

    @property
    def peer(self) -> str:
        return self._peer

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        kernel = self._kernel
        view = memoryview(bytes(data))
        await trio.lowlevel.checkpoint()
        while view:
            self._check()
            if kernel.client_closed:
                kernel.break_off()  # the first send succeeds, its answer is a RST
                return
            room = kernel.unsent_limit - len(kernel.down_unsent)
            if room <= 0:
                await kernel.wait_for(self._can_send)
                continue
            kernel.down_unsent += view[:room]
            view = view[room:]
            kernel.carry()

    def _can_send(self) -> bool:
        kernel = self._kernel
        full = len(kernel.down_unsent) >= kernel.unsent_limit
        return not full or kernel.reset or kernel.client_closed or kernel.proxy_closed

    async def wait_send_all_might_not_block(self) -> None:
        await self._kernel.wait_for(self._can_send)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        kernel = self._kernel
        await kernel.wait_for(lambda: kernel.up or kernel.client_fin or kernel.reset)
        if kernel.up:
            data = bytes(kernel.up[:max_bytes])
            del kernel.up[: len(data)]
            kernel.notify()
            return data
        self._check()
        return b""

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        self._check()
        self._kernel.proxy_fin = True
        self._kernel.notify()

    async def aclose(self) -> None:
        kernel = self._kernel
        await trio.lowlevel.checkpoint()
        if kernel.proxy_closed:
            return
        kernel.proxy_closed = True
        finished = kernel.proxy_fin and kernel.client_fin and not kernel.down_unsent
        if kernel.up or (self._armed and not finished):
            kernel.break_off()
        kernel.proxy_fin = True
        kernel.notify()

    def finish(self) -> None:
        self._armed = False

    @property
    def unsent(self) -> int:
        return len(self._kernel.down_unsent)

    @property
    def broken(self) -> bool:
        return self._kernel.reset

    @property
    def gone(self) -> bool:
        return self._kernel.client_closed

    def _check(self) -> None:
        if self._kernel.proxy_closed:
            raise trio.ClosedResourceError
        if self._kernel.reset:
            raise trio.BrokenResourceError("reset by the client")


class ClientSocket:
    """The client program's end."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    @property
    def was_reset(self) -> bool:
        """A RST has come (a program sees it with its next call)."""
        return self._kernel.reset

    async def send_some(self, data: bytes) -> int:
        """Send; waits for room and says how much the kernel took.

        Raises:
            Reset: the connection was reset.
        """
        kernel = self._kernel
        await kernel.wait_for(
            lambda: kernel.reset or kernel.proxy_closed or len(kernel.up) < kernel.up_limit
        )
        if kernel.proxy_closed and not kernel.reset:
            kernel.break_off()
        if kernel.reset:
            raise Reset
        piece = data[: kernel.up_limit - len(kernel.up)]
        kernel.up += piece
        kernel.notify()
        return len(piece)

    async def receive(self, max_bytes: int) -> bytes:
        """Receive; ``b""`` at FIN.

        Raises:
            Reset: the connection was reset, and everything before it was read.
        """
        kernel = self._kernel
        await kernel.wait_for(self._has_news)
        if kernel.down:
            data = bytes(kernel.down[:max_bytes])
            del kernel.down[: len(data)]
            kernel.carry()
            return data
        if kernel.reset:
            raise Reset
        return b""

    def _has_news(self) -> bool:
        kernel = self._kernel
        return (
            bool(kernel.down) or kernel.reset or (kernel.proxy_fin and not kernel.down_unsent)
        )

    async def wait_reset(self) -> None:
        """Wait for a reset."""
        await self._kernel.wait_for(lambda: self._kernel.reset)

    def finish(self) -> None:
        """Send FIN; go on receiving."""
        self._kernel.client_fin = True
        self._kernel.notify()

    def close(self) -> None:
        """Leave: FIN, or RST when something was left unread."""
        kernel = self._kernel
        kernel.client_closed = kernel.client_fin = True
        if kernel.down or kernel.down_unsent:
            kernel.break_off()
        kernel.notify()

    def abort(self) -> None:
        """Leave with a RST."""
        self._kernel.client_closed = True
        self._kernel.break_off()

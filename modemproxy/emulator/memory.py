"""An internet of memory for tests: hosts are functions, connections are two buffers.

No sockets, no tasks but the handlers' own, and no real time, so that it runs under trio's
autojump clock. Hosts get addresses of 203.0.113.0/24 in the order they are named.
"""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import trio

from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.internet import (
    Accept,
    Address,
    DatagramSink,
    Remote,
    Resolved,
    Sink,
    Trouble,
)

Handler = Callable[[FarStream], Awaitable[None]]
Answer = Callable[[bytes], list[bytes]]


class _Nothing:
    """An attempt or a listener that has nothing to give up."""

    def cancel(self) -> None:
        """Nothing is under way."""


class FarDatagrams:
    """A UDP socket of a far host.

    Args:
        internet: where it lives.
        address: its own.
        answer: called with each datagram that comes; what it returns is sent back.

    Attributes:
        received: (datagram, port of the module) in order, with or without ``answer``.
    """

    def __init__(self, internet: "MemoryInternet", address: Address, answer: Answer) -> None:
        self._internet = internet
        self._answer = answer
        self._arrival = trio.Event()
        self.address = address
        self.received: list[tuple[bytes, int]] = []

    def send_to(self, data: bytes, module_port: int) -> None:
        """Send one datagram to a port of the module; lost when nobody is there."""
        self._internet.to_module(data, module_port, self.address)

    async def wait_received(self, count: int) -> None:
        """Wait until that many datagrams have come in all."""
        await trio.lowlevel.checkpoint()
        while len(self.received) < count:
            await self._arrival.wait()

    def deliver(self, data: bytes, module_port: int) -> None:
        """Take one datagram from the module."""
        self.received.append((data, module_port))
        self._arrival.set()
        self._arrival = trio.Event()
        for answer in self._answer(data):
            self.send_to(answer, module_port)


class _ModuleUdp:
    """A bound UDP port of the module."""

    def __init__(self, internet: "MemoryInternet", port: int) -> None:
        self._internet = internet
        self._port = port

    def send_to(self, data: bytes, target: Address) -> None:
        """Send one datagram to a far host."""
        self._internet.to_host(data, target, self._port)

    def close(self) -> None:
        """Release the port."""
        self._internet.release_udp(self._port)


class _ModuleListener:
    """A listening TCP port of the module."""

    def __init__(self, accepts: dict[int, Accept], port: int) -> None:
        self._accepts = accepts
        self._port = port

    def close(self) -> None:
        """Stop listening."""
        self._accepts.pop(self._port, None)


class MemoryInternet:
    """The far side, in memory.

    Args:
        nursery: where handlers run; an exception of a handler ends it, except for a
            connection that broke under it.
        window_bytes: what a far host takes before its handler reads (its TCP window).

    Attributes:
        names: host name -> address; of several, the one that is connected to.
    """

    def __init__(self, nursery: trio.Nursery, *, window_bytes: int = 65536) -> None:
        self._nursery = nursery
        self._window = window_bytes
        self._handlers: dict[Address, Handler] = {}
        self._silent: set[str] = set()
        self._accepts: dict[int, Accept] = {}
        self._module_udp: dict[int, DatagramSink] = {}
        self._far_udp: dict[Address, FarDatagrams] = {}
        self._ephemeral = 49152
        self._addresses: dict[str, tuple[str, ...]] = {}
        self.names: dict[str, str] = {}

    # -- for tests --

    def add_host(self, name: str) -> str:
        """Make a name resolvable, return its address; an address is its own."""
        if _is_address(name):
            return name
        return self.names.setdefault(name, f"203.0.113.{len(self.names) + 1}")

    def add_addresses(self, name: str, *addresses: str) -> None:
        """Give a name several addresses, of either family; connections go to the first."""
        self.names[name] = addresses[0]
        self._addresses[name] = addresses

    def listen_tcp(self, host: str, port: int, handler: Handler) -> None:
        """Run ``handler(stream)`` for every connection of the module to ``host:port``.

        The stream is closed in an orderly way when the handler returns.
        """
        self._handlers[self.add_host(host), port] = handler

    def close_tcp(self, host: str, port: int) -> None:
        """Refuse new connections there again."""
        del self._handlers[self.add_host(host), port]

    def add_silent(self, host: str) -> None:
        """Have a host that never answers: an open to it times out."""
        self._silent.add(self.add_host(host))

    def listen_udp(self, host: str, port: int, answer: Answer = lambda _: []) -> FarDatagrams:
        """Have a UDP socket on a host."""
        address = self.add_host(host), port
        self._far_udp[address] = FarDatagrams(self, address, answer)
        return self._far_udp[address]

    def connect_to_server(self, port: int, *, source: Address | None = None) -> FarStream:
        """Be a client of a server that runs on the module.

        Raises:
            ConnectionRefusedError: nobody listens there, or all links are in use.
        """
        accept = self._accepts.get(port)
        stream = FarStream(self._window)
        address = source or ("198.51.100.7", self._new_port())
        sink = accept(stream.remote, address) if accept else None
        if sink is None:
            raise ConnectionRefusedError(f"module port {port}")
        stream.attach(sink)
        return stream

    # -- for the module's stack (internet.Internet) --

    def connect(self, host: str, port: int, sink: Sink) -> _Nothing:
        """Connect at once, fail at once, or (a silent host) never answer."""
        ip = self._look_up(host)
        if ip is None:
            sink.failed(Trouble.NO_NAME)
        elif ip not in self._silent:
            self._connect(ip, port, sink)
        return _Nothing()

    def bind(self, port: int, sink: DatagramSink) -> _ModuleUdp | None:
        """Bind a UDP port of the module, any free one for 0."""
        port = port or self._new_port()
        if port in self._module_udp:
            return None
        self._module_udp[port] = sink
        return _ModuleUdp(self, port)

    def listen(self, port: int, accept: Accept) -> _ModuleListener | None:
        """Listen on a TCP port of the module."""
        if port in self._accepts:
            return None
        self._accepts[port] = accept
        return _ModuleListener(self._accepts, port)

    def resolve(self, name: str, done: Resolved) -> _Nothing:
        """Look a name up, at once."""
        address = self._look_up(name)
        done(self._addresses.get(name, (address,)) if address is not None else ())
        return _Nothing()

    # -- datagrams --

    def to_module(self, data: bytes, port: int, source: Address) -> None:
        """Carry a datagram to the module."""
        sink = self._module_udp.get(port)
        if sink is not None:
            sink.datagram(data, source)

    def to_host(self, data: bytes, target: Address, module_port: int) -> None:
        """Carry a datagram to a far host; lost when there is none."""
        far = self._far_udp.get((self._look_up(target[0]) or "", target[1]))
        if far is not None:
            far.deliver(data, module_port)

    def release_udp(self, port: int) -> None:
        """Free a UDP port of the module."""
        self._module_udp.pop(port, None)

    # -- inside --

    def _connect(self, ip: str, port: int, sink: Sink) -> None:
        handler = self._handlers.get((ip, port))
        if handler is None:
            sink.failed(Trouble.REFUSED)
            return
        stream = FarStream(self._window)
        stream.attach(sink)
        self._nursery.start_soon(_handle, handler, stream)
        remote: Remote = stream.remote
        sink.connected(remote, ip)

    def _look_up(self, host: str) -> str | None:
        return host if _is_address(host) else self.names.get(host)

    def _new_port(self) -> int:
        self._ephemeral += 1
        return self._ephemeral


async def _handle(handler: Handler, stream: FarStream) -> None:
    try:
        async with stream:
            await handler(stream)
    except trio.BrokenResourceError:
        return  # the module went away under the handler: its far side is just gone


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

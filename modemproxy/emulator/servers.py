"""The servers on the module, and the far clients that come in (manual 15.2.10-15.2.13).

A far client gets a number of the same ten as CIPOPEN's, and ``+CLIENT`` says which. Until it
has one it waits in the server's listen queue: not at all, as a rule, but a fault may keep it
there (``keepers``), and some firmware does when all numbers are used (``server_full``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from modemproxy.emulator.context import Context
from modemproxy.emulator.internet import Accept, Address, Internet, Listener, Remote, Sink
from modemproxy.emulator.tcp import TcpLink
from modemproxy.emulator.wan import Wan

SERVERS: Final = 4
BACKLOG: Final = 3


@dataclass(eq=False, slots=True)
class FarCaller:
    """A far client that has connected and has no number yet.

    Attributes:
        link: the connection; its number is -1.
        remote: its far end.
        address: where it comes from.
        kept: somebody (``Servers.keepers``) will let it in.
    """

    link: TcpLink
    remote: Remote
    address: Address
    kept: bool = False


@dataclass(slots=True)
class Server:
    """A listening port of the module.

    Attributes:
        port: its port.
        listener: what listens on it.
        backlog: clients that may wait for a number.
        queue: those who do, the first first.
    """

    port: int
    listener: Listener
    backlog: int = BACKLOG
    queue: list[FarCaller] = field(default_factory=list)


class Numbers(Protocol):
    """What the servers need of the ten links."""

    def free_numbers(self) -> list[int]:
        """Return the numbers a far client can have, in ascending order."""

    def put(self, link: TcpLink) -> None:
        """Enter a link under its number."""


class Servers:
    """All servers of one module.

    Args:
        ctx: shared by the module.
        wan: the radio; where nothing passes nobody comes in.
        internet: where they listen.
        numbers: the ten links.

    Attributes:
        running: by index.
        keepers: asked about every caller; one who says True calls ``let_in`` or ``let_go``.
        on_accepted: told of every link that was accepted, after its ``+CLIENT``.
    """

    def __init__(self, ctx: Context, wan: Wan, internet: Internet, numbers: Numbers) -> None:
        self._ctx = ctx
        self._wan = wan
        self._internet = internet
        self._numbers = numbers
        self.running: dict[int, Server] = {}
        self.keepers: list[Callable[[FarCaller], bool]] = []
        self.on_accepted: Callable[[TcpLink], None] = lambda _link: None

    # -- SERVERSTART, SERVERSTOP --

    def listen(self, index: int, port: int, backlog: int = BACKLOG) -> bool:
        """Start a server; False when the port is taken."""
        listener = self._internet.listen(port, self._accept_for(index))
        if listener is None:
            return False
        self.running[index] = Server(port, listener, backlog)
        return True

    def stop(self, index: int) -> None:
        """Stop a server; who waits there is turned away."""
        server = self.running[index]
        server.listener.close()
        for caller in list(server.queue):
            self._turn_away(caller)
        del self.running[index]

    def stop_all(self) -> None:
        """Stop all of them."""
        for index in list(self.running):
            self.stop(index)

    # -- far clients --

    def waiting(self) -> list[FarCaller]:
        """Return the callers without a number, over all servers."""
        return [caller for server in self.running.values() for caller in server.queue]

    def look(self) -> None:
        """Give numbers that are free to those who wait, unless somebody keeps them."""
        for caller in self.waiting():
            if not caller.kept:
                self.let_in(caller)

    def look_soon(self) -> None:
        """Do so when what the module is saying now is said."""
        if self.waiting():
            self._ctx.timer(self._ctx.now, self.look)

    def let_in(self, caller: FarCaller, number: int | None = None) -> bool:
        """Give a waiting caller a number and say ``+CLIENT``; False when that cannot be.

        Args:
            caller: one of ``waiting``.
            number: which; the profile's choice when left out.
        """
        if caller not in self.waiting():
            return False
        if caller.link.was_reset:
            self._turn_away(caller)
            return False
        free = self._numbers.free_numbers()
        if not free or number not in (None, *free):
            return False
        if number is None:
            number = free[0] if self._ctx.profile.accept_link == "lowest" else free[-1]
        self._queue(caller).remove(caller)
        self._accepted(caller, number)
        return True

    def let_go(self, caller: FarCaller) -> None:
        """Treat a caller who was kept as any other."""
        caller.kept = False
        if not self.let_in(caller) and not self._may_wait and caller in self.waiting():
            self._turn_away(caller)

    @property
    def _may_wait(self) -> bool:
        return self._ctx.profile.server_full == "queue"

    def _queue(self, caller: FarCaller) -> list[FarCaller]:
        return self.running[caller.link.server].queue

    def _turn_away(self, caller: FarCaller) -> None:
        self._queue(caller).remove(caller)
        caller.link.drop()
        caller.remote.abort()

    def _accept_for(self, index: int) -> Accept:
        def accept(remote: Remote, address: Address) -> Sink | None:
            self._ctx.touch()
            return None if self._wan.held else self._call(index, remote, address)

        return accept

    def _call(self, index: int, remote: Remote, address: Address) -> Sink | None:
        """Let a caller in, have it wait, or (None) turn it away."""
        server = self.running[index]
        caller = FarCaller(TcpLink(self._ctx, self._wan, -1, server=index), remote, address)
        room = len(server.queue) < server.backlog
        server.queue.append(caller)
        caller.kept = room and any(keep(caller) for keep in self.keepers)
        if caller.kept or self.let_in(caller) or (room and self._may_wait):
            return caller.link
        server.queue.remove(caller)
        return None

    def _accepted(self, caller: FarCaller, number: int) -> None:
        link, profile = caller.link, self._ctx.profile
        link.number = number
        self._numbers.put(link)
        if not self._ctx.chance(profile.client_urc_loss):
            host, port = caller.address
            line = f"+CLIENT: {number},{link.server},{host}:{port}"
            self._ctx.later(profile.client_urc_delay_s, lambda: self._ctx.urc(line))
        link.adopt(caller.remote, *caller.address)
        self.on_accepted(link)
        link.began()

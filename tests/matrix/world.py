"""A world for one run of a row: module, line, proxy, connections, and the means to hurt it.

Real are the lifecycle with its sessions and links, the session gate, the TCP forward's
handler and its relay. Simulated are the kernel below a client's socket (tests/soak/host.py),
the line (a cable in memory at the module's speed), the module and its internet. A row's
body runs twice: in the calm run ``inject`` does nothing, and what it takes is the measure
for the extra time of the other.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, Literal, cast

import trio

from modemproxy.config import Forward
from modemproxy.config.checks import Endpoint
from modemproxy.emulator.faults import Fault, FaultBox, Struck
from modemproxy.emulator.faults_cable import MemoryCable
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.module.lifecycle import Lifecycle
from modemproxy.module.pool import turn_away
from modemproxy.module.session import Session
from modemproxy.surfaces.tcp import TcpForward
from tests.matrix.setting import BAUDRATE, CablePort, Setting
from tests.matrix.traffic import Connection, Role, content, download, echo, upload
from tests.soak.host import ClientSocket, Kernel, ProxySocket
from tests.soak.state import MemoryState

__all__ = ["BAUDRATE", "FAR", "Setting", "World"]

FAR: Final = "far.example.com"
_FIRST_PORT: Final = 20000
_ROLES: Final[dict[str, Callable[[], Role]]] = {
    "upload": upload,
    "download": download,
    "echo": echo,
}


class World:
    """What a row's body gets.

    Attributes:
        calm: nothing is injected in this run.
        module, internet, cable, box: the emulator's; ``box`` holds the faults.
        lifecycle: the product's.
        on_far_client: serves far clients of the setting's servers; nobody does at first.
        connections: the traffic, in order; ``probes`` are those of the harness.
        struck_at: when the first fault struck, virtual seconds; None before.
        clear_at: when the fault was over, where a row counts from there.
        excused_s: time that the fault itself takes by its nature (a pause it is told to
            make), not counted as extra.
        notes: figures that a body measures, for ``Rules.measure`` and ``Rules.check``.
    """

    def __init__(self, nursery: trio.Nursery, setting: Setting, *, calm: bool) -> None:
        self.calm = calm
        self.setting = setting
        self._nursery = nursery
        self.internet = MemoryInternet(nursery, window_bytes=setting.window_bytes)
        options = {"command_latency_s": 0.005, "baudrate": BAUDRATE} | setting.profile
        self.module = EmulatedModule(
            Profile(**options), internet=self.internet, seed=setting.seed
        )
        if not calm:
            setting.prepare(self.module)
        self.cable = MemoryCable(self.module, nursery, pace=setting.pace)
        self.box = FaultBox(self.module, self.cable, seed=setting.seed)
        self.box.on_strike = self._note_strike
        nursery.start_soon(self.box.run)
        config = setting.config()
        self.timeouts = config.timeouts
        self.on_far_client = turn_away
        self.lifecycle = Lifecycle(
            config,
            state=MemoryState(),
            open_port=self._open_port,
            on_far_client=lambda far: self.on_far_client(far),
        )
        self.lifecycle._recovery.ladder.rng = random.Random(setting.seed)  # its jitter
        self.connections: list[Connection] = []
        self.probes: list[Connection] = []
        self.struck = trio.Event()
        self.struck_at: float | None = None
        self.clear_at: float | None = None
        self.excused_s = 0.0
        self.notes: dict[str, float] = {}
        self.finished = trio.Event()

    async def _open_port(self) -> CablePort:
        await trio.lowlevel.checkpoint()
        return CablePort(self.cable)

    # -- what a body does --

    async def up(self, limit_s: float = 120) -> Session:
        """Wait until the proxy serves."""
        with trio.fail_after(limit_s):
            return await self.lifecycle.gate.wait_session()

    async def start(
        self,
        victim: str | Role = "upload",
        *,
        others: Sequence[str | Role] | None = None,
        moving: bool = True,
        payload: Callable[[int, str, int], bytes] = content,
    ) -> Connection:
        """Start the victim and the bystanders; return when all of them have moved bytes.

        Args:
            victim: what the victim does.
            others: what the bystanders do; the roles that the victim has not, by default.
            moving: wait until bytes move on all of them.
            payload: makes the bytes: (number, "up" or "down", size).
        """
        first = _role(victim)
        if others is None:
            others = [name for name in _ROLES if name != first.name]
        made = self.connect(first, victim=True, payload=payload)
        for other in others:
            self.connect(_role(other), payload=payload)
        if moving:
            for connection in self.connections:
                await connection.wait(_moving(connection))
        return made

    @property
    def victim(self) -> Connection:
        """The first victim."""
        return next(c for c in self.connections if c.victim)

    def connect(
        self,
        role: str | Role,
        *,
        victim: bool = False,
        host: str = FAR,
        reachable: bool = True,
        payload: Callable[[int, str, int], bytes] = content,
        traffic_class: Literal["interactive", "normal", "bulk"] = "normal",
    ) -> Connection:
        """Let a client connect; returns at once, the connection runs by itself.

        Args:
            role: what it does.
            victim: the fault is meant for it.
            host: of its far side.
            reachable: somebody listens there.
            payload: makes the bytes.
            traffic_class: ``class`` of its forward.
        """
        return self._add(
            self.connections, _role(role), victim, host, reachable, payload, traffic_class
        )

    def inject(self, name: str, **given: Any) -> SimpleNamespace:
        """Inject a fault of the box, with or without a trigger; nothing in the calm run.

        Returns:
            ``close()`` and ``lift()`` as those of ``FaultBox.add``.
        """
        if self.calm:
            return SimpleNamespace(close=lambda: None, lift=lambda: None)
        active = self.box.add(Fault(name, **given))
        return SimpleNamespace(close=active.close, lift=active.lift)

    def hurt(self, what: str, action: Callable[[], object]) -> None:
        """Do something to the world that is no fault of the box; nothing in the calm run."""
        if not self.calm:
            action()
            self._note_strike(Struck(trio.current_time(), what, ""))

    def cleared(self) -> None:
        """Say that the fault is over: N counts from here (rows that say "after ...")."""
        self.clear_at = trio.current_time()

    async def finish(self, limit_s: float = 400) -> None:
        """Wait until every connection is over; the harness does it too."""
        with trio.move_on_after(limit_s):
            for connection in self.connections:
                await connection.over.wait()

    async def link_of(self, connection: Connection, limit_s: float = 10) -> int:
        """Wait until a connection has a link, and return its number."""
        with trio.fail_after(limit_s):
            while connection.find_link() is None:  # noqa: ASYNC110
                await trio.sleep(0.01)
        return connection.link

    # -- inside --

    def _note_strike(self, struck: Struck) -> None:
        if self.struck_at is None:
            self.struck_at = trio.current_time()
        self.struck.set()

    def probe(self) -> Connection:
        """Let a small client connect, as one would that comes after the fault."""
        role = echo(rounds=2, size=300)
        return self._add(self.probes, role, False, FAR, True, content, "normal")

    def _add(
        self,
        among: list[Connection],
        role: Role,
        victim: bool,
        host: str,
        reachable: bool,
        payload: Callable[[int, str, int], bytes],
        traffic_class: Literal["interactive", "normal", "bulk"],
    ) -> Connection:
        number = len(self.connections) + 1 if among is self.connections else 500 + len(among)
        name = f"{role.name} {number}"
        made = Connection(number, name, role, victim=victim, payload=payload)
        made.find_link = partial(self._find_link, f"{host}:{_FIRST_PORT + number}")
        among.append(made)
        if reachable:
            self.internet.listen_tcp(host, _FIRST_PORT + number, made.run_far)
        self._nursery.start_soon(self._serve, made, host, traffic_class)
        return made

    def _find_link(self, target: str) -> int | None:
        session = self.lifecycle.gate.session
        links = {} if session is None else session.pool.links
        return next((n for n, link in links.items() if link.target == target), None)

    async def _serve(
        self,
        connection: Connection,
        host: str,
        traffic_class: Literal["interactive", "normal", "bulk"],
    ) -> None:
        upward, sending, receiving = self.setting.queues
        kernel = Kernel(upward=upward, sending=sending, receiving=receiving)
        port = _FIRST_PORT + connection.number
        forward = Forward(
            name="matrix",
            listen=Endpoint("127.0.0.1", 0),
            connect=Endpoint(host, port),
            traffic_class=traffic_class,
        )
        named = SimpleNamespace(getsockname=lambda: ("127.0.0.1", port))
        listener = cast(trio.SocketListener, SimpleNamespace(socket=named))
        served = TcpForward(forward, listener, self.lifecycle.gate, self.timeouts)
        socket = ClientSocket(kernel)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.run_client, socket)
            peer = ProxySocket(kernel, f"198.18.0.1:{connection.number}")
            await served.handle(peer)
            await connection.wait(lambda: False)
            nursery.cancel_scope.cancel()
        if socket.was_reset and connection.end == "FIN":
            connection.end = "RST"  # a reset behind the FIN: the program is told after all
        socket.close()
        connection.over.set()


def _role(role: str | Role) -> Role:
    return _ROLES[role]() if isinstance(role, str) else role


def _moving(connection: Connection) -> Callable[[], object]:
    """Bytes have arrived at the far side; and at the client, where much goes that way."""
    answered = connection.role.name != "upload"

    def moving() -> object:
        far = connection.fars[-1] if connection.fars else None
        return far and far.received and (connection.received or not answered)

    return moving

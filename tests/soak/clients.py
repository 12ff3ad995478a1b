"""Clients of a world: each through the product's own TCP forward to a far host of its own."""

from types import SimpleNamespace
from typing import Final, cast

import trio

from modemproxy.config import Forward
from modemproxy.config.checks import Endpoint
from modemproxy.emulator.far_stream import FarStream
from modemproxy.surfaces.tcp import TcpForward
from tests.soak.history import Connection, End, History
from tests.soak.host import ClientSocket, Kernel, ProxySocket
from tests.soak.plan import Plan, Round, Side
from tests.soak.programs import run_client, run_far
from tests.soak.stage import Stage

FAR: Final = "far.example.com"
#: Far ports are 20000 and up: with a digit lost they are nobody's.
_FIRST_PORT: Final = 20000
_PORTS: Final = 10000
_PROBE_EVERY_S: Final = 1.0
_PROBE_BYTES: Final = 100


class Clients:
    """Makes connections and writes them down.

    Attributes:
        count: how many there were; the number of the next one.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._far_scopes: list[trio.CancelScope] = []
        self.count = 0

    async def connect(self, plan: Plan, history: History) -> Connection:
        """Play one plan to its end."""
        await trio.sleep(plan.start_s)
        connection = Connection(
            plan.number,
            plan.kind,
            End(trio.current_time()),
            reachable=plan.reachable,
            half_close_s=plan.half_close_s,
            stalls=plan.stalls,
            close_on_fin=plan.close_on_fin,
        )
        history.connections.append(connection)
        if plan.reachable:
            self._listen(plan, connection)
        upward, sending, receiving = plan.queues
        kernel = Kernel(upward=upward, sending=sending, receiving=receiving)
        socket = ProxySocket(kernel, f"198.18.0.1:{plan.number}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._forward(plan).handle, socket)
            await run_client(ClientSocket(kernel), plan, connection)
        if plan.reachable:
            self._stage.internet.close_tcp(FAR, _port(plan))
        return connection

    def _listen(self, plan: Plan, connection: Connection) -> None:
        async def handler(far_stream: FarStream) -> None:
            with trio.CancelScope() as scope:
                self._far_scopes.append(scope)
                await run_far(far_stream, plan, connection)

        self._stage.internet.listen_tcp(FAR, _port(plan), handler)

    def _forward(self, plan: Plan) -> TcpForward:
        """The product's forward; only its listening socket is not there."""
        config = Forward(
            name="soak",
            listen=Endpoint("127.0.0.1", 0),
            connect=Endpoint(FAR, _port(plan)),
            traffic_class=plan.traffic_class,
            half_close_s=plan.half_close_s,
            on_client_fin="close" if plan.close_on_fin else "linger",
        )
        named = SimpleNamespace(getsockname=lambda: ("127.0.0.1", _port(plan)))
        listener = cast(trio.SocketListener, SimpleNamespace(socket=named))
        stage = self._stage
        return TcpForward(config, listener, stage.lifecycle.gate, stage.timeouts)

    async def probe_until_served(self, history: History) -> None:
        """Try a connection every second until one works, or for far too long.

        While others have all the links, and are served, the time does not count.
        """
        limit_s = history.recovery_limit_s + 60
        with trio.move_on_after(limit_s) as scope:
            while True:
                began = trio.current_time()
                connection = await self.connect(self._probe(), history)
                if len(connection.client.received) == _PROBE_BYTES:
                    history.serving_at = connection.client.arrivals[-1][0]
                    return
                if self._stage.full and history.arrived_at >= began:
                    history.clear_at = trio.current_time()
                    scope.deadline = history.clear_at + limit_s
                await trio.sleep(_PROBE_EVERY_S)

    def _probe(self) -> Plan:
        ask, answer = Round(_PROBE_BYTES), Round(_PROBE_BYTES, wait_for=_PROBE_BYTES)
        client = Side((ask,), "close", finish_after=_PROBE_BYTES)
        self.count += 1
        return Plan(self.count - 1, "probe", 0.0, client, Side((answer,)))

    def dismiss_far_hosts(self) -> None:
        """End the far programs that nothing else ends."""
        for scope in self._far_scopes:
            scope.cancel()
        self._far_scopes.clear()


def _port(plan: Plan) -> int:
    return _FIRST_PORT + plan.number % _PORTS

"""UDP clients of a forward in a world of the matrix, and the verdict on them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

import trio

from modemproxy.config import Forward
from modemproxy.config.checks import Endpoint
from modemproxy.emulator.memory import FarDatagrams
from modemproxy.surfaces.udp import UdpForward
from modemproxy.surfaces.udp_socket import HostPort, Peer
from tests.matrix.harness import extra_s, lines_of_last_run, other_dice
from tests.matrix.judge import fate, lies
from tests.matrix.rows import Case, Happened, Row
from tests.matrix.runs import Run, play
from tests.matrix.setting import BAUDRATE, Setting
from tests.matrix.traffic import echo
from tests.matrix.world import FAR, World
from tests.surfaces.udp_stand import FakePort, udp_forward
from tests.surfaces.udp_traffic import Asker, datagrams, wrongs

#: Dropped, and counted.
D: Final = "D"
CLIENTS: Final = 5
EACH: Final = 25
_PORT: Final = 5353
_IDLE_S: Final = 20.0
_SLACK_S: Final = 0.1


class UdpScene:
    """A UDP forward, its clients, and a far side that echoes.

    Attributes:
        w: the world.
        host: the forward's port on this host.
        forward: the product's.
        far: the far side.
        askers: the clients.
        problems: what a case found wrong beside U1 and U2.
    """

    def __init__(self, w: World) -> None:
        self.w = w
        self.host = FakePort()
        self.host.on_answer = self._hear
        named: Forward = udp_forward(
            name="udp", connect=Endpoint(FAR, _PORT), idle_timeout_s=_IDLE_S
        )
        self.forward = UdpForward(
            named, cast(HostPort, self.host), w.lifecycle.gate, w.timeouts
        )
        self.far: FarDatagrams = w.internet.listen_udp(FAR, _PORT, lambda data: [data])
        self.askers: list[Asker] = []
        self.problems: list[str] = []

    # -- what a case does --

    def asker(self, number: int, data: list[bytes] | None = None, **given: Any) -> Asker:
        """Add a client."""
        made = Asker(number, datagrams(number, EACH) if data is None else data, **given)
        self.askers.append(made)
        return made

    async def ask(self, *, outstanding: int = 2, patience_s: float = 2.0) -> None:
        """Let five clients ask all they have, at once, and wait for what comes late."""
        for number in range(CLIENTS):
            self.asker(number, outstanding=outstanding, patience_s=patience_s)
        async with trio.open_nursery() as nursery:
            for asker in self.askers:
                nursery.start_soon(asker.ask_all, partial(self.say, asker))

    async def say(self, asker: Asker, data: bytes) -> None:
        """Be a client that sends."""
        await trio.lowlevel.checkpoint()
        self.host.say(data, _peer(asker))

    @property
    def arrived(self) -> list[bytes]:
        """What the far side got."""
        return [data for data, _ in self.far.received]

    def expect(self, what: str, *, holds: bool) -> None:
        """Note a problem unless something holds."""
        if not holds:
            self.problems.append(what)

    # -- inside --

    def _hear(self, data: bytes, peer: Peer) -> None:
        next(asker for asker in self.askers if _peer(asker) == peer).note(data)

    async def play(self, body: Callable[..., Awaitable[None]], **given: Any) -> None:
        """Serve, have a connection beside, and let the case play."""
        async with trio.open_nursery() as handlers:
            accepting = trio.CancelScope()
            handlers.start_soon(self._serve, handlers, accepting)
            beside = self.w.connect(echo(rounds=60, size=300, pause_s=0.5))
            await beside.wait(lambda: beside.received)
            await body(self, **given)
            await self.w.finish()
            await trio.sleep(2 * _IDLE_S)  # sessions end, links go back, counts are final
            self.expect("sessions that never ended", holds=not self.forward.clients)
            accepting.cancel()

    async def _serve(self, handlers: trio.Nursery, accepting: trio.CancelScope) -> None:
        with accepting:
            await self.forward.serve(handlers)

    def verdict(self) -> list[str]:
        """Say what is wrong, once all is over."""
        found = self.problems + wrongs(self.askers, self.arrived)
        for connection in self.w.connections:
            found += lies(connection)
            if fate(connection) != "T":
                found.append(f"{connection.name}: {fate(connection)}")
        return found


def _peer(asker: Asker) -> Peer:
    return Peer((f"198.51.100.{asker.number + 1}", 1000 + asker.number))


def udp_case(
    body: Callable[..., Awaitable[None]], settings: Callable[[Case], Setting]
) -> Callable[[Row, Case], Happened]:
    """Make the runner of a row's cases: a calm run, one with the fault, and the verdict."""

    def run(row: Row, case: Case) -> Happened:
        setting = settings(case)
        setting = replace(setting, seed=setting.seed + other_dice[0])
        calm, before = _play(body, setting, case, calm=True)
        hurt, after = _play(body, setting, case, calm=False)
        lines_of_last_run[:] = hurt.log
        problems = [f"calm run: {each}" for each in (*calm.problems, *before.verdict())]
        problems += [*hurt.problems, *after.verdict()]
        took, limit = extra_s(hurt.world, calm.world), _limit_s(hurt, calm, case)
        if took > limit:
            problems.append(f"the connection beside took {took:.2f} s longer")
        sent = sum(len(asker.sent) for asker in after.askers)
        got = sum(len(asker.got) for asker in after.askers)
        return Happened(D, took, tuple(problems), f"{sent} asked, {got} answered")

    return run


def _play(
    body: Callable[..., Awaitable[None]], setting: Setting, case: Case, *, calm: bool
) -> tuple[Run, UdpScene]:
    scenes: list[UdpScene] = []

    async def act(w: World, **given: Any) -> None:
        scenes.append(UdpScene(w))
        await scenes[0].play(body, **given)

    run = play(act, setting, case, calm=calm, probe=False)
    return run, scenes[0]


def _limit_s(hurt: Run, calm: Run, case: Case) -> float:
    """N = 0: what the fault's own bytes take on the line, and a little."""
    on_the_line = max(0, hurt.bytes_out - calm.bytes_out) * 10 / BAUDRATE
    longest = max(c.duration_s for c in calm.world.connections)
    return case.limit_s + on_the_line + 0.05 * longest + _SLACK_S

"""A pool on the few-line module: clients of ours, far clients, and what must never be."""

import contextlib
from typing import cast

import trio

from modemproxy.at.tcpip import QueryLinks
from modemproxy.errors import CommandError, LinkRefused, NoFreeLink
from modemproxy.line.channel import AtChannel
from modemproxy.line.policy import Policy
from modemproxy.line.scheduler import Scheduler
from modemproxy.module.claims import Claim
from modemproxy.module.life import LineContext
from modemproxy.module.link import Link
from modemproxy.module.pool import LinkPool
from modemproxy.module.servers import FarClient, ServerPort

from .fake_module import OPEN_LIMIT_S, FakeModule, words

CLAIM = Claim("clients", "127.0.0.1")


class Talk:
    """A connection of ours, or a far client: it must hear its far side and nobody else."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.link: Link | None = None
        self.heard = bytearray()
        self.end = ""
        self.scope = trio.CancelScope()

    async def run(self, link: Link) -> None:
        """Say something, and listen until the link is over."""
        self.link = link
        try:
            await link.send_all(b"to %05d" % self.port)
            async for data in link:
                self.heard += data
                self.check()
            self.end = "clean"
        except trio.BrokenResourceError:
            self.end = "reset"

    def check(self) -> None:
        """Not a byte of anybody else, and none missing in between."""
        expected = words(self.port, len(self.heard) // 8 + 1)
        assert self.heard == expected[: len(self.heard)], (
            f"somebody else's bytes on link {self.link and self.link.number}"
        )


class Story:
    """One run of the pool."""

    def __init__(self, nursery: trio.Nursery, *, servers: bool = True) -> None:
        self.nursery = nursery
        self.module = FakeModule()
        self.scheduler = Scheduler(cast(AtChannel, self.module), Policy(115200))
        self.context = LineContext(self.scheduler)
        self.talks: list[Talk] = []
        self.far: list[Talk] = []
        self.refusals: list[str] = []
        self.port = 10000
        self.pool = self.module.pool = LinkPool(
            self.context,
            open_limit_s=OPEN_LIMIT_S,
            servers=(ServerPort(0, 8080, "web"),) if servers else (),
            on_far_client=self.on_far_client,
        )
        nursery.start_soon(self.pool.quarantine.clean_forever)
        nursery.start_soon(self.scheduler.run)

    # -- clients --

    def new_port(self) -> int:
        """A far side nobody else has."""
        self.port += 1
        return self.port

    def start_client(self, claim: Claim = CLAIM) -> Talk:
        """A client of ours comes."""
        talk = Talk(self.new_port())
        self.talks.append(talk)
        self.nursery.start_soon(self._client, talk, claim)
        return talk

    async def _client(self, talk: Talk, claim: Claim) -> None:
        with talk.scope:
            try:
                opening = self.pool.open("host", talk.port, claim=claim, queue_s=5)
                async with opening as link:
                    await talk.run(link)
                    await trio.sleep_forever()  # it does not look at the end
            except (NoFreeLink, LinkRefused) as error:
                talk.end = str(error)
                self.refusals.append(str(error))
        talk.link = None
        self.talks.remove(talk)

    def on_far_client(self, far: FarClient) -> None:
        """Serve a far client."""
        talk = Talk(far.port)
        talk.link = far.link
        self.far.append(talk)
        self.nursery.start_soon(self._serve, talk, far)

    async def _serve(self, talk: Talk, far: FarClient) -> None:
        with talk.scope:
            await talk.run(far.link)
        far.link.abort()
        talk.link = None

    def come_in_unheard(self, number: int) -> None:
        """A far client comes in, and its ``+CLIENT`` is lost, or late."""
        is_free = number in self.pool.numbers.free and self.module.can_accept(number)
        if is_free and self.pool.far_clients.expected:
            self.module.accept(number, self.new_port(), told=False)

    async def sweep(self) -> None:
        """Look for far clients as the health watch does."""
        if self.pool.far_clients.expected:
            with contextlib.suppress(CommandError):
                states = await self.scheduler.execute(QueryLinks())
                await self.pool.far_clients.look_for(states)

    def tell_late(self) -> None:
        """Reports of far clients that nobody has heard of come at last."""
        for number, socket in list(self.module.sockets.items()):
            if socket.server >= 0 and not socket.told:
                self.module.tell_client(number, socket.port)

    # -- time, and what must hold --

    async def pause(self, seconds: float) -> None:
        """Let time pass; the module keeps its own time-outs."""
        end = trio.current_time() + seconds
        while trio.current_time() < end:
            await trio.sleep(min(1.0, end - trio.current_time()))
            self.module.time_out_opens()
            self.check()

    def check(self) -> None:
        """Nobody shares a number, and every byte reached whom it was for."""
        used = [
            talk.link.number
            for talk in (*self.talks, *self.far)
            if talk.link is not None and not talk.end and not talk.link.far_closed
        ]
        assert len(used) == len(set(used)), "two owners of one number"
        assert not self.pool.numbers.free & set(used)
        for socket in self.module.all:
            mine = b"to %05d" % socket.port
            assert bytes(socket.heard) in (mine[: len(socket.heard)], b""), f"crossed: {socket}"

    def state(self) -> str:
        """What is not settled, for the message of a test that fails."""
        pool, module = self.pool, self.module
        return (
            f"links {pool.links}, openings {pool.openings}, "
            f"cleanings {pool.quarantine._cleanings}, sockets {module.sockets}, "
            f"pending {module.pending}"
        )

    async def finish(self) -> None:
        """Everybody leaves: in the end all is closed and free."""
        for talk in (*self.talks, *self.far):
            talk.scope.cancel()
        self.module.loses_close_results = self.module.slow_closes = False
        for _ in range(20):
            await self.pause(10)
            self.module.finish_closes()
            for number in self.module.sockets:  # as the sweep would
                if number in self.pool.numbers.free and self.pool.far_clients.expected:
                    self.module.tell_client(number, self.module.sockets[number].port)
            for talk in self.far:
                talk.scope.cancel()
        assert self.pool.settled, self.state()
        assert self.talks == []
        assert not self.module.sockets, self.state()
        assert not self.module.pending, self.state()

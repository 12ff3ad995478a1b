"""A session on an emulated module over memory streams, ready to be tormented."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import trio
import trio.testing

from modemproxy.config import ModemConfig
from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.memory import MemoryInternet
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.errors import ModemProxyError, first_error
from modemproxy.journal import Event, Journal
from modemproxy.line.channel import AtChannel, open_channel
from modemproxy.line.port import StreamPort
from modemproxy.module.bringup import Readiness, bring_up
from modemproxy.module.claims import Claim
from modemproxy.module.habits import Habits
from modemproxy.module.link import Link
from modemproxy.module.pool import turn_away
from modemproxy.module.servers import FarClient, ServerPort
from modemproxy.module.session import Session
from modemproxy.module.state import StateStore

EventT = TypeVar("EventT", bound=Event)

FAR: Final = "far.example.com"
CLAIM: Final = Claim("test", "127.0.0.1")
#: Every byte value, and what a careless parser would take for the module's own words.
HOSTILE: Final = (
    bytes(range(256))
    + b"\r\nOK\r\n\r\nERROR\r\n\r\n> \r\n+IPCLOSE: 9,1\r\n+++\x1a\x1b\x00\x00\x00"
    + b"\r\n+CIPRXGET: 2,9,5,0\r\nhello\r\nOK\r\n+CIPSEND: 9,10,10\r\nAT+NETCLOSE\r\n"
)


class ChoppedPort(StreamPort):
    """A line that hands bytes over in small pieces."""

    def __init__(self, stream: trio.abc.Stream, size: int | None) -> None:
        super().__init__(stream)
        self._size = size

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """At most so many bytes at a time."""
        return await super().receive_some(self._size)


class Far:
    """A far host that notes what it gets; ``play`` says what it does."""

    def __init__(self) -> None:
        self.streams: list[FarStream] = []
        self.received: list[bytearray] = []
        self.ended: list[bool] = []

    async def read_to_end(self, stream: FarStream) -> bytes:
        """Take everything the module sends; note an orderly end."""
        index = len(self.streams)
        self.streams.append(stream)
        self.received.append(bytearray())
        self.ended.append(False)
        async for data in stream:
            self.received[index] += data
        self.ended[index] = True
        return bytes(self.received[index])


class Rig:
    """A module, its far side, and a running session."""

    def __init__(self, nursery: trio.Nursery, internet: MemoryInternet) -> None:
        self.nursery = nursery
        self.internet = internet
        self.far = Far()
        self.module: EmulatedModule
        self.channel: AtChannel
        self.readiness: Readiness
        self.journal = Journal(trio.current_time)
        self.session: Session
        self.failure: BaseException | None = None
        self.ended = trio.Event()

    def link(
        self, host: str = FAR, port: int = 7, *, queue_s: float = 10, claim: Claim = CLAIM
    ) -> AbstractAsyncContextManager[Link]:
        """Open a link."""
        return self.session.open_link(host, port, claim=claim, queue_s=queue_s)

    def listen(
        self, handler: Callable[[FarStream], Awaitable[None]], port: int = 7, host: str = FAR
    ) -> None:
        """Have a far host do something."""
        self.internet.listen_tcp(host, port, handler)

    def sink(self, port: int = 9) -> Far:
        """Have a far host that only reads."""
        far = Far()

        async def handler(stream: FarStream) -> None:
            await far.read_to_end(stream)

        self.listen(handler, port)
        return far

    def events(self, kind: type[EventT]) -> list[EventT]:
        """All events of a kind, oldest first."""
        return [event for event in self.journal.events() if isinstance(event, kind)]

    async def settle(self) -> None:
        """Wait until no number is in use or in quarantine any more."""
        await until(lambda: self.session.pool.settled, 200)
        assert self.module.dce.stack.any_open() == []

    async def run_session(self, channel: AtChannel) -> None:
        """Run the session; note why it ended."""
        self.channel = channel
        try:
            await self.session.run()
        except* ModemProxyError as group:
            self.failure = first_error(group)
        finally:
            self.ended.set()


async def until(condition: Callable[[], object], limit_s: float) -> None:
    """Wait, in virtual time, for something that has no event."""
    with trio.fail_after(limit_s):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


async def echo(stream: FarStream) -> None:
    """RFC 862."""
    async for data in stream:
        await stream.send_all(data)


@asynccontextmanager
async def rig(
    *,
    chop: int | None = None,
    connect_s: float = 30,
    stall_s: float = 300,
    complaints: bool = False,
    limit_s: float = 3600,
    prepare: Callable[[EmulatedModule], None] = lambda module: None,
    state: StateStore | None = None,
    modem: ModemConfig | None = None,
    servers: Sequence[ServerPort] = (),
    reserve: Mapping[str, int] | None = None,
    on_far_client: Callable[[FarClient], None] = turn_away,
    seed: int = 0,
    window_bytes: int = 65536,
    **options: Any,
) -> AsyncIterator[Rig]:
    """Bring an emulated module up and run a session on it.

    Args:
        chop: hand the module's bytes over in pieces of this size.
        connect_s, stall_s: as the session takes them.
        complaints: the module may have some in the end.
        limit_s: virtual seconds that the whole may take.
        prepare: called with the module before it is plugged in.
        state, modem: for bring-up.
        servers, reserve, on_far_client: for the session.
        seed: the module's.
        window_bytes: of far hosts.
        options: fields of the emulator's Profile.
    """
    options.setdefault("command_latency_s", 0.005)
    with trio.fail_after(limit_s):
        async with trio.open_nursery() as nursery:
            r = Rig(nursery, MemoryInternet(nursery, window_bytes=window_bytes))
            r.listen(echo)
            r.module = EmulatedModule(Profile(**options), internet=r.internet, seed=seed)
            prepare(r.module)
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(r.module.serve, theirs)
            habits = Habits()
            async with open_channel(ChoppedPort(ours, chop)) as channel:
                r.readiness = await bring_up(
                    channel,
                    modem or ModemConfig(port="/dev/emulated", apn="internet"),
                    connect_s=connect_s,
                    state=state or StateStore(Path("/proc/none"), "emulated"),
                    habits=habits,
                )
                r.session = Session(
                    channel,
                    r.readiness,
                    connect_s=connect_s,
                    stall_s=stall_s,
                    journal=r.journal,
                    habits=habits,
                    reserve=reserve,
                    servers=servers,
                    on_far_client=on_far_client,
                )
                async with trio.open_nursery() as session:
                    session.start_soon(r.run_session, channel)
                    yield r
                    session.cancel_scope.cancel()
            nursery.cancel_scope.cancel()
    if not complaints:
        assert r.module.complaints == []


async def exchange(link: Link, data: bytes) -> bytes:
    """Send to an echo and return as many bytes as come back, checking for excess."""
    got = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.send_all, data)
        while len(got) < len(data):
            chunk = await link.receive_some()
            assert chunk, f"the end after {len(got)} of {len(data)} bytes"
            got += chunk
    await link.wait_delivered()
    return bytes(got)


async def read_all(link: Link) -> bytes:
    """Read to the clean end."""
    got = bytearray()
    while data := await link.receive_some():
        got += data
    return bytes(got)


logging.getLogger("modemproxy").setLevel(logging.DEBUG)

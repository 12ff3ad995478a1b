"""The watches of a session on a line and a pool of a few lines, with answers to choose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import trio

from modemproxy.at.commands import Command
from modemproxy.at.results import Dialect, Failure, Refused
from modemproxy.at.subscription import Signal
from modemproxy.errors import ModemProxyError
from modemproxy.line.scheduler import Scheduler
from modemproxy.module.claims import Claim
from modemproxy.module.health import Health
from modemproxy.module.opens import OpenRecord, Patience
from modemproxy.module.pool import LinkPool
from modemproxy.module.stalls import StallWatch

ReplyT = TypeVar("ReplyT")

ADDRESS = "10.1.2.3"
REFUSED = Failure(Dialect.BARE, None, "ERROR")
NET_CLOSED = Failure(Dialect.IP_ERROR, 8, "Network not opened")


class FakeLink:
    """As much of a link as its health is judged by."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.target = f"far.example.com:{1000 + number}"
        self.far_closed = False
        self.closes: list[int] = []
        self.inbound = SimpleNamespace(data_at=trio.current_time())
        self.outbound = SimpleNamespace(stuck_since=None)

    def note_far_close(self, reason: int, *, heard: bool) -> None:
        """Note it; the sweep only finds out what was not heard."""
        assert not heard
        self.closes.append(reason)
        self.far_closed = True

    def stick(self) -> None:
        """Nothing is acknowledged from now on."""
        self.outbound.stuck_since = trio.current_time()


class HealthBench:
    """A module that answers as told, and what was asked of it.

    Attributes:
        answers: by the command's text; an exception is raised, a list is used up.
        asked: (time since the start, the command, its limit).
        failures: (time since the start, what broke).
        probes: (time since the start, the far side) of connections that were tried.
        open_outcome: what becomes of them; None is success, ``...`` never ends.
    """

    def __init__(self) -> None:
        self.start = trio.current_time()
        self.answers: dict[str, Any] = {
            "+CIPRXGET?": 1,
            "+NETOPEN?": True,
            "+CIPCLOSE?": (False,) * 10,
            "+IPADDR": ADDRESS,
            "+CEREG?": 1,
            "+CGREG?": 1,
            "+CPIN?": "READY",
            "+CSQ": Signal(20, 99),
        }
        self.asked: list[tuple[float, str, float | None]] = []
        self.failures: list[tuple[float, ModemProxyError]] = []
        self.probes: list[tuple[float, str]] = []
        self.open_outcome: Any = None
        self.links: dict[int, FakeLink] = {}
        self.opens = OpenRecord()
        self.far_clients = self
        self.numbers = SimpleNamespace(count=10)
        self.expected = False
        self.looked_for: list[tuple[bool, ...]] = []
        self.health = Health(
            cast(Scheduler, self), cast(LinkPool, self), ADDRESS, self.note_failure
        )

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return trio.current_time() - self.start

    def note_failure(self, failure: ModemProxyError) -> None:
        """Note what broke; the watch goes on, as it does until the session is over."""
        self.failures.append((self.now, failure))

    # -- as the scheduler --

    async def execute(
        self, command: Command[ReplyT], *, limit_s: float | None = None
    ) -> ReplyT:
        """Answer as told."""
        self.asked.append((self.now, command.text, limit_s))
        await trio.sleep(0.01)
        answer = self.answers[command.text]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Failure):
            raise Refused(command.shown, answer)
        if isinstance(answer, ModemProxyError):
            raise answer
        return cast(ReplyT, answer)

    # -- as the pool --

    async def look_for(self, states: tuple[bool, ...]) -> None:
        """Note what was found out about links."""
        self.looked_for.append(states)

    @property
    def streams(self) -> list[FakeLink]:
        """All of them are TCP."""
        return list(self.links.values())

    @property
    def heard_at(self) -> float:
        """When something last came in."""
        return max((link.inbound.data_at for link in self.streams), default=-inf)

    @asynccontextmanager
    async def open(
        self, host: str, port: int, *, claim: Claim, queue_s: float
    ) -> AsyncIterator[None]:
        """Open, or not, as told."""
        self.probes.append((self.now, f"{host}:{port}"))
        await trio.sleep(0.1)
        if self.open_outcome is ...:
            await trio.sleep_forever()
        if callable(self.open_outcome):
            self.open_outcome()
        elif self.open_outcome is not None:
            raise self.open_outcome
        yield

    # -- for tests --

    def add_links(self, *numbers: int) -> list[FakeLink]:
        """Have links."""
        made = [FakeLink(number) for number in numbers]
        self.links |= {link.number: link for link in made}
        self.say_open(*self.links)
        return made

    def say_open(self, *numbers: int) -> None:
        """Have CIPCLOSE? list these."""
        self.answers["+CIPCLOSE?"] = tuple(number in numbers for number in range(10))

    def times(self, text: str) -> list[float]:
        """When a command was asked."""
        return [round(at, 1) for at, asked, _ in self.asked if asked == text]

    @property
    def texts(self) -> list[str]:
        """All that was asked."""
        return [text for _, text, _ in self.asked]

    @property
    def words(self) -> list[str]:
        """What broke, in words."""
        return [str(failure) for _, failure in self.failures]


@asynccontextmanager
async def watching() -> AsyncIterator[HealthBench]:
    """Run the usual watch."""
    async with trio.open_nursery() as nursery:
        bench = HealthBench()
        nursery.start_soon(bench.health.watch)
        yield bench
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def watching_stalls() -> AsyncIterator[HealthBench]:
    """Run the watch for stalls."""
    await trio.sleep(1)  # no clock that counts says 0
    async with trio.open_nursery() as nursery:
        bench = HealthBench()
        pool = cast(LinkPool, bench)
        nursery.start_soon(StallWatch(pool, Patience(), bench.note_failure).watch)
        yield bench
        nursery.cancel_scope.cancel()

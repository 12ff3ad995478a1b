"""Usage: bytes count as they move, whoever moves them; and what a cap does."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from modemproxy.config import Usage as Rules
from modemproxy.journal import Journal
from modemproxy.operate.clock import ClockWatch
from modemproxy.operate.program import Program
from modemproxy.operate.usage import CapLifted, CapNear, CapReached, Usage
from modemproxy.operate.usage_command import lines
from modemproxy.surfaces.access import Access
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.visit import Visit

pytestmark = pytest.mark.timeout(60)

NOON = datetime(2026, 3, 31, 12).astimezone()
UNSET = datetime(1970, 1, 1, 0, 5).astimezone()


class Books:
    """Usage of a program that has a roster and listeners with caps, and nothing else.

    Attributes:
        now: the local time.
        caps: by listener, in bytes.
        usage: what is tested.
    """

    def __init__(self, folder: Path, rules: Rules, **caps: int) -> None:
        self.now, self.roster, self.journal = NOON, Roster(), Journal()
        self.surfaces = [
            SimpleNamespace(name=name, access=Access(allow=(), max_clients=0, max_per_client=0))
            for name in caps
        ]
        limits = [SimpleNamespace(name=name, cap=cap) for name, cap in caps.items()]
        self.config = SimpleNamespace(usage=rules, forwards=limits, servers=(), proxies=())
        self.servers = SimpleNamespace(desks=[])
        self.lifecycle = SimpleNamespace(journal=self.journal)
        self.on_reload: list[Callable[[], None]] = []
        self.capped = ""
        self.folder = folder
        self.usage = self.run_anew()

    def run_anew(self) -> Usage:
        """What the next run of the program has: nobody inside yet, and the same file."""
        self.roster = Roster()
        for each in self.surfaces:
            each.access.capped = ""
        path = self.folder / "port.usage"
        return Usage(cast("Program", self), path, lambda: self.now)

    def closed(self, name: str) -> str:
        """Why a listener lets nobody in."""
        accesses = {each.name: each.access for each in self.surfaces}
        why: str = accesses[name].capped
        return why

    def kinds(self) -> list[type]:
        """What the journal was told."""
        return [type(event) for event in self.journal.events()]

    @asynccontextmanager
    async def inside(self, surface: str) -> AsyncIterator[Visit]:
        """Have somebody inside, until he leaves or is kicked."""
        visit, leave = Visit(surface, "198.51.100.7:5", "far:1"), trio.Event()

        async def stay() -> None:
            with self.roster.recorded(visit):
                await leave.wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stay)
            await wait_all_tasks_blocked()
            yield visit
            leave.set()


def stop(period: Literal["day", "month"] = "day", **more: Any) -> Rules:
    return Rules(action="stop", period=period, **more)


async def test_bytes_of_a_listener_that_is_gone_count_on(tmp_path: Path) -> None:
    books = Books(tmp_path, Rules(), far=0)
    async with books.inside("far") as visit, books.inside("connect") as tunnel:
        visit.traffic.up = 10
        books.usage.look()
        books.surfaces.clear()  # a reload removed it; who is inside may finish
        visit.traffic.up, visit.traffic.down, tunnel.traffic.down = 15, 7, 4
        books.usage.look()
        books.usage.look()
        assert books.usage.ledger.days["2026-03-31"] == {"far": [15, 7], "connect": [0, 4]}
        visit.traffic.up = 18
    books.usage.look()
    assert books.usage.ledger.days["2026-03-31"] == {"far": [18, 7], "connect": [0, 4]}


async def test_a_cap_opens_again_when_its_day_is_over(tmp_path: Path) -> None:
    books = Books(tmp_path, stop(), far=100, other=0)
    async with books.inside("far") as visit, books.inside("other") as free:
        visit.traffic.up, free.traffic.up = 80, 5000
        books.usage.look()
        assert books.kinds() == [CapNear]
        visit.traffic.down = 20
        books.usage.look()
        books.usage.look()
    assert (visit.cause, free.cause) == ("KQ", "--")
    assert books.closed("far") == "the cap of far for this day is used up"
    assert not books.closed("other")
    books.now += timedelta(hours=11, minutes=59)
    books.usage.look()
    assert books.closed("far")
    books.now += timedelta(minutes=1)
    books.usage.look()
    assert not books.closed("far")
    assert books.kinds() == [CapNear, CapReached, CapLifted]
    assert "far: clients are let in again" in books.journal.events()[-1].text


async def test_a_cap_holds_across_a_restart(tmp_path: Path, autojump_clock: MockClock) -> None:
    books = Books(tmp_path, stop("month", billing_day=15), far=100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(books.usage.run)
        async with books.inside("far") as visit:
            visit.traffic.up = 101
            await trio.sleep(3)
        assert visit.cause == "KQ"
        nursery.cancel_scope.cancel()
    books.now = NOON + timedelta(days=14)
    books.run_anew().look()
    assert books.closed("far") == "the cap of far for this month is used up"
    books.now = NOON + timedelta(days=15)  # the 15th of April
    books.run_anew().look()
    assert not books.closed("far")


async def test_the_cap_of_all_is_everybodys(tmp_path: Path) -> None:
    books = Books(tmp_path, stop(cap=100), far=0, other=90)
    async with (
        books.inside("far") as far,
        books.inside("connect") as tunnel,
        books.inside("removed") as removed,
    ):
        far.traffic.up, tunnel.traffic.up, removed.traffic.up = 40, 30, 30
        books.usage.look()
    assert far.cause == tunnel.cause == removed.cause == "KQ"
    why = "the cap of all listeners for this day is used up"
    assert books.closed("far") == books.closed("other") == books.capped == why
    books.config.usage = stop(cap=200)
    [reloaded] = books.on_reload
    reloaded()
    assert books.closed("far") == books.closed("other") == books.capped == ""
    assert books.kinds() == [CapReached, CapLifted]


async def test_a_clock_that_is_set_late_and_wrong_costs_no_byte(tmp_path: Path) -> None:
    books = Books(tmp_path, stop(), far=1000)
    async with books.inside("far") as visit:
        for now in (UNSET, NOON - timedelta(days=3), UNSET, NOON + timedelta(days=9000), NOON):
            books.now = now
            visit.traffic.up += 50
            books.usage.look()
    told = books.usage.told()
    assert sum(page["far"][0] for page in told["days"].values()) == 250
    assert not told["unbooked"]
    assert not books.closed("far")


async def test_while_the_clock_is_not_set_a_cap_is_for_what_moves_meanwhile(
    tmp_path: Path,
) -> None:
    books = Books(tmp_path, stop(), far=1000)
    async with books.inside("far") as visit:
        visit.traffic.up = 1000
        books.usage.look()
        assert books.closed("far")
        books.now = UNSET
        books.usage.look()
        assert not books.closed("far")
        visit.traffic.up = 1500
        books.usage.look()
        told = books.usage.told()
        assert not told["clock_set"]
        assert told["unbooked"] == {"far": [500, 0]}
        assert list(lines(told))[-2] == (
            "the clock is not set: 500 B up 0 B down belong to no day yet"
        )
        visit.traffic.up = 2000
        books.usage.look()
        assert books.closed("far")


async def test_the_file_is_written_soon_and_then_once_a_minute(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    books, written = Books(tmp_path, Rules(), far=0), []
    async with trio.open_nursery() as nursery, books.inside("far") as visit:
        nursery.start_soon(books.usage.run)
        for _ in range(300):
            visit.traffic.up += 1
            await trio.sleep(1)
            if (path := tmp_path / "port.usage").exists():
                written.append(path.read_text())
        nursery.cancel_scope.cancel()
    assert len(written) > 295
    assert len(set(written)) in (5, 6)


async def test_where_nothing_can_be_written_it_is_said_once(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    books = Books(tmp_path / "no", Rules(), far=0)
    async with trio.open_nursery() as nursery, books.inside("far") as visit:
        nursery.start_soon(books.usage.run)
        for _ in range(300):
            visit.traffic.up += 1
            await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert caplog.text.count("usage is not kept") == 1
    assert books.usage.ledger.used("day", NOON) == 300


def test_a_clock_that_is_set_is_an_event() -> None:
    wall, even, journal = [100.0], [100.0], Journal()
    watch = ClockWatch(journal, lambda: wall[0], lambda: even[0])
    for by in (0, 2, 0.5, 1_700_000_000, 2, -3600, 2):
        even[0] += 2
        wall[0] += by
        watch.look()
    texts = [event.text for event in journal.events()]
    assert [text[: text.index(":")] for text in texts] == [
        "the clock was set forward by 19676 d",
        "the clock was set back by 60 min",
    ]

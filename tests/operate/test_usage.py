"""Usage: bytes count as they move, whoever moves them; and what a cap does."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
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
from tests.surfaces.backends import backend
from tests.surfaces.backends import echo as backend_echo
from tests.surfaces.stand import FAR, end_of, until

from .steered import echo, forward, forwards, send_and_take, steered, tell

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


async def test_what_moves_is_counted_as_it_moves(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward(), forward("other"))) as s:
        s.play(80, echo)
        client = await s.client()
        await send_and_take(client, bytes(5000))
        told = (await s.ask("usage"))["usage"]
        assert told["days"][told["day"]] == {"far": [5000, 5000]}
        await send_and_take(client, bytes(100))
        await send_and_take(await s.client("other"), bytes(7))
        told = (await s.ask("usage"))["usage"]
        month = told["months"][told["month"]]
        assert month == {"far": [5100, 5100], "other": [7, 7]}
        shown = list(lines(told))
        assert any(line.startswith("far") and "5.1 kB up 5.1 kB down" in line for line in shown)


async def test_a_cap_that_stops(patient_clock: MockClock, tmp_path: Path) -> None:
    usage = "usage: {action: stop, period: day}\n"
    async with steered(tmp_path, usage + forwards(forward(cap=10_000), forward("other"))) as s:
        s.play(80, echo)
        capped, free = await s.client(), await s.client("other")
        await send_and_take(capped, bytes(4500))
        await trio.sleep(3)
        await send_and_take(capped, bytes(1000))
        assert (await end_of(capped))[1] == "RST"
        assert (await end_of(await s.client()))[1] == "RST"
        assert await send_and_take(free, b"hello") == b"hello"
        surface = (await s.surfaces())["far"]
        assert not surface["enabled"]
        assert surface["why_not"] == "the cap of far for this day is used up"
        assert surface["causes"] == {"KD": 1}
        kinds = [told["kind"] for told in (await s.ask("events"))["events"]]
        assert kinds.count("CapNear") == kinds.count("CapReached") == 1
        # a higher cap lets clients in again
        await s.reload(usage + forwards(forward(cap=100_000), forward("other")))
        await trio.sleep(3)
        assert await send_and_take(await s.client(), b"again") == b"again"


async def test_a_cap_of_all_that_only_warns(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, "usage: {cap: 1k}\n" + forwards(forward())) as s:
        s.play(80, echo)
        client = await s.client()
        await send_and_take(client, bytes(2000))
        await trio.sleep(10)
        assert await send_and_take(client, b"still") == b"still"
        reached = [
            told["text"]
            for told in (await s.ask("events"))["events"]
            if told["kind"] == "CapReached"
        ]
        assert reached == [
            "usage of all listeners: this month's 1000 bytes are used up, going on"
        ]


async def test_the_file_is_written_at_the_end(patient_clock: MockClock, tmp_path: Path) -> None:
    async with steered(tmp_path, forwards(forward())) as s:
        s.play(80, echo)
        await send_and_take(await s.client(), bytes(3000))
    [file] = list(tmp_path.rglob("*.usage"))  # noqa: ASYNC240 - it is over
    [page] = json.loads(file.read_text())["days"].values()
    assert page == {"far": [3000, 3000]}


async def test_a_cap_stops_udp_clients_and_those_of_connect(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    text = "usage: {cap: 5k, action: stop}\n" + forwards(forward(protocol="udp", far_port=53))
    async with steered(tmp_path, text) as s:
        s.internet.listen_udp(FAR, 53, lambda data: [data])
        s.play(80, echo)
        client = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
        await client.connect(("127.0.0.1", s.ports["far"]))
        async with s.caller() as tunnel:
            assert (await tell(tunnel, "connect", host=FAR, port=80))["ok"]
            for _ in range(3):
                await client.send(bytes(1000))
                assert len(await client.recv(2000)) == 1000
            await until(lambda: s.ports and not s.module.dce.stack.any_open(), 10)
            assert await tunnel.receive_some(1) == b""
        await client.send(bytes(1000))
        with trio.move_on_after(5) as waited:
            await client.recv(2000)
        assert waited.cancelled_caught
        client.close()
        async with s.caller() as late:
            answer = await tell(late, "connect", host=FAR, port=80)
        why = "the cap of all listeners for this month is used up"
        assert answer == {"ok": False, "error": why}
        told = (await s.ask("usage"))["usage"]
        assert told["months"][told["month"]]["far"] == [3000, 3000]
        refused = [each["text"] for each in (await s.ask("events"))["events"]][-1]
        assert refused.startswith("far: 127.0.0.1:")
        assert refused.endswith(f"refused: {why}")


async def test_a_cap_stops_far_clients_of_a_server(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with backend(backend_echo) as b:
        server = (
            f"servers:\n  - {{name: a, port: 8001, connect: '{b.where}', "
            "allow: [0.0.0.0/0], cap: 4k}\n"
        )
        async with steered(tmp_path, "usage: {action: stop}\n" + server) as s:
            await until(lambda: s.module.dce.stack.servers, 20)
            await trio.sleep(1)
            far = s.internet.connect_to_server(8001)
            await far.send_all(bytes(2500))
            got = b""
            with suppress(trio.BrokenResourceError):
                while data := await far.receive_some(4096):
                    got += data
            assert got == bytes(2500)
            assert (await s.surfaces())["a"]["causes"] == {"KD": 1}
            assert (await s.surfaces())["a"]["why_not"] == (
                "the cap of a for this month is used up"
            )

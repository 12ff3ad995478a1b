"""The admin socket's ``events``: asked for, followed, by the slow and by those who leave."""

import json
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.journal import Journal, LinkBroken, ModuleDown
from modemproxy.operate.admin import Caller
from modemproxy.operate.chronicle import Chronicle
from modemproxy.operate.events_request import telling
from tests.surfaces.stand import until

from .steered import echo, forward, forwards, hear, steered, tell

pytestmark = pytest.mark.timeout(60)


async def test_events_are_asked_for_and_followed(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    async with steered(tmp_path, forwards(forward(max_clients=1))) as s:
        s.play(80, echo)
        answer = await s.ask("events")
        kinds = [told["kind"] for told in answer["events"]]
        assert kinds[0] == "ProgramStarted"
        assert "ModuleUp" in kinds
        async with s.caller() as stream:
            first = await tell(stream, "events", count=1, follow=True)
            assert len(first["events"]) == 1
            await s.client()
            await s.client()  # one too many
            told = (await hear(stream))["event"]
            assert told["kind"] == "ClientsRefused"
            assert "max_clients (1) reached" in told["text"]
        for wrong in ({"count": -1}, {"count": True}, {"since": "noon"}, {"since": True}):
            assert not (await s.ask("events", **wrong))["ok"]
        assert not (await s.ask("events", follow=1))["ok"]
        for late in (10**400, float("inf"), float("nan")):
            assert await s.ask("events", since=late) == {"ok": True, "events": []}


class Watched(Chronicle):
    """Knows who listens."""

    @property
    def followers(self) -> int:
        """How many do."""
        return len(self._listeners)


async def follow(chronicle: Chronicle, theirs: trio.SocketStream) -> None:
    """Answer a caller who wants to follow."""
    async with theirs:
        handler = telling(chronicle)["events"]
        await handler({"count": 0, "follow": True}, Caller(theirs, "test"))


def socket_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    """A caller, and the proxy's end."""
    ours, theirs = trio.socket.socketpair()
    return trio.SocketStream(ours), trio.SocketStream(theirs)


async def test_who_leaves_is_forgotten_though_nothing_happens(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    chronicle = Watched(tmp_path / "port")
    async with trio.open_nursery() as nursery:
        ours, theirs = socket_pair()
        nursery.start_soon(follow, chronicle, theirs)
        assert await hear(ours) == {"ok": True, "events": []}
        await ours.send_eof()  # as the command does: it still listens
        await trio.sleep(60)
        assert chronicle.followers == 1
        await ours.aclose()
        await until(lambda: chronicle.followers == 0, 15)


async def test_a_slow_follower_misses_some_and_is_told(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    chronicle, journal = Watched(tmp_path / "port"), Journal()
    chronicle.attach(journal)
    async with trio.open_nursery() as nursery:
        ours, theirs = socket_pair()
        nursery.start_soon(follow, chronicle, theirs)
        await hear(ours)
        for number in range(500):
            journal.record(LinkBroken(9, "far:1", str(number)))
        heard = [await hear(ours) for _ in range(100)]
        journal.record(ModuleDown("the last one"))
        while "the last one" not in heard[-1]["event"]["text"]:
            heard.append(await hear(ours))
        await ours.aclose()
    chronicle.close()
    assert [each["event"]["text"][-1] for each in heard[:10]] == list("0123456789")
    assert sum(each.get("missed", 0) for each in heard) + len(heard) == 501
    assert len(heard) < 250


async def test_reading_a_full_store_lets_others_have_their_turn(
    patient_clock: MockClock, tmp_path: Path
) -> None:
    told = {"at": 5.5, "kind": "Old", "level": "info", "text": "x" * 60}
    (tmp_path / "port.events").write_bytes(4000 * (json.dumps(told).encode() + b"\n"))
    chronicle, turns = Chronicle(tmp_path / "port"), 0
    ours, theirs = socket_pair()

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with ours, theirs, trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await telling(chronicle)["events"]({"since": 6}, Caller(theirs, "test"))
        nursery.cancel_scope.cancel()
    assert turns >= 35

"""A network that is dead without a word is noticed, and a far side that is down is not it."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.faults import FaultBox
from modemproxy.errors import LinkRefused
from modemproxy.journal import RungTaken
from modemproxy.module.opens import OpenRecord, Patience

from .rig import FAR, HOSTILE, exchange
from .service import Service, serving

pytestmark = pytest.mark.timeout(30)
SILENT = "silent.example"


async def try_to_open(service: Service, host: str = FAR) -> bool:
    session = await service.session(60)
    try:
        with trio.move_on_after(30):
            async with session.open_link(host, 7, traffic_class="normal", queue_s=5) as link:
                return await exchange(link, b"hello") == b"hello"
    except (LinkRefused, trio.BrokenResourceError):
        return False
    return False


def networks_reopened(service: Service) -> int:
    events = service.lifecycle.journal.events()
    return sum(isinstance(event, RungTaken) and event.rung == "R4" for event in events)


async def test_a_dead_network_is_found_by_its_unanswered_opens(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service, trio.open_nursery() as nursery:
        faults = FaultBox(service.module, seed=1)
        nursery.start_soon(faults.run)
        session = await service.session(60)
        async with session.open_link(FAR, 7, traffic_class="normal", queue_s=5) as idle:
            assert await exchange(idle, HOSTILE) == HOSTILE
            await trio.sleep(60)
            faults.inject("network_dead", until="netopen")
            with trio.fail_after(120):
                while not await try_to_open(service):
                    pass
        assert networks_reopened(service) == 1
        nursery.cancel_scope.cancel()


async def test_one_far_side_that_is_down_does_not_touch_the_others(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        service.internet.add_silent(SILENT)
        session = await service.session(60)
        async with session.open_link(FAR, 7, traffic_class="normal", queue_s=5) as idle:
            assert await exchange(idle, HOSTILE) == HOSTILE
            for _ in range(10):
                assert not await try_to_open(service, SILENT)
            assert await exchange(idle, HOSTILE) == HOSTILE
        assert networks_reopened(service) == 0


async def test_with_no_other_far_side_known_the_network_is_reopened_ever_more_rarely(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with serving(tmp_path) as service:
        service.internet.add_silent(SILENT)
        for _ in range(15):  # a client that tries and tries
            assert not await try_to_open(service, SILENT)
        assert 2 <= networks_reopened(service) <= 4


def test_a_client_that_leaves_at_once_proves_nothing() -> None:
    record = OpenRecord()
    for _ in range(10):
        record.note_given_up("a:1", after_s=0.5)
    assert record.unanswered == 0
    record.note_given_up("a:1", after_s=20)
    assert (record.unanswered, record.witness) == (1, "a:1")


def test_the_witness_is_another_far_side_that_worked_last() -> None:
    record = OpenRecord()
    for target in ("a:1", "b:1", "c:1", "b:1"):
        record.note(target, 0)
    record.note("b:1", 10)
    assert (record.unanswered, record.witness) == (1, "c:1")
    record.note("d:1", 4)
    assert record.unanswered == 0


def test_patience_doubles_and_comes_back() -> None:
    patience = Patience()
    rests = []
    for now in range(10):
        patience.spend(now)
        rests.append(patience.until - now)
    assert rests[:3] == [30, 60, 120]
    assert rests[-1] == 1800
    patience.restore()
    patience.spend(100)
    assert patience.until == 130

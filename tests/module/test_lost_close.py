"""A close whose report was lost, by a module that dropped what it had announced."""

import pytest
import trio
from trio.testing import MockClock

from modemproxy.module.inbound import HintHealth, Inbound

from .ends import speaker, without
from .rig import read_all, rig

pytestmark = pytest.mark.timeout(20)


def _emptied(*, rest: int, announced_at: float | None) -> Inbound:
    """Bytes were read at 0 s; two reads at 2 s find nothing of what was left or announced."""
    inbound = Inbound(HintHealth())
    inbound.open(0.0)
    inbound.note_data(b"x" * 10, rest, 0.0)
    inbound.take(None)
    if announced_at is not None:
        inbound.note_hint()
    inbound.note_empty(2.0)
    inbound.note_empty(2.06)
    assert not inbound.announced
    return inbound


@pytest.mark.parametrize("heard", [True, False])
def test_what_a_header_counted_and_nobody_could_read_is_missing(heard: bool) -> None:
    inbound = _emptied(rest=2384, announced_at=None)
    inbound.note_far_close(3.0, heard=heard)
    assert inbound.promised


@pytest.mark.parametrize(
    ("heard", "closed_at", "missing"),
    [(True, 3.0, False), (False, 3.0, True), (False, 30.0, False)],
)
def test_an_announcement_without_bytes_counts_only_beside_an_unreported_close(
    heard: bool, closed_at: float, missing: bool
) -> None:
    """Some firmware announces what was read already: that alone proves nothing."""
    inbound = _emptied(rest=0, announced_at=1.0)
    inbound.note_far_close(closed_at, heard=heard)
    assert inbound.promised is missing


def test_bytes_that_come_after_all_keep_the_promise() -> None:
    inbound = _emptied(rest=2384, announced_at=1.0)
    inbound.note_data(b"x" * 2384, 0, 2.5)
    inbound.note_far_close(3.0, heard=False)
    assert not inbound.promised


async def test_a_far_close_that_is_only_found_out_is_a_clean_end_when_all_was_read(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        r.module.dce.out.tap = without(b"+IPCLOSE")
        speaker(r, b"y" * 5000)
        async with r.link(port=80) as link:
            assert await read_all(link) == b"y" * 5000
            assert trio.current_time() > 5


@pytest.mark.parametrize(
    ("heard", "damaged_at", "missing"),
    [(False, 2.5, True), (True, 2.5, False), (False, -20.0, False)],
)
def test_a_report_may_have_been_lost_with_a_damaged_answer(
    heard: bool, damaged_at: float, missing: bool
) -> None:
    inbound = _emptied(rest=0, announced_at=None)
    inbound.note_far_close(3.0, heard=heard, damaged_at=damaged_at)
    assert inbound.promised is missing

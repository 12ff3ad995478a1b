"""The quiet failure: what is taken for it, what is not, and what one more connection says."""

import pytest
import trio

from modemproxy.errors import LinkRefused, NetworkError, NoFreeLink

from .health_bench import watching_stalls

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_nothing_stuck_is_nothing_to_try() -> None:
    async with watching_stalls() as b:
        b.add_links(9, 8)
        await trio.sleep(500)
        assert b.probes == []


async def test_a_far_side_that_does_not_read_is_healthy() -> None:
    async with watching_stalls() as b:
        stuck, _ = b.add_links(9, 8)
        stuck.stick()
        await trio.sleep(500)
        assert {target for _, target in b.probes} == {stuck.target}
        gaps = [later - at for (at, _), (later, _) in zip(b.probes, b.probes[1:], strict=False)]
        assert gaps == sorted(gaps)  # rarer and rarer
        assert 25 <= b.probes[0][0] <= 31
        assert len(b.probes) <= 5
        assert b.failures == []


async def test_a_link_that_moves_is_proof_enough() -> None:
    async with watching_stalls() as b:
        stuck, moving = b.add_links(9, 8)
        stuck.stick()
        for _ in range(30):
            moving.inbound.data_at = trio.current_time()
            await trio.sleep(10)
        assert b.probes == []


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (LinkRefused("far", "time out", 10), "time out"),
        (LinkRefused("far", "no answer"), "no answer"),
        (..., "no answer within 15 s"),
    ],
)
async def test_a_dead_network_is_found_within_a_minute(outcome: object, words: str) -> None:
    async with watching_stalls() as b:
        [stuck] = b.add_links(9)
        stuck.stick()
        b.open_outcome = outcome
        await trio.sleep(60)
        assert isinstance(b.failures[0][1], NetworkError)
        assert words in b.words[0]


@pytest.mark.parametrize(
    "outcome", [LinkRefused("far", "refused", 4), NoFreeLink("all in use")]
)
async def test_a_refusal_is_an_answer_and_no_number_is_none(outcome: object) -> None:
    async with watching_stalls() as b:
        [stuck] = b.add_links(9)
        stuck.stick()
        b.open_outcome = outcome
        await trio.sleep(100)
        assert b.probes
        assert b.failures == []


async def test_progress_during_the_trial_is_progress() -> None:
    async with watching_stalls() as b:
        [stuck] = b.add_links(9)
        stuck.stick()

        def progress() -> None:
            stuck.outbound.stuck_since = None
            raise LinkRefused("far", "time out", 10)

        b.open_outcome = progress
        await trio.sleep(100)
        assert len(b.probes) == 1
        assert b.failures == []


async def test_two_opens_without_an_answer_have_another_far_side_tried() -> None:
    async with watching_stalls() as b:
        b.opens.note("well.example.com:80", 0)
        b.opens.note_given_up("dead.example.com:80", after_s=30)
        await trio.sleep(60)
        assert b.probes == []  # one may be down
        b.opens.note_given_up("dead.example.com:80", after_s=30)
        await trio.sleep(60)
        assert {target for _, target in b.probes} == {"well.example.com:80"}
        assert b.failures == []


async def test_opens_in_vain_where_nothing_else_is_reached_either_are_the_networks() -> None:
    async with watching_stalls() as b:
        b.opens.note("well.example.com:80", 0)
        for _ in range(2):
            b.opens.note_given_up("dead.example.com:80", after_s=30)
        b.open_outcome = ...
        await trio.sleep(60)
        assert isinstance(b.failures[0][1], NetworkError)


async def test_the_network_is_taken_down_for_opens_in_vain_ever_more_rarely() -> None:
    async with watching_stalls() as b:
        for _ in range(2):
            b.opens.note_given_up("dead.example.com:80", after_s=30)
        b.open_outcome = LinkRefused("far", "time out", 10)
        await trio.sleep(550)
        assert 2 <= len(b.failures) <= 5


async def test_numbers_that_are_all_stuck_end_the_session_more_and_more_seldom() -> None:
    async with watching_stalls() as b:
        b.opens.stuck = set(range(10))
        await trio.sleep(200)
        ends = [at for at, _ in b.failures]
        assert len(ends) == 3
        assert ends[0] <= 6
        assert ends[1] - ends[0] >= 30
        assert ends[2] - ends[1] >= 60
        assert "neither opens nor closes" in b.words[0]


@pytest.mark.parametrize("stuck", [set(range(9)), set(range(10))])
async def test_stuck_numbers_cost_nobody_his_link(stuck: set[int]) -> None:
    async with watching_stalls() as b:
        b.opens.stuck = stuck
        if len(stuck) == 10:
            b.add_links(9)
        await trio.sleep(200)
        assert b.failures == []

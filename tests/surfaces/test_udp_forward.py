"""UDP forwards: a link for each client, for as long as something moves."""

import logging

import pytest
import trio
from trio.testing import MockClock

from modemproxy.errors import LinkRefused, NoFreeLink
from modemproxy.surfaces.udp_socket import Peer

from .udp_stand import ALICE, BOB, udp_stand

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_every_client_has_a_link_of_its_own_and_gets_its_own_answers() -> None:
    async with udp_stand() as s:
        s.host.say(b"a1", ALICE)
        s.host.say(b"b1", BOB)
        s.host.say(b"a2", ALICE)
        await trio.sleep(1)
        links = {link.claim.client: link for link in s.links}
        assert links[ALICE.host].out == [b"a1", b"a2"]
        assert links[BOB.host].out == [b"b1"]
        assert {link.claim.owner for link in s.links} == {"dns"}
        links[BOB.host].say(b"for bob")
        links[ALICE.host].say(b"for alice")
        await trio.sleep(1)
        assert sorted(s.host.answers, key=str) == [(b"for alice", ALICE), (b"for bob", BOB)]


async def test_two_ports_of_one_host_are_two_clients() -> None:
    async with udp_stand() as s:
        s.host.say(b"1", Peer(("198.51.100.1", 1)))
        s.host.say(b"2", Peer(("198.51.100.1", 2)))
        await trio.sleep(1)
        assert sorted(link.out for link in s.links) == [[b"1"], [b"2"]]


@pytest.mark.parametrize("limit", [2.0, 120.0])
async def test_a_session_ends_when_nothing_moves_in_either_direction(limit: float) -> None:
    async with udp_stand(idle_timeout_s=limit) as s:
        s.host.say(b"1")
        await trio.sleep(limit * 0.75)
        s.links[0].say(b"answer")
        await trio.sleep(limit * 0.75)
        s.host.say(b"2")
        await trio.sleep(limit * 0.75)
        assert [link.closed for link in s.links] == [False]
        await trio.sleep(limit * 0.5)
        assert [link.closed for link in s.links] == [True]
        s.host.say(b"3")
        await trio.sleep(1)
        assert [link.out for link in s.links] == [[b"1", b"2"], [b"3"]]


async def test_without_an_idle_time_out_a_session_stays() -> None:
    async with udp_stand(idle_timeout_s=0.0) as s:
        s.host.say(b"1")
        await trio.sleep(500)
        s.host.say(b"2")
        await trio.sleep(1)
        assert [link.out for link in s.links] == [[b"1", b"2"]]


async def test_what_comes_before_the_link_is_open_waits_the_newest_sixteen() -> None:
    async with udp_stand() as s:
        s.session.open_s = 3
        for number in range(20):
            s.host.say(b"%d" % number)
        await trio.sleep(4)
        assert s.links[0].out == [b"%d" % number for number in range(4, 20)]


async def test_who_waited_five_seconds_for_its_link_has_asked_again() -> None:
    async with udp_stand() as s:
        s.session.open_s = 12
        s.host.say(b"given up")
        await trio.sleep(4)
        s.host.say(b"given up, too")
        await trio.sleep(4)
        s.host.say(b"still waiting")
        await trio.sleep(5)
        assert s.links[0].out == [b"still waiting"]


async def test_a_session_without_a_fresh_datagram_does_not_wait_for_a_link() -> None:
    async with udp_stand() as s:
        s.session.open_s = 20
        s.host.say(b"given up")
        await trio.sleep(4.9)
        assert s.forward.clients == 1
        await trio.sleep(1.2)
        assert s.forward.clients == 0
        assert s.forward.traffic.dropped == 1


async def test_no_service_means_waiting_for_it_and_then_another_try() -> None:
    async with udp_stand(connect_s=10) as s:
        session, s.gate._session = s.gate._session, None
        for _ in range(4):
            s.host.say(b"1")
            await trio.sleep(4)
        await trio.sleep(4)  # given up, more than once; nothing is served
        assert s.forward.clients == 0
        s.host.say(b"3")
        await trio.sleep(3)
        s.gate._session = session
        s.gate._opened.set()
        await trio.sleep(1)
        assert [link.out for link in s.links] == [[b"3"]]


@pytest.mark.parametrize("error", [NoFreeLink("all in use"), LinkRefused("far", "no", 5)])
async def test_a_client_without_a_link_does_not_make_the_module_busy(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async with udp_stand() as s:
        s.session.error = error  # type: ignore[assignment]
        for _ in range(200):
            s.host.say(b"x")
            await trio.sleep(0.05)
        assert len(s.session.tries) <= 11
        s.session.error = None
        await trio.sleep(2)
        s.host.say(b"at last")
        await trio.sleep(1)
        assert s.links[0].out == [b"at last"]
    assert not [record for record in caplog.records if record.exc_info]
    assert s.forward.traffic.dropped == 200


async def test_a_link_that_ends_ends_the_session_quietly_and_another_follows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with udp_stand() as s:
        s.host.say(b"1")
        await trio.sleep(1)
        s.links[0].fail("gave way to somebody")
        await trio.sleep(1)
        assert s.links[0].closed
        assert s.forward.clients == 0
        s.host.say(b"2")
        await trio.sleep(1)
        assert s.links[1].out == [b"2"]
    lines = [record.message for record in caplog.records if record.name.endswith("access")]
    assert "link ended: gave way to somebody" in lines[0]
    assert "1 up, 0 down, 1+0 datagrams" in lines[0]
    assert max(record.levelno for record in caplog.records) == logging.INFO


async def test_the_datagram_that_meets_the_end_of_a_session_begins_the_next() -> None:
    async with udp_stand(idle_timeout_s=10.0) as s:
        s.host.say(b"1")
        await trio.sleep(10)
        for number in range(10):  # the end is somewhere among these
            s.host.say(b"%d" % number)
            await trio.lowlevel.checkpoint()
        await trio.sleep(1)
        assert [data for link in s.links for data in link.out] == [
            b"1",
            *(b"%d" % number for number in range(10)),
        ]


async def test_a_client_that_takes_no_answers_is_counted_and_goes_on() -> None:
    async with udp_stand() as s:
        s.host.say(b"1")
        await trio.sleep(1)
        s.host.refuses = True
        s.links[0].say(b"lost")
        await trio.sleep(1)
        s.host.refuses = False
        s.links[0].say(b"found")
        await trio.sleep(1)
        assert s.host.answers == [(b"found", ALICE)]
    assert s.forward.traffic.dropped == 1


async def test_stopping_lets_answers_through_for_a_second() -> None:
    async with udp_stand() as s:
        s.host.say(b"question")
        await trio.sleep(1)
        s.accepting.cancel()
        await trio.sleep(0.5)
        s.links[0].say(b"answer")
        await trio.sleep(0.1)
        assert s.host.answers == [(b"answer", ALICE)]
        assert not s.host.closed
        await trio.sleep(1)
        assert s.forward.clients == 0
        assert s.host.closed


async def test_stopping_without_clients_closes_the_port_at_once() -> None:
    async with udp_stand() as s:
        await trio.sleep(1)
        s.accepting.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert s.host.closed


async def test_a_bug_in_one_session_is_that_ones_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with udp_stand() as s:
        s.session.error = ValueError("a bug")  # type: ignore[assignment]
        s.host.say(b"1")
        await trio.sleep(1)
        s.session.error = None
        s.host.say(b"2", BOB)
        await trio.sleep(1)
        assert s.links[0].out == [b"2"]
    assert [record for record in caplog.records if record.exc_info]


async def test_that_datagrams_may_merge_is_said_once_for_all_clients(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with udp_stand() as s:
        for number, whole in enumerate((True, False, False)):
            s.session.whole = whole
            s.host.say(b"x", Peer(("198.51.100.1", number + 1)))
            await trio.sleep(1)
    said = [record for record in caplog.records if "keep datagrams apart" in record.message]
    assert len(said) == 1
    assert said[0].levelno == logging.WARNING


async def test_clocks_are_virtual_here(autojump_clock: MockClock) -> None:
    began = autojump_clock.current_time()
    await trio.sleep(100)
    assert autojump_clock.current_time() - began >= 100

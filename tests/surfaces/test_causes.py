"""The two letters of an end, and the roster that counts them."""

import logging

import pytest
import trio
import trio.testing

from modemproxy.errors import (
    LinkRefused,
    LinkReset,
    NetworkError,
    NoFreeLink,
    NotReady,
)
from modemproxy.surfaces.access import Denied
from modemproxy.surfaces.accesslog import fields_of, text_of
from modemproxy.surfaces.causes import CLEAN, PHASE, WHO, explain, who_ended
from modemproxy.surfaces.proxying.outcomes import DestinationDenied
from modemproxy.surfaces.relay import ClientVanished
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.visit import Visit

pytestmark = pytest.mark.usefixtures("autojump_clock")


def broken(reset: LinkReset) -> BaseException:
    """As a link's user meets it."""
    error = trio.BrokenResourceError(reset.reason)
    error.__cause__ = reset
    return error


@pytest.mark.parametrize(
    ("error", "phase", "who"),
    [
        (ClientVanished("gone"), "D", "C"),
        (Denied("no"), "R", "P"),
        (DestinationDenied("a.example:1"), "R", "P"),
        (NoFreeLink("none"), "Q", "R"),
        (NotReady("30 s"), "Q", "M"),
        (NotReady("30 s"), "C", "s"),
        (LinkRefused("a:1", "refused"), "C", "S"),
        (NetworkError("closed"), "C", "M"),
        (broken(LinkReset("far side")), "D", "S"),
        (broken(LinkReset("module restarted", everywhere=True)), "D", "M"),
        (BaseExceptionGroup("", [broken(LinkReset("line", everywhere=True))]), "D", "M"),
        (trio.BrokenResourceError("backend"), "C", "S"),
    ],
)
def test_who_ended_it(error: BaseException, phase: str, who: str) -> None:
    assert who_ended(error, phase) == who


def test_every_code_can_be_explained() -> None:
    assert explain(CLEAN) == "an orderly end"
    for who in WHO:
        for phase in PHASE:
            assert "?" not in explain(who + phase)
    assert explain("CD") == "the client reset, or did not wait, while data flowed"


def visitor(target: str = "far:1", kind: str = "tcp") -> Visit:
    return Visit("web", "127.0.0.1:5000", target, kind=kind)


async def test_an_orderly_visit_with_its_times(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    roster, visit = Roster(), visitor()
    ended: list[Visit] = []
    roster.listen(ended.append)
    with roster.recorded(visit):
        assert roster.visits == {1: visit}
        visit.note_asked()
        await trio.sleep(0.5)
        visit.note_number(9)
        await trio.sleep(0.25)
        visit.note_open()
        visit.traffic.up, visit.traffic.down = 10, 20
        assert roster.totals("web").up == 10
        assert roster.totals("web").connections == 1
        await trio.sleep(2)
        visit.traffic.end = "far side closed"
    assert not roster.visits
    assert ended == [visit]
    assert (visit.queued_s, visit.open_s, visit.transfer_s) == pytest.approx((0.5, 0.25, 2))
    assert roster.totals("web").causes == {"--": 1}
    assert text_of(visit) == (
        "web: 127.0.0.1:5000 -> far:1 [9]: 10 up, 20 down, "
        "queue 0.50 open 0.25 data 2.00 s, -- far side closed"
    )
    (record,) = caplog.records
    assert record.message == text_of(visit)
    assert fields_of(visit)["cause"] == "--"
    assert fields_of(visit)["queue_s"] == 0.5


def refuse() -> None:
    """As a module does."""
    raise LinkRefused("far:1", "connection refused")


async def test_a_refused_open_says_how_far_it_came() -> None:
    roster, visit = Roster(), visitor()
    with roster.recorded(visit):
        visit.note_asked()
        visit.note_number(8)
        refuse()
    assert visit.cause == "SC"
    assert visit.traffic.end == "reset: far:1: connection refused"
    assert visit.open_s == 0


async def test_who_is_kicked_is_reset_and_serving_goes_on() -> None:
    roster, visit = Roster(), visitor()
    async with trio.open_nursery() as nursery:

        async def serve() -> None:
            with roster.recorded(visit):
                visit.note_open()
                await trio.sleep_forever()

        nursery.start_soon(serve)
        await trio.testing.wait_all_tasks_blocked()
        visit.kick("kicked by an operator")
    assert visit.cause == "KD"
    assert visit.traffic.end == "reset: kicked by an operator"


async def test_stopping_is_told_from_a_bug() -> None:
    roster, stopped, hurt = Roster(), visitor(), visitor()
    with trio.CancelScope() as scope, roster.recorded(stopped):
        scope.cancel()
        await trio.sleep_forever()
    assert stopped.cause == "DQ"
    with pytest.raises(ZeroDivisionError), roster.recorded(hurt):
        raise ZeroDivisionError
    assert hurt.cause == "IQ"
    assert roster.totals("web").causes == {"DQ": 1, "IQ": 1}


async def test_a_refusal_in_the_clients_own_protocol() -> None:
    roster, visit = Roster(), visitor("?", "socks5")
    with roster.recorded(visit):
        visit.note_refused("wrong password")
    assert (visit.cause, visit.traffic.end) == ("PR", "refused: wrong password")


async def test_idling_is_an_end_of_its_own() -> None:
    roster, visit = Roster(), visitor()
    with roster.recorded(visit):
        visit.note_open()
        visit.traffic.timed_out = True
        visit.traffic.end = "idle for 5 s"
    assert visit.cause == "c-"

"""The health watch: what it asks when, what it makes of the answers, and of none."""

import logging

import pytest
import trio

from modemproxy.errors import LineSilent, ModuleRebooted, NetworkError, NoAnswer

from .health_bench import ADDRESS, NET_CLOSED, REFUSED, FakeLink, HealthBench, watching

pytestmark = pytest.mark.usefixtures("autojump_clock")


def kinds(b: HealthBench) -> list[type]:
    return [type(failure) for _, failure in b.failures]


# -- what is asked --


async def test_every_ten_seconds_one_command_and_every_fifty_two_more() -> None:
    async with watching() as b:
        await trio.sleep(299)
        assert len(b.times("+CIPRXGET?")) == 29
        assert len(b.times("+IPADDR")) == 5
        assert len(b.times("+CEREG?")) == 6
        assert set(b.texts) == {"+CIPRXGET?", "+IPADDR", "+CEREG?", "+CSQ"}
        both = set(b.times("+IPADDR")) & set(b.times("+CEREG?"))
        assert not both  # never one behind the other
        assert b.failures == []


async def test_with_links_their_list_is_asked_instead() -> None:
    async with watching() as b:
        b.add_links(9, 8)
        await trio.sleep(99)
        assert len(b.times("+CIPCLOSE?")) == 9
        assert "+CIPRXGET?" not in b.texts
        assert b.failures == []


async def test_with_servers_far_clients_are_looked_for_every_other_time() -> None:
    async with watching() as b:
        b.expected = True
        await trio.sleep(85)
        assert [int(at) for at in b.times("+CIPCLOSE?")] == [10, 30, 50, 70]
        assert [int(at) for at in b.times("+CIPRXGET?")] == [20, 40, 60, 80]
        assert b.looked_for == [(False,) * 10] * 4
        b.add_links(9)
        await trio.sleep(20)
        assert len(b.times("+CIPCLOSE?")) == 6
        assert b.looked_for[-1][9]


async def test_the_mode_of_a_module_that_restarted_gives_it_away() -> None:
    async with watching() as b:
        b.answers["+CIPRXGET?"] = [1, 1, 0]
        await trio.sleep(31)
        assert kinds(b) == [ModuleRebooted]
        assert b.words == ["the module restarted silently (its settings are gone)"]


async def test_a_changed_address_is_found_within_70_seconds() -> None:
    async with watching() as b:
        await trio.sleep(51)
        b.answers["+IPADDR"] = "10.9.9.9"
        await trio.sleep(70)
        assert kinds(b)[0] is NetworkError
        assert b.words[0] == "the address changed to 10.9.9.9"


async def test_an_address_that_lost_a_digit_on_the_line_is_no_change() -> None:
    async with watching() as b:
        b.answers["+IPADDR"] = [ADDRESS, "0.1.2.3", ADDRESS, "10.1..3", "10.1.2.", ADDRESS]
        await trio.sleep(300)
        assert b.failures == []


async def test_an_address_that_cannot_be_told_is_no_change() -> None:
    async with watching() as b:
        b.answers["+IPADDR"] = REFUSED
        await trio.sleep(300)
        assert b.failures == []


async def test_no_network_for_an_address_is_the_end() -> None:
    async with watching() as b:
        b.answers["+IPADDR"] = NET_CLOSED
        await trio.sleep(61)
        assert "network is closed" in b.words[0]


@pytest.mark.parametrize("problem", [REFUSED, NoAnswer("AT+CIPRXGET?")])
async def test_one_check_that_fails_does_not_keep_others_from_being_made(
    problem: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "modemproxy.module.health")
    async with watching() as b:
        b.answers["+CIPRXGET?"] = problem
        await trio.sleep(61)
        assert len(b.times("+CIPRXGET?")) == 6
        assert b.times("+IPADDR")
        assert b.times("+CEREG?")
        assert b.failures == []
    assert "health: AT+CIPRXGET?" in caplog.text


async def test_a_line_that_ended_ends_the_watch() -> None:
    with pytest.RaisesGroup(LineSilent):
        async with watching() as b:
            b.answers["+CIPRXGET?"] = LineSilent("AT+CIPRXGET?")
            await trio.sleep(11)


# -- lost reports of a close --


async def test_a_lost_close_is_told_to_its_link_and_to_no_other() -> None:
    async with watching() as b:
        gone, there = b.add_links(9, 8)
        b.say_open(8)
        await trio.sleep(11)
        assert (gone.closes, there.closes) == ([1], [])
        assert b.texts == ["+CIPCLOSE?", "+CIPRXGET?", "+IPADDR"]
        await trio.sleep(30)
        assert gone.closes == [1]
        assert b.failures == []


async def test_links_that_all_went_with_a_restart_are_no_lost_closes() -> None:
    async with watching() as b:
        [link] = b.add_links(9)
        b.say_open()
        b.answers["+CIPRXGET?"] = 0
        await trio.sleep(11)
        assert kinds(b) == [ModuleRebooted]
        assert link.closes == []


@pytest.mark.parametrize("address", ["10.9.9.9", NET_CLOSED])
async def test_links_that_went_with_the_network_are_no_lost_closes(address: object) -> None:
    async with watching() as b:
        [link] = b.add_links(9)
        b.say_open()
        b.answers["+IPADDR"] = address
        await trio.sleep(11)
        assert kinds(b) == [NetworkError]
        assert link.closes == []


async def test_the_next_owner_of_a_number_is_not_taken_for_the_last() -> None:
    async with watching() as b:
        b.add_links(9, 8)
        b.say_open(8)
        following = FakeLink(9)
        await trio.sleep(10.005)  # asked, not yet answered
        b.links[9] = following
        await trio.sleep(1)
        assert b.texts == ["+CIPCLOSE?"]
        assert following.closes == []


async def test_a_shorter_list_of_links_says_nothing_of_the_others() -> None:
    async with watching() as b:
        [link] = b.add_links(9)
        b.answers["+CIPCLOSE?"] = (False,) * 6
        await trio.sleep(11)
        assert link.closes == []


# -- suspicions --


async def test_a_suspicion_is_looked_into_at_once_and_with_less_patience() -> None:
    async with watching() as b:
        await trio.sleep(1)
        b.health.suspect("echo of b'AT'")
        await trio.sleep(0.2)
        assert [(text, limit) for _, text, limit in b.asked] == [
            ("+CIPRXGET?", 3.0),
            ("+NETOPEN?", 3.0),
        ]
        assert b.failures == []


@pytest.mark.parametrize(
    ("text", "answer", "kind"),
    [("+CIPRXGET?", 0, ModuleRebooted), ("+NETOPEN?", False, NetworkError)],
)
async def test_what_a_suspicion_finds(text: str, answer: object, kind: type) -> None:
    async with watching() as b:
        b.answers[text] = answer
        b.health.suspect("stray OK")
        await trio.sleep(0.2)
        assert kinds(b) == [kind]


async def test_a_chatter_of_oddities_costs_two_looks_a_second_and_a_line_in_five(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "modemproxy.module.health")
    async with watching() as b:
        for _ in range(1000):
            b.health.suspect("rubbish")
            await trio.sleep(0.01)
        assert len(b.times("+CIPRXGET?")) <= 21
    assert len(caplog.records) <= 3


async def test_news_of_the_bearer_has_the_address_asked_at_once() -> None:
    async with watching() as b:
        b.answers["+IPADDR"] = "10.9.9.9"
        b.health.suspect_bearer("+CGEV: NW PDN DEACT 1")
        await trio.sleep(0.2)
        assert b.words == ["the address changed to 10.9.9.9"]


# -- registration and SIM --


async def test_a_registration_that_is_lost_twice_in_a_row_is_lost() -> None:
    async with watching() as b:
        b.answers["+CEREG?"] = b.answers["+CGREG?"] = 2
        await trio.sleep(75)
        assert b.words == ["the module is not registered any more"]
        first, second = b.times("+CEREG?")[:2]
        assert 15 <= second - first <= 35


@pytest.mark.parametrize(
    ("cereg", "cgreg"),
    [([2, 1, 2, 1], [0]), ([2], [1]), (REFUSED, [0]), ([2], REFUSED), ([5], [0]), ([11], [0])],
)
async def test_a_registration_in_doubt_is_none_that_is_lost(
    cereg: object, cgreg: object
) -> None:
    async with watching() as b:
        b.answers["+CEREG?"], b.answers["+CGREG?"] = cereg, cgreg
        await trio.sleep(160)
        assert b.failures == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("READY", []),
        ("SIM PIN", ["the SIM is not ready any more (SIM PIN)"]),
        (REFUSED, ["the SIM is not ready any more (ERROR)"]),
    ],
)
async def test_the_sim_is_asked_when_it_is_said_to_be_gone(
    answer: object, words: list[str]
) -> None:
    b = HealthBench()
    b.answers["+CPIN?"] = answer
    await b.health.check_sim()
    assert b.words == words

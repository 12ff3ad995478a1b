"""UDP forwards: who may come in, how many, how much; and what no send can carry."""

import pytest
import trio

from modemproxy.surfaces.udp_socket import Peer

from .udp_stand import BOB, udp_stand

pytestmark = pytest.mark.usefixtures("autojump_clock")


@pytest.mark.parametrize("size", [0, 1501, 65507])
async def test_what_no_send_can_carry_is_refused_and_counted(
    size: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with udp_stand() as s:
        for _ in range(100):
            s.host.say(bytes(size))
        await trio.sleep(1)
        assert s.forward.traffic.too_long == 100
        assert not s.links
        s.host.say(bytes(1500))
        await trio.sleep(1)
        assert s.links[0].out == [bytes(1500)]
    said = [record for record in caplog.records if "can not be sent" in record.message]
    assert len(said) == 1


async def test_only_those_allowed_come_in_and_the_log_is_not_flooded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with udp_stand(allow=["198.51.100.2/32"]) as s:
        for number in range(500):
            s.host.say(b"x", Peer((f"203.0.113.{number % 250}", number + 1)))
        s.host.say(b"y", BOB)
        await trio.sleep(1)
        assert [link.out for link in s.links] == [[b"y"]]
        assert s.forward.traffic.refused == 500
    assert len([r for r in caplog.records if "refused" in r.message]) == 1


async def test_clients_are_limited_at_a_time_and_each() -> None:
    async with udp_stand(max_clients=3, max_per_client=2, idle_timeout_s=5.0) as s:
        for port in range(1, 4):
            s.host.say(b"a", Peer(("198.51.100.1", port)))
        for port in range(1, 4):
            s.host.say(b"b", Peer(("198.51.100.2", port)))
        await trio.sleep(1)
        assert sorted(link.out for link in s.links) == [[b"a"], [b"a"], [b"b"]]
        assert s.forward.traffic.refused == 3
        await trio.sleep(10)
        s.host.say(b"c", Peer(("198.51.100.1", 3)))
        await trio.sleep(1)
        assert s.links[-1].out == [b"c"]


async def test_invented_senders_cost_a_bounded_number_of_sessions() -> None:
    async with udp_stand() as s:
        s.session.open_s = 20
        for number in range(1000):
            s.host.say(b"x", Peer(("203.0.113.1", number + 1)))
            if number % 100 == 0:
                await trio.sleep(0.01)
        await trio.sleep(1)
        assert s.forward.clients == 64
        assert s.forward.traffic.refused == 1000 - 64


async def test_a_rate_holds_for_both_directions_together() -> None:
    async with udp_stand(rate=1000) as s:
        for _ in range(20):
            s.host.say(bytes(500))
            await trio.sleep(0.25)
        for _ in range(5):
            s.links[0].say(bytes(500))
        await trio.sleep(20)
        assert 9 <= s.links[0].sent <= 13  # 10 kB in 5 s
        assert len(s.host.answers) == 5
    assert s.forward.traffic.dropped == 20 - s.links[0].sent

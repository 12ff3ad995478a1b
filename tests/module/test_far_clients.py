"""Far clients: let in whole, or closed; never anybody else's bytes, whatever races."""

import contextlib
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream
from modemproxy.errors import LinkRefused, NoFreeLink
from modemproxy.journal import FarClientRefused
from modemproxy.module.claims import Claim
from modemproxy.module.servers import ServerPort

from .far_bench import PORT, WEB, serving, talk
from .rig import HOSTILE, Rig, exchange, rig, until

pytestmark = pytest.mark.timeout(60)


async def is_closed(far: FarStream) -> bool:
    """The module ended it, without a byte."""
    try:
        return await far.receive_some() == b""
    except trio.BrokenResourceError:
        return True


async def test_a_far_client_is_let_in_with_its_address(autojump_clock: MockClock) -> None:
    async with serving() as (r, served):
        far = r.internet.connect_to_server(PORT, source=("198.51.100.9", 4711))
        assert await talk(far, HOSTILE) == HOSTILE
        [client] = served.clients
        assert (client.server, client.host, client.port) == (0, "198.51.100.9", 4711)
        assert client.link.number == 0
        await trio.sleep(3)
        await far.aclose()
        await r.settle()
        assert served.errors == []


async def test_what_it_said_before_its_report_is_read_at_once(
    autojump_clock: MockClock,
) -> None:
    async with serving(data_urcs="none") as (r, _):
        far = r.internet.connect_to_server(PORT)
        await far.send_all(b"hello")
        with trio.fail_after(0.15):
            assert await far.receive_some() == b"hello"


async def test_one_that_says_nothing_ends_cleanly(autojump_clock: MockClock) -> None:
    async with serving() as (r, served):
        await r.internet.connect_to_server(PORT).aclose()
        await until(lambda: served.clients, 1)
        await r.settle()
        assert len(served.clients) == 1
        assert served.errors == []


async def test_four_servers_tell_their_clients_apart(autojump_clock: MockClock) -> None:
    ports = [ServerPort(index, 9000 + index, f"s{index}") for index in range(4)]
    async with serving(*ports) as (r, served):
        async with trio.open_nursery() as nursery:
            for port in ports:
                for _ in range(2):
                    far = r.internet.connect_to_server(port.port)
                    nursery.start_soon(talk, far, HOSTILE * 3)
        assert sorted(client.server for client in served.clients) == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("servers", [(), (ServerPort(1, 9001, "other"),)])
async def test_one_that_nobody_serves_is_closed_at_once(
    autojump_clock: MockClock, servers: tuple[ServerPort, ...]
) -> None:
    async with rig(servers=servers) as r:
        r.module.dce.stack.listen(0, PORT)
        far = r.internet.connect_to_server(PORT)
        assert await is_closed(far)
        await r.settle()
        [event] = r.events(FarClientRefused)
        assert "no server of ours" in event.why


async def test_one_that_the_surface_does_not_take_is_closed(autojump_clock: MockClock) -> None:
    async with rig(servers=(WEB,)) as r:
        await until(lambda: r.module.dce.stack.servers, 5)
        assert await is_closed(r.internet.connect_to_server(PORT))
        await r.settle()


# numbers that are kept


async def test_the_eleventh_link_is_the_modules_to_refuse(autojump_clock: MockClock) -> None:
    async with serving() as (r, _):
        fars = [r.internet.connect_to_server(PORT) for _ in range(10)]
        for far in fars:
            assert await talk(far, b"x") == b"x"
        with pytest.raises(ConnectionRefusedError):
            r.internet.connect_to_server(PORT)
        with pytest.raises(NoFreeLink):
            async with r.link(queue_s=1):
                pytest.fail("there is none")
        await fars.pop().aclose()
        async with r.link(queue_s=5) as link:
            assert await exchange(link, HOSTILE) == HOSTILE
        for far in fars:
            assert await talk(far, HOSTILE) == HOSTILE


async def test_a_server_keeps_links_free_for_its_clients(autojump_clock: MockClock) -> None:
    async with serving(reserve={"web": 2}) as (r, _), trio.open_nursery() as nursery:
        links = [await nursery.start(hold, r, Claim("bulk")) for _ in range(8)]
        with pytest.raises(NoFreeLink, match="kept for others"):
            async with r.link(queue_s=1):
                pytest.fail("they are kept")
        assert min(links) == 2
        for _ in range(2):
            assert await talk(r.internet.connect_to_server(PORT), HOSTILE) == HOSTILE
        nursery.cancel_scope.cancel()


async def test_far_clients_do_not_eat_what_is_kept_for_a_forward(
    autojump_clock: MockClock,
) -> None:
    async with serving(reserve={"ssh": 1}) as (r, _):
        fars = [r.internet.connect_to_server(PORT) for _ in range(9)]
        for far in fars:
            assert await talk(far, b"x") == b"x"
        assert await is_closed(r.internet.connect_to_server(PORT))
        [event] = r.events(FarClientRefused)
        assert "kept for others" in event.why
        async with r.link(claim=Claim("ssh"), queue_s=5) as link:
            assert await exchange(link, HOSTILE) == HOSTILE


async def hold(
    r: Rig, claim: Claim, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    async with r.link(claim=claim, queue_s=5) as link:
        task_status.started(link.number)
        await trio.sleep_forever()


# races

_ROUNDS = 250
_WAYS: list[dict[str, Any]] = [
    {},
    {"open_result": "before_ok"},
    {"client_urc_delay_s": 0.004},
    {"open_delay_s": 0.02, "client_urc_delay_s": 0.001},
]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("ways", _WAYS, ids=str)
async def test_an_accept_that_races_an_open_crosses_no_byte(
    autojump_clock: MockClock, ways: dict[str, Any]
) -> None:
    """The same number, every moment from before the open to after it, 1,000 times in all."""
    lost = 0
    async with serving(accept_link="highest", **ways) as (r, served):
        for index in range(_ROUNDS):
            offset_s = 0.05 * index / _ROUNDS
            mine, theirs = b"mine %04d " % index * 4, b"theirs %04d " % index * 4
            numbers: list[int] = []

            async def ours(data: bytes, numbers: list[int] = numbers) -> None:
                async with r.link() as link:
                    numbers.append(link.number)
                    assert await exchange(link, data) == data

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ours, mine)
                await trio.sleep(offset_s)
                far = r.internet.connect_to_server(PORT)
                assert await talk(far, theirs) == theirs
                await far.aclose()
            lost += numbers != [9]
            await r.settle()
        assert len(served.clients) == _ROUNDS
        assert r.events(FarClientRefused) == []
    assert 0 < lost < _ROUNDS, "both won now and then"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("stale", [True, False])
@pytest.mark.parametrize("link", ["lowest", "highest"])
async def test_far_clients_in_quick_succession_never_meet_old_bytes(
    autojump_clock: MockClock, stale: bool, link: str
) -> None:
    """A number that is reused while it is drained or closed: whole, or not at all."""
    done = 0
    async with serving(
        accept_link=link, stale_data_after_reuse=stale, complaints=True, close_delay_s=0.02
    ) as (r, served):
        for index in range(150):
            far = r.internet.connect_to_server(PORT)
            data = b"round %05d " % index * (1 + 40 * (index % 4))
            if index % 3:
                done += await echoed_or_refused(far, data)
            await say_more(far, b"left unread " * (index % 5))
            if index % 2 and served.clients:
                served.clients[-1].link.abort()  # this side closes, with bytes unread
            await far.aclose()
            await trio.sleep(0.001 * (index % 40))
        await until(lambda: r.session.pool.settled, 200)
    assert done > 50


async def echoed_or_refused(far: FarStream, data: bytes) -> bool:
    """All of it comes back, or nothing that is not it; whether all did."""
    got = bytearray()
    try:
        await far.send_all(data)
        while len(got) < len(data) and (chunk := await far.receive_some()):
            got += chunk
    except trio.BrokenResourceError:
        pass
    assert got == data[: len(got)], "somebody else's bytes"
    return len(got) == len(data)


async def say_more(far: FarStream, data: bytes) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        await far.send_all(data)


# reports that are lost


async def test_one_whose_report_was_lost_is_found_by_the_watch(
    autojump_clock: MockClock,
) -> None:
    async with serving(client_urc_loss=1.0) as (r, served):
        far = r.internet.connect_to_server(PORT, source=("198.51.100.9", 4711))
        with trio.fail_after(25):
            assert await talk(far, HOSTILE) == HOSTILE
        assert [(c.host, c.port) for c in served.clients] == [("198.51.100.9", 4711)]


async def test_one_whose_report_was_lost_is_no_ghost_to_an_open(
    autojump_clock: MockClock,
) -> None:
    async with serving(client_urc_loss=1.0, accept_link="highest") as (r, served):
        far = r.internet.connect_to_server(PORT)
        async with r.link() as link:
            assert link.number == 8
            assert await exchange(link, HOSTILE) == HOSTILE
        assert await talk(far, HOSTILE) == HOSTILE
        assert served.clients[0].link.number == 9


async def test_a_ghost_is_still_closed_where_servers_listen(autojump_clock: MockClock) -> None:
    async with serving() as (r, _):
        ghost = r.module.dce.stack.new_tcp(9)
        r.module.dce.stack.connect(ghost, "far.example.com", 7)
        await trio.sleep(0.1)
        async with r.link() as link:
            assert link.number == 9
            assert await exchange(link, HOSTILE) == HOSTILE
        await r.settle()


async def test_a_report_that_comes_twice_is_one_client(autojump_clock: MockClock) -> None:
    async with serving() as (r, served):
        far = r.internet.connect_to_server(PORT, source=("198.51.100.9", 4711))
        assert await talk(far, b"one") == b"one"
        r.session.pool.note_far_client(0, 0, "198.51.100.9:4711")
        assert await talk(far, HOSTILE) == HOSTILE
        assert len(served.clients) == 1


async def test_an_open_that_is_refused_for_itself_is_not_tried_for_ever(
    autojump_clock: MockClock,
) -> None:
    async with serving(open_result="before_ok") as (r, _):
        with trio.fail_after(10), pytest.raises(LinkRefused) as caught:
            async with r.link(port=81):
                pytest.fail("nobody listens there")
        assert caught.value.code == 4
        await r.settle()

"""Opens that fail and ends that go unheard leave nothing behind."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from modemproxy.emulator.far_stream import FarStream
from modemproxy.emulator.output import Piece
from modemproxy.errors import LinkRefused, LocalProtocolError, NoFreeLink

from .rig import HOSTILE, exchange, read_all, rig

pytestmark = pytest.mark.timeout(20)


@pytest.mark.parametrize(
    ("host", "port", "code", "limit_s"),
    [
        ("far.example.com", 81, 4, 5),
        ("unknown.example.com", 80, 11, 5),
        ("silent.example.com", 80, 10, 31),
    ],
)
@pytest.mark.parametrize("order", ["after_ok", "before_ok"])
async def test_a_destination_that_cannot_be_reached_is_refused_by_its_number(
    autojump_clock: MockClock, host: str, port: int, code: int, limit_s: float, order: str
) -> None:
    async with rig(connect_s=30, open_result=order) as r:
        r.internet.add_silent("silent.example.com")
        with trio.fail_after(limit_s), pytest.raises(LinkRefused) as caught:
            async with r.link(host, port):
                pytest.fail("open")
        assert caught.value.code == code
        await r.settle()
        async with r.link() as link:
            assert await exchange(link, HOSTILE) == HOSTILE


@pytest.mark.parametrize("code", [1, 3, 5, 6, 8, 9, 12])
async def test_every_result_of_an_open_is_a_refusal(
    autojump_clock: MockClock, code: int
) -> None:
    async with rig(refused_err=code) as r:
        with trio.fail_after(5), pytest.raises(LinkRefused) as caught:
            async with r.link(port=81):
                pytest.fail("open")
        assert caught.value.code == code
        await r.settle()


@pytest.mark.parametrize(
    "options", [{}, {"close_delay_s": 8.0}, {"closed_link_query": "error"}], ids=str
)
async def test_a_hundred_connections_leave_nothing_behind(
    autojump_clock: MockClock, options: dict[str, Any]
) -> None:
    async with rig(**options) as r:

        async def talk(stream: FarStream) -> None:
            await stream.send_all(b"x" * 3000)

        r.listen(talk, 80)

        async def one(index: int) -> None:
            async with r.link(port=80, queue_s=600) as link:
                if index % 3 == 0:
                    assert await read_all(link) == b"x" * 3000
                elif index % 3 == 1:
                    await link.receive_some()

        async with trio.open_nursery() as nursery:
            for index in range(100):
                nursery.start_soon(one, index)
        await r.settle()
        assert all(link is None or not link.is_open for link in r.module.dce.stack.links)


async def test_a_close_whose_result_is_lost_frees_the_number_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:

        def tap(piece: Piece, data: bytes) -> bytes:
            return b"" if b"+CIPCLOSE: 9,0" in data else data

        async with r.link():
            r.module.dce.out.tap = tap
        with trio.fail_after(10):
            await r.settle()


async def test_a_far_client_that_nobody_asked_for_is_closed_again(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        r.module.dce.stack.listen(0, 8080)
        stream = r.internet.connect_to_server(8080)
        assert await stream.receive_some() == b""
        await r.settle()


async def test_a_host_name_that_could_leave_its_quotes_opens_nothing(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        with pytest.raises(LocalProtocolError):
            async with r.link('x",1\r\nAT+NETCLOSE\r'):
                pytest.fail("open")
        await r.settle()
        async with r.link() as link:
            assert await exchange(link, HOSTILE) == HOSTILE


async def test_the_end_of_the_session_wakes_everybody_who_waits(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        r.internet.add_silent("silent.example.com")
        outcomes: list[str] = []

        async def opening() -> None:
            with pytest.raises(LinkRefused):
                async with r.link("silent.example.com"):
                    pytest.fail("open")
            outcomes.append("opening")

        async def queued() -> None:
            with pytest.raises(NoFreeLink):
                async with r.link(queue_s=100):
                    pytest.fail("open")
            outcomes.append("queued")

        async def reading() -> None:
            async with r.link() as link:
                with pytest.raises(trio.BrokenResourceError):
                    await link.receive_some()
            outcomes.append("reading")

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(reading)
            nursery.start_soon(opening)
            await trio.sleep(1)
            nursery.start_soon(opening)
            await trio.sleep(1)
            nursery.start_soon(queued)
            await trio.sleep(1)
            with trio.fail_after(1):
                r.module.lose_network()
                await r.ended.wait()
        assert sorted(outcomes) == ["opening"] * 2 + ["queued"] + ["reading"] * 8
        with pytest.raises(NoFreeLink):
            async with r.link():
                pytest.fail("open")


async def test_an_open_that_succeeds_when_nobody_remembers_it_is_closed_again(
    autojump_clock: MockClock,
) -> None:
    async with rig() as r:
        forgotten = r.module.dce.stack.new_tcp(5)
        r.module.dce.stack.connect(forgotten, "far.example.com", 7)
        await trio.sleep(1)
        assert len(r.module.dce.stack.any_open()) == 1
        r.module.inject(b"\r\n+CIPOPEN: 5,0\r\n")
        await trio.sleep(1)
        await r.settle()

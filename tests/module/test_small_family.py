"""A module with fewer links and servers, and less to say about what was acknowledged."""

import logging
from collections.abc import Callable
from typing import Any, Final

import pytest
import trio

from modemproxy.emulator.atport import AtPort
from modemproxy.emulator.reply import Reply
from modemproxy.emulator.syntax import Call, Form
from modemproxy.errors import NoFreeLink
from modemproxy.journal import ServerArmed, ServerNotArmed
from modemproxy.module.numbers import Numbers
from modemproxy.module.servers import ServerPort

from .far_bench import serving, talk
from .rig import CLAIM, HOSTILE, exchange, rig, until

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("autojump_clock")]

#: SIM767XX (protocol.md 14): 4 links, 2 servers, and some commands less.
SMALL: Final[dict[str, Any]] = {
    "model": "SIM7670G-MNGV",
    "banner": ((0.0, "QCRDY"), (0.2, "+CPIN: {sim}"), (0.5, "SMS DONE"), (2.0, "PB DONE")),
    "link_count": 4,
    "server_count": 2,
    "server_backlog": "unknown",
    "cipack_acked": "reserved",
    "cipsendmode": False,
    "cipccfg_fields": 7,
    "rxget_modes": 4,
}


async def test_four_links_carry_exact_bytes_and_the_fifth_waits() -> None:
    async with rig(**SMALL) as r:
        released = trio.Event()
        taken: list[int] = []

        async def client() -> None:
            async with r.link() as link:
                taken.append(link.number)
                assert await exchange(link, HOSTILE * 20) == HOSTILE * 20
                await released.wait()

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(client)
            await until(lambda: len(taken) == 4, 10)
            with pytest.raises(NoFreeLink, match="all 4 links are in use"):
                async with r.link(queue_s=1):
                    pytest.fail("there is none")
            nursery.start_soon(client)
            released.set()
        assert sorted(taken[:4]) == [0, 1, 2, 3]
        assert len(taken) == 5
        await r.settle()


async def test_more_than_a_window_goes_out_although_nothing_is_said_to_arrive() -> None:
    data = HOSTILE * 200
    async with rig(**SMALL, stall_s=20, wan_latency_s=0.1) as r:
        sink = r.sink()
        async with r.link(port=9) as link:
            assert not link.outbound.ack_usable
            await link.send_all(data)
            await until(lambda: len(sink.received[0]) == len(data), 100)
            await trio.sleep(60)  # no stall: there is nothing to wait for
            assert link.reset is None
        assert sink.received[0] == data


async def test_two_servers_serve_and_the_third_is_said_to_be_refused() -> None:
    ports = [ServerPort(index, 9000 + index, f"s{index}") for index in range(3)]
    async with serving(*ports, listening=False, **SMALL) as (r, _):
        await until(lambda: r.events(ServerNotArmed) and len(r.events(ServerArmed)) == 2, 10)
        for port in (9000, 9001):
            assert await talk(r.internet.connect_to_server(port), HOSTILE) == HOSTILE
        assert [event.name for event in r.events(ServerNotArmed)] == ["s2"]


def damaging(times: int, line: str) -> Callable[[Any], None]:
    """Have CIPCLOSE? answered wrongly so many times."""

    def prepare(module: Any) -> None:
        handlers = module.dce.handlers
        true = handlers["+CIPCLOSE"]
        left = times

        def answer(dce: AtPort, call: Call) -> Reply | None:
            nonlocal left
            if call.form is Form.QUERY and left:
                left -= 1
                return Reply(info=(line,))
            reply: Reply | None = true(dce, call)
            return reply

        module.dce.handlers = {**handlers, "+CIPCLOSE": answer}

    return prepare


@pytest.mark.parametrize("times", [1, 2])
async def test_a_number_of_links_is_believed_when_it_was_said_twice(times: int) -> None:
    """Two bytes lost on the line leave nine links of ten, and that not twice."""
    async with rig(prepare=damaging(times, "+CIPCLOSE: 0,0,0,0,0,0,0,0,0")) as r:
        assert r.session.pool.numbers.count == (10 if times == 1 else 9)


async def test_a_lost_state_later_on_closes_no_link() -> None:
    async with rig() as r, r.link() as link:
        damaging(3, "+CIPCLOSE: 0,0,0,0,0,0,0,0,0")(r.module)
        await trio.sleep(300)
        assert not link.far_closed
        assert await exchange(link, b"still there") == b"still there"


def test_reserving_more_than_there_are_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Numbers(4, {"a": 4})
        assert not caplog.records
        Numbers(4, {"a": 3, "b": 2})
    assert "5 links are reserved, and this module has 4" in caplog.text


async def test_the_claims_of_a_small_module_are_served_in_turn() -> None:
    numbers = Numbers(4, {})
    first = [await numbers.acquire(CLAIM, until=trio.current_time() + 1) for _ in range(4)]
    assert first == [3, 2, 1, 0]

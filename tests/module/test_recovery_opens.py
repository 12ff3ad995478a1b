"""Clients that are being connected when the session ends are told at once."""

from pathlib import Path

import pytest
import trio

from modemproxy.emulator.faults import FaultBox
from modemproxy.errors import LinkError, NetworkError

from .recovery_bench import RecoveryBench, recovering
from .rig import CLAIM, FAR, Rig, rig

pytestmark = [pytest.mark.timeout(30), pytest.mark.usefixtures("autojump_clock")]

NO_NETWORK = NetworkError("the network is gone")


async def told_after(r: Rig, clients: int, *, queue_s: float = 10) -> list[float]:
    """Have so many clients connect, end the session, return when each was told of it."""
    told: list[float] = []

    async def client() -> None:
        with pytest.raises(LinkError, match="the network is gone"):
            async with r.link(queue_s=queue_s):
                pytest.fail("nobody answers")
        told.append(trio.current_time() - ended)

    async with trio.open_nursery() as nursery:
        for _ in range(clients):
            nursery.start_soon(client)
        await trio.sleep(1)
        ended = trio.current_time()
        r.session.fail(NO_NETWORK)
    return told


@pytest.mark.parametrize("clients", [1, 3, 12])
async def test_opens_that_a_deaf_module_has_not_heard_end_with_the_session(
    clients: int,
) -> None:
    """The first CIPOPEN is on the line, others wait behind it, two wait for a number."""
    async with rig() as r:
        box = FaultBox(r.module)
        r.nursery.start_soon(box.run)
        box.inject("deaf", keep=False)
        assert await told_after(r, clients) == [0.0] * clients
        box.clear()


async def test_opens_that_the_module_works_on_end_with_the_session() -> None:
    async with rig(open_delay_s=20) as r:
        assert await told_after(r, 3) == [0.0] * 3


async def test_an_open_that_waits_for_a_ghost_to_be_closed_ends_with_the_session() -> None:
    async with rig() as r:
        box = FaultBox(r.module)
        r.nursery.start_soon(box.run)
        box.inject("answer", command="+CIPOPEN", lines=["+CIPOPEN: 9,4"], final="ERROR")
        box.inject("lose_answer", command="+CIPCLOSE", times=0)
        assert await told_after(r, 1) == [0.0]
        box.clear()


async def test_a_module_full_of_opens_that_never_end_is_freed(tmp_path: Path) -> None:
    """Its sockets can neither be closed nor used again until the network is closed."""
    async with recovering(tmp_path, connect_s=5, close_while_opening="error") as b:
        session = await b.session(20)
        b.faults.inject("open_never", times=10)

        async def give_up() -> None:
            with trio.move_on_after(6):
                async with session.open_link(FAR, 7, claim=CLAIM, queue_s=1):
                    pytest.fail("nobody answers")

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(give_up)
        freed_at = trio.current_time()
        while not await served(b):
            assert trio.current_time() - freed_at < 60
            await trio.sleep(1)
        assert b.commands("+NETCLOSE", since=freed_at)


async def served(b: RecoveryBench) -> bool:
    """Be a client."""
    try:
        await b.served(30)
    except LinkError:
        return False
    return True

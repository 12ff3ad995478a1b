"""The program stops in time; the gate and the pauses between sessions."""

from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from modemproxy import app
from modemproxy.module.lifecycle import SessionGate
from modemproxy.module.session import Session
from modemproxy.module.state import StateStore

from .service import Service

pytestmark = pytest.mark.timeout(30)


# -- app.run: everything together, without clients -----------------------------------------


@pytest.mark.parametrize("when_s", [0.0, 0.5, 3.0, 30.0])
@pytest.mark.parametrize("mute", [True, False])
async def test_the_program_stops_in_time_whatever_the_module_does(
    autojump_clock: MockClock, tmp_path: Path, when_s: float, mute: bool
) -> None:
    async with trio.open_nursery() as nursery:
        service = Service(nursery, StateStore(tmp_path, "/dev/emulated"))
        service.mute(on=mute)
        stop = trio.Event()

        async def stop_later() -> None:
            await trio.sleep(when_s)
            stop.set()
            nursery.cancel_scope.deadline = trio.current_time() + 4

        nursery.start_soon(stop_later)
        await app.run(
            service.config(), open_port=service.open_port, state=service.state, stop=stop
        )
        assert trio.current_time() <= when_s + 4
        ended = True
        nursery.cancel_scope.cancel()
    assert ended
    if not mute and when_s >= 3:
        assert not service.module.dce.stack.net


async def test_the_program_stops_in_time_when_the_module_falls_silent(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with trio.open_nursery() as nursery:
        service = Service(nursery, StateStore(tmp_path, "/dev/emulated"))
        stop = trio.Event()

        async def stop_later() -> None:
            await trio.sleep(30)
            service.mute()
            await trio.sleep(2)
            stop.set()

        nursery.start_soon(stop_later)
        await app.run(
            service.config(), open_port=service.open_port, state=service.state, stop=stop
        )
        assert trio.current_time() <= 36
        nursery.cancel_scope.cancel()


# -- the gate and the pauses ---------------------------------------------------------------


async def test_the_gate_lets_everyone_in_who_waited(autojump_clock: MockClock) -> None:
    gate = SessionGate()
    session: Session = object.__new__(Session)
    came: list[Session] = []

    async def client() -> None:
        came.append(await gate.wait_session())

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(client)
        await trio.testing.wait_all_tasks_blocked()
        assert came == []
        with gate.opened(session):
            await trio.testing.wait_all_tasks_blocked()
            assert came == [session] * 3
            nursery.start_soon(client)
        await trio.testing.wait_all_tasks_blocked()
        assert len(came) == 3  # it came a moment too late, and waits for the next
        with gate.opened(session):
            await trio.testing.wait_all_tasks_blocked()
    assert len(came) == 4

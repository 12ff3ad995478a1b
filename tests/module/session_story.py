"""A story of clients, far sides and faults, played on a module that is kept in service."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import trio
import trio.testing

from modemproxy.emulator.faults import Fault
from modemproxy.errors import LineError, LinkError, NetworkError

from .recovery_bench import RecoveryBench
from .session_talk import FarEnd, Talk

#: A module's boot, and how soon somebody is served when nothing is wrong any more.
BOOT_S: Final = 3.0
BACK_S: Final = 30.0
_KNOCK_S: Final = 5
_NOT_SERVED: Final = (
    LinkError,
    LineError,
    NetworkError,
    trio.BrokenResourceError,
    trio.TooSlowError,
)


class Story:
    """One run: talks on a bench, told what to do step by step."""

    def __init__(self, nursery: trio.Nursery, bench: RecoveryBench) -> None:
        self.bench = bench
        self.talks: list[Talk] = []
        self.returned = False
        self._nursery = nursery

    async def supervise(self) -> None:
        """Keep the module in service; note that this has come to an end."""
        await self.bench.lifecycle.supervise()
        self.returned = True

    # -- steps --

    def start_talk(self) -> None:
        """A client comes."""
        if len(self.talks) < 40:
            self.talks.append(Talk(self.bench, len(self.talks)))
            self._nursery.start_soon(self.talks[-1].run)

    def some(self, index: int) -> Talk | None:
        """A talk that lives."""
        alive = [talk for talk in self.talks if not talk.end and talk.link is not None]
        return alive[index % len(alive)] if alive else None

    def with_some(self, index: int, what: Callable[[Talk], None]) -> None:
        """Do something with a talk that lives, if there is one."""
        if (talk := self.some(index)) is not None:
            what(talk)

    def with_far(self, index: int, what: Callable[[FarEnd], None]) -> None:
        """Do something with the far side of a talk that lives, if there is one."""
        talk = self.some(index)
        if talk is not None and talk.far:
            what(talk.far[-1])

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await trio.sleep(seconds)

    def fault(self, name: str, **given: object) -> None:
        """Inject."""
        self.bench.faults.add(Fault(name, **given))

    # -- what must hold --

    async def check(self) -> None:
        """Between two steps."""
        await trio.testing.wait_all_tasks_blocked()
        assert not self.returned, "supervise() came to an end"
        assert all(talk.woken for talk in self.talks), "somebody was not woken"
        session = self.bench.lifecycle.gate.session
        if session is not None:
            pool = session.pool
            used = [
                talk.link.number
                for talk in self.talks
                if talk.session is session and talk.link is not None and not talk.end
            ]
            assert len(used) == len(set(used)), "a number has two owners"
            assert not pool.numbers.free & set(used), "a number that is used is free"
            assert not any(pool.quarantine.holds(number) for number in used)

    async def finish(self) -> None:
        """No more faults: service is back, everybody comes to an end, nothing is left."""
        self.bench.faults.clear()
        alive = [talk for talk in self.talks if not talk.end]
        stay = [talk for talk in alive if talk.link is not None][:3]
        for talk in alive:
            if talk not in stay:
                talk.leave()  # somebody else wants a number
        await self._served_again()
        await self.bench.until(self._all_ended, 200)
        await self.check()
        for talk in self.talks:
            talk.check()
        session = await self.bench.session(5)
        await self.bench.until(lambda: session.pool.settled, 200)
        assert self.bench.module.dce.stack.any_open() == []

    def _all_ended(self) -> bool:
        """Have every far side close, also of those who got in just now."""
        for talk in self.talks:
            for far in talk.far:
                far.say(0)
        return all(talk.end for talk in self.talks)

    async def _served_again(self) -> None:
        """Every five seconds somebody knocks; one of them gets in before long."""
        served = trio.Event()

        async def knock(limit_s: float) -> None:
            with suppress(*_NOT_SERVED):
                await self.bench.served(limit_s)
                served.set()

        limit_s = BACK_S + BOOT_S
        with trio.fail_after(limit_s):
            async with trio.open_nursery() as nursery:
                for waited_s in range(0, int(limit_s), _KNOCK_S):
                    nursery.start_soon(knock, limit_s - waited_s)
                    with trio.move_on_after(_KNOCK_S):
                        await served.wait()
                        break
                await served.wait()
                nursery.cancel_scope.cancel()

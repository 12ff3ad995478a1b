"""The nursery tree of those who come in, and listeners that open and close one by one.

OPERATORS  who looks and steers; ends when the last client has
  HOST       one handler per client
    ACCEPT     the listeners; dies first
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import trio

from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.visit import Visit


class Served(Protocol):
    """Something that lets clients in."""

    async def serve(self, handlers: trio.Nursery) -> None:
        """Accept until cancelled; serve those who came in ``handlers``."""


@dataclass(slots=True)
class _Stay:
    """A listener that is being served."""

    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    over: trio.Event = field(default_factory=trio.Event)


class Reception:
    """Runs listeners; each comes and goes without the others noticing."""

    def __init__(self, roster: Roster) -> None:
        """Args: roster: tells when the last client has gone."""
        self._roster = roster
        self._left = trio.Event()
        self._stays: dict[Served, _Stay] = {}
        self._accept: trio.Nursery | None = None
        self._host: trio.Nursery | None = None
        self._operators: trio.Nursery | None = None
        roster.listen(self._note_left)

    def _note_left(self, _: Visit) -> None:
        self._left.set()
        self._left = trio.Event()

    async def run(
        self,
        clients: Iterable[Served],
        operators: Iterable[Served],
        stopping: trio.Event,
        grace_s: Callable[[], float],
    ) -> None:
        """Serve until ``stopping``; then give those inside their time to finish.

        Args:
            clients: the listeners to begin with.
            operators: those for operators; they are answered until the clients are gone.
            stopping: ends it.
            grace_s: asked at the end: how long those inside have, seconds.
        """
        async with trio.open_nursery() as self._operators:
            for each in operators:
                self.attend(each)
            async with trio.open_nursery() as self._host:
                async with trio.open_nursery() as self._accept:
                    for each in clients:
                        self.open(each)
                    await stopping.wait()
                    self._accept.cancel_scope.cancel()
                deadline = trio.current_time() + grace_s()
                self._host.cancel_scope.deadline = deadline
            with trio.move_on_at(deadline):
                await self.wait_empty()  # an operator's connection is a client's, too
            self._operators.cancel_scope.cancel()

    def open(self, served: Served) -> None:
        """Let clients in by one more listener."""
        assert self._accept is not None
        assert self._host is not None
        self._begin(served, self._accept, self._host)

    def attend(self, served: Served) -> None:
        """Let operators in by one more listener."""
        assert self._operators is not None
        self._begin(served, self._operators, self._operators)

    def _begin(self, served: Served, tasks: trio.Nursery, handlers: trio.Nursery) -> None:
        stay = self._stays[served] = _Stay()
        tasks.start_soon(self._serve, served, stay, handlers)

    async def _serve(self, served: Served, stay: _Stay, handlers: trio.Nursery) -> None:
        try:
            with stay.scope:
                await served.serve(handlers)
        finally:
            stay.over.set()

    def serves(self, served: Served) -> bool:
        """Whether a listener lets clients in."""
        return served in self._stays

    def close(self, served: Served) -> trio.Event:
        """Let nobody in by a listener any more; those inside stay.

        Returns:
            What is set when it has let go of its port.
        """
        stay = self._stays.pop(served)
        stay.scope.cancel()
        return stay.over

    def in_background(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task until it ends or clients are not let in any more."""
        assert self._accept is not None
        self._accept.start_soon(task)

    async def wait_empty(self) -> None:
        """Wait until no client is inside."""
        while self._roster.visits:
            await self._left.wait()

"""Drain: nobody is let in any more, those inside may finish until a deadline, then the end.

The listening ports are closed, not only guarded: a client that comes now is told at once
by its own kernel, and another program may have the port. The admin socket and the HTTP
listener stay until the last client has gone.
"""

import logging
from dataclasses import dataclass
from math import inf
from typing import Final

import trio

from modemproxy.journal import Event
from modemproxy.operate.program import Program
from modemproxy.surfaces.access import Access

log = logging.getLogger(__name__)

DRAINING: Final = "draining"
#: Who asked for it hears how it ended.
_LAST_WORD_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class DrainBegan(Event):
    """Nobody is let in any more."""

    inside: int
    deadline_s: float

    @property
    def text(self) -> str:
        """How many are inside, and how long they have."""
        return f"draining: {self.inside} inside, who have {self.deadline_s:g} s"


@dataclass(frozen=True, slots=True)
class DrainEnded(Event):
    """The program ends now."""

    left: int

    @property
    def text(self) -> str:
        """How many did not make it."""
        if not self.left:
            return "drained: everybody has finished"
        return f"drained: the time is up, {self.left} are reset"


class Drain:
    """Drains one program, once; asking again only moves the deadline.

    Attributes:
        over: set when nobody is inside any more, or the time was up.
        left: how many were inside then.
    """

    def __init__(self, program: Program) -> None:
        """Args: program: the one."""
        self._program = program
        self._scope = trio.CancelScope()
        self._began = False
        self.over = trio.Event()
        self.left = 0

    def begin(self, deadline_s: float) -> int:
        """Let nobody in any more; in ``deadline_s`` seconds those inside are reset.

        It goes on by itself. A program that is stopping already is not asked twice.

        Returns:
            How many are inside.
        """
        program = self._program
        inside = len(program.roster.visits)
        self._scope.deadline = trio.current_time() + deadline_s
        program.lifecycle.journal.record(DrainBegan(inside, deadline_s))
        if not self._began:
            self._began = program.draining = True
            self._close()
            program.reception.in_background(self._see_off)
        return inside

    def _close(self) -> None:
        program = self._program
        program.lifecycle.change_servers(())
        accesses: list[Access] = [desk.access for desk in program.servers.desks]
        for surface in program.surfaces:
            accesses.append(surface.access)
            if program.reception.serves(surface):
                program.reception.close(surface)
        for access in accesses:
            access.closed = access.closed or DRAINING

    async def _see_off(self) -> None:
        program = self._program
        with self._scope:
            await program.reception.wait_empty()
        self._scope.deadline = inf
        self.left = len(program.roster.visits)
        program.cut = True
        program.lifecycle.journal.record(DrainEnded(self.left))
        self.over.set()
        await trio.sleep(_LAST_WORD_S)
        program.why_stopping = program.why_stopping or "drained"
        program.stopping.set()

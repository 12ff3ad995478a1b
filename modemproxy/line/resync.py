"""Bringing a line back into step: the recovery ladder's first rung.

When an answer does not come, the line is out of step, and nobody gets it before it is in
step again. The order of things to try is that of the recovery ladder's first rung:

1. A prompt that does not come: one ``AT``, and only if the payload is longer than that
   (nothing reaches the peer before the last byte). OK: the command was lost, nothing was
   handed over. Otherwise the module is in data entry.
2. In data entry, nothing is sent until the module's own time-out has passed: whatever we
   wrote would reach the peer as data.
3. Otherwise silence for 250 ms (at most 2 s), then ``AT`` up to three times until a lone
   OK. Failing that, ``LineSilent`` ends the session.
"""

import logging
from typing import Final, Protocol

import trio

from modemproxy.at.commands import Attention
from modemproxy.at.dte import AnyCommand
from modemproxy.at.transfer import SendData
from modemproxy.errors import LineSilent, NoAnswer

log = logging.getLogger(__name__)

_QUIET_S: Final = 0.25
_QUIET_LIMIT_S: Final = 2.0
#: A module that did not answer the first AT at once answers all of them late.
_LATE_S: Final = 0.7
_PROBES: Final = 3
_PROBE_S: Final = 0.3
_PROMPT_PROBE_S: Final = 1.0
_AT_BYTES: Final = 3


class Line(Protocol):
    """What is needed of a channel."""

    data_entry_s: float
    entry_at: float

    async def probe(self, command: AnyCommand, wait_s: float) -> bool:
        """Whether OK comes back within ``wait_s`` seconds."""

    async def wait_quiet(self, quiet_s: float, limit_s: float) -> bool:
        """Wait until nothing was heard for ``quiet_s`` seconds."""

    async def wait_closed(self) -> None:
        """Wait for the end of the line."""


async def find_step(line: Line, command: AnyCommand) -> None:
    """Find the line in step again.

    Raises:
        LineSilent: the module does not answer; ``command`` is the one it left open.
        LineClosed: the line ended.
    """
    await line.wait_quiet(_QUIET_S, _QUIET_LIMIT_S)
    for sent in range(1, _PROBES + 1):
        if await line.probe(Attention(), _PROBE_S):
            # It may be the late OK of an earlier one: let every other one come.
            await line.wait_quiet(_QUIET_S if sent == 1 else _LATE_S, _QUIET_LIMIT_S)
            return
    raise LineSilent(command.shown)


async def _keep_silent(line: Line) -> None:
    """Say nothing until the module gives up; a prompt that comes late begins its time."""
    while (until := line.entry_at + line.data_entry_s) > trio.current_time():
        with trio.move_on_at(until):
            await line.wait_closed()
            return


async def miss_prompt(line: Line, command: SendData) -> None:
    """Deal with a prompt that did not come: return if nothing was handed over.

    Raises:
        NoAnswer: the module was in data entry; the outcome of the send is not known.
        LineSilent, LineClosed: as ``find_step``.
    """
    asked_at = line.entry_at
    lost = len(command.data) > _AT_BYTES and await line.probe(Attention(), _PROMPT_PROBE_S)
    if lost and line.entry_at == asked_at:
        return
    log.warning("module is in data entry: silent until its own time-out")
    line.entry_at = trio.current_time()
    await _keep_silent(line)
    await find_step(line, command)
    raise NoAnswer(command.shown, handed_over=True)

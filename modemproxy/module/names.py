"""Names looked up by the module's own resolver."""

from collections.abc import Callable
from typing import Final

import trio

from modemproxy.at.names import ResolveName
from modemproxy.at.results import Refused
from modemproxy.errors import CommandError, LookupFailed
from modemproxy.line.scheduler import Scheduler

#: How long a name is waited for. The line itself is taken for as long as the module looks:
#: it must not be given up on sooner than the slowest firmware answers.
LIMIT_S: Final = 10.0
_GENERAL_ERROR: Final = 10


class Resolver:
    """Asks for one name at a time: whoever has bytes to move gets a turn in between."""

    def __init__(self, scheduler: Scheduler, on_network_closed: Callable[[str], None]) -> None:
        """Args:
        scheduler: the line.
        on_network_closed: called with words when the stack turns out to be down.
        """
        self._execute = scheduler.execute
        self._on_network_closed = on_network_closed
        self._turn = trio.Lock()

    async def resolve(self, name: str) -> list[str]:
        """Look a name up.

        Cancelling while the module looks returns at once; the line stays taken.

        Args:
            name: a host name.

        Returns:
            Its addresses in the module's order, at least one.

        Raises:
            LookupFailed: the module has none, or did not answer within 10 s.
            LineError: the line ended.
            LocalProtocolError: it is no host name.
        """
        command = ResolveName(name)
        _ = command.text  # what is not fit for the line need not wait for it
        with trio.move_on_after(LIMIT_S):
            async with self._turn:
                return await self._ask(command)
        raise LookupFailed(name, f"no answer within {LIMIT_S:.0f} s")

    async def _ask(self, command: ResolveName) -> list[str]:
        try:
            return await self._execute(command)
        except Refused as error:
            if error.failure.is_network_closed:
                self._on_network_closed(str(error))
            reason = error.reason
            if error.code == _GENERAL_ERROR:  # in CDNSGIP's own table (manual 15.2)
                reason = "the module's resolver has no answer"
            raise LookupFailed(command.name, reason, error.code) from error
        except CommandError as error:
            raise LookupFailed(command.name, error.reason) from error

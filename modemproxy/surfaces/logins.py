"""Failed logins: each costs its client time, so that passwords can not be guessed fast."""

from typing import Final

import trio

from modemproxy.surfaces.access import Denied

#: One guess of a client's address in so many seconds; those who come side by side queue.
_PENALTY_S: Final = 1.0
#: Who already has so much to wait is not let in at all.
_MOST_S: Final = 10.0
#: Addresses that are remembered; the oldest is forgiven first.
_KEPT: Final = 1000


class Logins:
    """What the addresses that failed to log in have to wait for."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}

    def check(self, host: str) -> None:
        """Let an address in that has not failed too often of late.

        Raises:
            Denied: it has.
        """
        if self._due.get(host, 0.0) - trio.current_time() >= _MOST_S:
            raise Denied("too many failed logins")

    async def penalise(self, host: str) -> None:
        """Wait before the answer to a failed login; cancelling keeps the penalty."""
        now = trio.current_time()
        due = max(self._due.pop(host, now), now) + _PENALTY_S
        if len(self._due) >= _KEPT:
            del self._due[next(iter(self._due))]
        self._due[host] = due
        await trio.sleep_until(due)

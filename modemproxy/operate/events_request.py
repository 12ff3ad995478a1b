"""The admin socket's ``events``: what has happened, and with ``follow`` what happens.

::

    {"request": "events", "count": 100, "since": null, "follow": false}
    {"ok": true, "events": [{"at": 1763860000.1, "kind": "ModuleUp", "level": "info", ...}]}
    {"event": {...}}                    a line each, with ``follow``
"""

from collections.abc import Mapping
from math import inf
from typing import Final

import trio

from modemproxy.operate.admin import BadRequest, Caller, Handler, Request
from modemproxy.operate.chronicle import Chronicle, Told
from modemproxy.operate.local import LocalConnection, json_line

_MOST: Final = 5000
#: For a follower that is slower than what happens; then it misses some, and is told.
_AHEAD: Final = 200
#: Lines read in a row before others have their turn: some milliseconds on the slowest board.
_AT_ONCE: Final = 100
#: How often is looked whether a follower is still there while nothing happens, seconds.
_LOOK_S: Final = 10.0


def telling(chronicle: Chronicle) -> Mapping[str, Handler]:
    """Give what answers the request.

    Args:
        chronicle: what is told of.
    """

    async def events(request: Request, caller: Caller) -> bool:
        count, since, follow = _read(request)
        if not follow:
            await _tell(chronicle, caller, count, since)
            return True
        follower = _Follower(caller)
        leave = chronicle.listen(follower.note)
        try:
            await _tell(chronicle, caller, count, since)
            await follower.run()
        finally:
            leave()
        return False

    return {"events": events}


async def _tell(chronicle: Chronicle, caller: Caller, count: int, since: float) -> None:
    found = await _gather(chronicle, count, since)
    await caller.stream.send_all(json_line({"ok": True, "events": found}))


async def _gather(chronicle: Chronicle, count: int, since: float) -> list[Told]:
    """Read as ``Chronicle.read`` does, and let others have their turn meanwhile."""
    found: list[Told] = []
    for number, told in enumerate(chronicle.newest_first(), 1):
        if len(found) >= count:
            break
        if told is not None and told["at"] >= since:
            found.append(told)
        if number % _AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
    return found[::-1]


class _Follower:
    """Who is told of events as they happen."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._missed = 0
        self._send, self._coming = trio.open_memory_channel[Told](_AHEAD)

    def note(self, told: Told) -> None:
        """Something has happened."""
        try:
            self._send.send_nowait(told)
        except trio.WouldBlock:
            self._missed += 1

    async def run(self) -> None:
        """Tell of it until the caller is gone."""
        client = LocalConnection(self._caller.stream)
        while not client.gone:
            told = None
            with trio.move_on_after(_LOOK_S):
                told = await self._coming.receive()
            if told is not None:
                await self._caller.stream.send_all(json_line(self._line(told)))

    def _line(self, told: Told) -> dict[str, object]:
        missed, self._missed = self._missed, 0
        return {"event": told, "missed": missed} if missed else {"event": told}


def _read(request: Request) -> tuple[int, float, bool]:
    count, since = request.get("count", 100), request.get("since")
    follow = request.get("follow", False)
    if type(count) is not int or not 0 <= count <= _MOST:
        raise BadRequest(f"count: a number from 0 to {_MOST}")
    if isinstance(since, bool) or not isinstance(since, int | float | None):
        raise BadRequest("since: seconds since the epoch, or null")
    if not isinstance(follow, bool):
        raise BadRequest("follow: true or false")
    return count, -inf if since is None else since, follow

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
from modemproxy.operate.local import json_line

_MOST: Final = 5000
#: For a follower that is slower than what happens; then it misses some, and is told.
_AHEAD: Final = 200


def telling(chronicle: Chronicle) -> Mapping[str, Handler]:
    """Give what answers the request.

    Args:
        chronicle: what is told of.
    """

    async def events(request: Request, caller: Caller) -> bool:
        count, since, follow = _read(request)
        missed = 0
        send, coming = trio.open_memory_channel[Told](_AHEAD)

        def note(told: Told) -> None:
            nonlocal missed
            try:
                send.send_nowait(told)
            except trio.WouldBlock:
                missed += 1

        leave = chronicle.listen(note) if follow else lambda: None
        try:
            answer = {"ok": True, "events": chronicle.read(count, since)}
            await caller.stream.send_all(json_line(answer))
            while follow:
                told = await coming.receive()
                line = {"event": told, "missed": missed} if missed else {"event": told}
                missed = 0
                await caller.stream.send_all(json_line(line))
        finally:
            leave()
        return True

    return {"events": events}


def _read(request: Request) -> tuple[int, float, bool]:
    count, since = request.get("count", 100), request.get("since")
    follow = request.get("follow", False)
    if type(count) is not int or not 0 <= count <= _MOST:
        raise BadRequest(f"count: a number from 0 to {_MOST}")
    if since is not None and type(since) not in (int, float):
        raise BadRequest("since: seconds since the epoch, or null")
    if not isinstance(follow, bool):
        raise BadRequest("follow: true or false")
    return count, -inf if since is None else float(since), follow  # type: ignore[arg-type]

"""Scenes that several rows share: traffic of a kind, and a client that comes afterwards."""

from typing import Final

import trio

from tests.matrix.traffic import Role, download, upload
from tests.matrix.world import World

#: Says something, and then nothing for longer than any fault lasts.
IDLE: Final = Role("idle", ((100, 100), (100, 100)), pause_s=200.0)
_TRAFFIC: Final[dict[str, list[Role]]] = {
    "idle": [IDLE, IDLE, IDLE],
    "upload": [upload(400_000), upload(400_000), IDLE],
    "download": [download(400_000), download(400_000), IDLE],
}
KINDS: Final = tuple(_TRAFFIC)


async def under(w: World, kind: str) -> None:
    """Have traffic of a kind, and be in the midst of it; idle, polls have become rare.

    Args:
        w: the world.
        kind: one of ``KINDS``.
    """
    victim, *others = _TRAFFIC[kind]
    await w.start(victim, others=others)
    await trio.sleep(20 if kind == "idle" else 2)


async def serve_again(w: World) -> None:
    """Come as clients come until one is served; note the time as ``served``."""
    since = trio.current_time()
    client = w.probe()
    while not client.received:
        await client.moved(down=1)
        if client.end == "RST":
            await trio.sleep(0.1)
            client = w.probe()
    w.notes["served"] = trio.current_time() - since


def served(w: World, calm: World | None) -> float:
    """How long ``serve_again`` took, for ``Rules.measure``."""
    return w.notes["served"]


def settled(w: World, calm: World | None) -> float:
    """From the fault until a client was served and whoever is reset has been reset."""
    since = w.struck_at or 0.0
    return max([w.notes["served"], *(c.ended_at - since for c in w.connections if c.victim)])


def note_victims(w: World) -> None:
    """Whom a fault hits is left to chance: those who were reset."""
    for connection in w.connections:
        connection.victim = connection.end == "RST"

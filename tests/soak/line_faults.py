"""Faults of the line between the proxy and the module, and what all faults share."""

from collections.abc import Callable
from random import Random
from typing import Final

import trio

from modemproxy.emulator.faults import FaultBox
from tests.soak.exclusive import Exclusive
from tests.soak.stage import Stage

_LONGEST_S: Final = 15.0
_BURSTS: Final = (1, 1, 3, 4, 5, 9, 14, 23, 300)


class LineFaults:
    """Loses, holds up, cuts and refuses bytes; see ``faults`` for what is never done.

    Args:
        stage: where.
        rng: decides everything.
        say: told in words about each.
    """

    def __init__(self, stage: Stage, rng: Random, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._rng = rng
        self._say = say
        self._box = FaultBox(stage.module, stage, seed=rng.getrandbits(32))
        self._exclusive = Exclusive(self._box)

    def _seconds(self, most: float = _LONGEST_S) -> float:
        return self._rng.choice((0.3, 1.0, 3.0, 8.0, most)) * self._rng.uniform(0.5, 1.0)

    def _may_hide(self) -> bool:
        """Whether reports of data may be lost: not where the module discards unread data."""
        profile = self._stage.module.profile
        return profile.keep_data_after_close and not profile.reset_discards_data

    def _may(self, name: str, words: str) -> bool:
        """Say what begins, unless it must not."""
        if self._exclusive.keeps_out(name):
            return False
        self._say(words)
        return True

    async def lose_bytes(self) -> None:
        """A burst of bytes is lost, in either direction, anywhere."""
        if (wire := self._stage.wire) is None:
            return
        way, name = self._rng.choice(((wire.to_module, "up"), (wire.to_host, "down")))
        if name == "down" and not self._may_hide():
            return
        count, skip = self._rng.choice(_BURSTS), self._rng.randint(0, 4000)
        if not self._may(f"lose_bytes {name}", f"{count} bytes lost {name}, after {skip}"):
            return

        def lose(data: bytes) -> bytes:
            nonlocal count, skip
            kept, data = data[:skip], data[skip:]
            skip -= len(kept)
            if not skip and data and count:
                gone = min(count, len(data))
                count -= gone
                data = data[gone:]
            return kept + data

        way.filter = lose
        with self._exclusive.working(f"lose_bytes {name}"):
            await trio.sleep(self._seconds(10))
        way.filter = lambda data: data

    async def hold(self) -> None:
        """Bytes come late, all of them."""
        if (wire := self._stage.wire) is None:
            return
        way, name = self._rng.choice(((wire.to_module, "up"), (wire.to_host, "down")))
        seconds = self._seconds()
        if not self._may(f"hold {name}", f"line held {name} for {seconds:.1f} s"):
            return
        way.held_until = trio.current_time() + seconds
        with self._exclusive.working(f"hold {name}"):
            await trio.sleep(seconds)

    async def slice(self) -> None:
        """Bytes come in pieces."""
        if (wire := self._stage.wire) is None:
            return
        size = self._rng.choice((1, 7, 100))
        self._say(f"reads of {size} bytes")
        wire.to_host.slice = size
        await trio.sleep(self._seconds(3))
        wire.to_host.slice = None

    async def refuse_writes(self) -> None:
        """Nothing can be written: flow control that is on and not wired."""
        if (wire := self._stage.wire) is None:
            return
        seconds = self._seconds()
        self._say(f"writes refused for {seconds:.1f} s")
        wire.refusing_until = trio.current_time() + seconds
        await trio.sleep(seconds)

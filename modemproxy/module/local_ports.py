"""Local ports of the module's UDP sockets, none used again soon. Sync.

A late answer to one client's question must not reach the next client: it comes to the port
that asked. So ports are taken in turn, beginning anywhere, since the run before this one
also took some; and where the turn begins is no stranger's to guess.
"""

import random
from typing import Final

#: The dynamic ports of RFC 6335, section 6.
_FIRST: Final = 49152
_COUNT: Final = 65536 - _FIRST


class LocalPorts:
    """Gives out one port after the other."""

    def __init__(self, first: int | None = None) -> None:
        """Args: first: where to begin; anywhere when left out."""
        chosen = random.SystemRandom().randrange(_COUNT) if first is None else first - _FIRST
        self._next = chosen % _COUNT

    def take(self) -> int:
        """Return a port that was not returned for as long as possible."""
        port = _FIRST + self._next
        self._next = (self._next + 1) % _COUNT
        return port

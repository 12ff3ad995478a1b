"""Counts, from the bytes on the line, what each link of the emulated module did.

The emulator counts commands by name only; who had the airtime is seen from the commands
themselves. The carried stream (payload.py) holds nothing that looks like one.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

_COMMAND: Final = re.compile(rb"AT\+CIP(?:SEND=(\d),(\d+)|RXGET=2,(\d)(?:,\d+)?)\r")
_COMMAND_MAX: Final = 24
_BUSY: Final = b"+CIPERROR: 8"


@dataclass(slots=True)
class LinkTally:
    """The exchanges of one link number."""

    sends: int = 0
    send_bytes: int = 0
    reads: int = 0


class WireTally:
    """Takes the bytes of both directions as they pass."""

    def __init__(self) -> None:
        self.links: defaultdict[int, LinkTally] = defaultdict(LinkTally)
        self.busy = 0
        self._rest = {">": b"", "<": b""}

    def trace(self, direction: str, data: bytes) -> None:
        """Look for commands to (``>``) and busy answers of (``<``) the module."""
        data = self._rest[direction] + data
        if direction == "<":
            self.busy += data.count(_BUSY)
            self._rest["<"] = data[-(len(_BUSY) - 1) :]
            return
        end = 0
        for match in _COMMAND.finditer(data):
            self._count(match)
            end = match.end()
        self._rest[">"] = data[end:][-_COMMAND_MAX:]

    def _count(self, match: re.Match[bytes]) -> None:
        if match[1] is None:
            self.links[int(match[3])].reads += 1
        else:
            link = self.links[int(match[1])]
            link.sends += 1
            link.send_bytes += int(match[2])

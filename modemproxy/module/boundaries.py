"""Whether reads of a datagram link end where datagrams end. Sync.

In package mode (CIPCCFG's last field, set before NETOPEN) one read is one datagram. Older
firmware refuses the setting and gives what its buffer holds, several datagrams as one, and
nothing in such a read tells. What can be told:

* a read that is filled to the last byte with more behind it was most likely cut off by its
  own size, because a datagram that long hardly ever crosses a mobile network: then the
  mode was accepted and is not kept;
* reads that stop short of what is there, at different lengths, stop at boundaries: then a
  full read is a datagram too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from modemproxy.at.transfer import MAX_READ

#: One length could be a firmware's own limit on reads.
_PROOFS: Final = 2


@dataclass(slots=True)
class Boundaries:
    """What is known about boundaries, for all links of a session.

    Attributes:
        accepted: the module took the setting.
        on_suspected: called once, when a read was seen that contradicts it.
        suspected: it was.
    """

    accepted: bool
    on_suspected: Callable[[], None] = lambda: None
    suspected: bool = False
    _stops: set[int] = field(default_factory=set)

    @property
    def proven(self) -> bool:
        """Reads were seen to stop at boundaries."""
        return len(self._stops) >= _PROOFS

    @property
    def kept(self) -> bool:
        """One read is one datagram, as far as is known."""
        return self.accepted and (self.proven or not self.suspected)

    def note_read(self, size: int, rest: int) -> bool:
        """Judge a read.

        Args:
            size: its bytes.
            rest: how many bytes the module said it holds on top.

        Returns:
            False when the read was cut off in the midst of its datagrams.
        """
        if not rest:
            return True
        if size < MAX_READ:
            if len(self._stops) < _PROOFS and self.accepted and not self.suspected:
                self._stops.add(size)
            return True
        if self.accepted and self.proven:
            return True
        if self.accepted and not self.suspected:
            self.suspected = True
            self.on_suspected()
        return False

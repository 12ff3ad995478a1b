"""What a link has received and the DTE has not read yet.

TCP: two stages. The first is what ``rest`` counts; the second is the TCP layer's own and
moves in some time after the first ran empty, which is why "rest 0" is not the end.
UDP: concatenated ("by buf") or kept apart ("by package"), CIPCCFG's last field; what is not
known of the latter (protocol.md 5.6) is a choice.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from modemproxy.emulator.internet import Address

#: What a read can see at once of a buffer that is to be all second stage.
_SEGMENT: Final = 1460


class Unread(Protocol):
    """What reads and pushes need to know of a buffer."""

    def waiting(self) -> int:
        """Return how many bytes a read can see."""

    def count(self) -> int:
        """Return how many bytes wait, as CIPRXGET=4 says it."""

    def rest(self) -> int:
        """Return how many bytes are left, as a read says it."""

    def take(self, limit: int) -> bytes:
        """Remove and return at most ``limit`` bytes."""

    def clear(self) -> None:
        """Throw everything away."""


class StreamBuffer:
    """Received bytes of a TCP link.

    Args:
        first: bytes the first stage holds; the second has no limit of its own, because
            the window (``Connection.room``) bounds the sum.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self._seen = bytearray()
        self._behind = bytearray()

    @classmethod
    def staged(cls, whole: int, second: int) -> "StreamBuffer":
        """Make one of a buffer of which a read cannot see ``second`` bytes at once."""
        return cls(whole - second if second < whole else min(whole, _SEGMENT))

    def __len__(self) -> int:
        return len(self._seen) + len(self._behind)

    def waiting(self) -> int:
        """Return how many bytes a read can see."""
        return len(self._seen)

    count = rest = waiting

    def add(self, data: bytes) -> None:
        """Store what came in; order is kept."""
        room = 0 if self._behind else self._first - len(self._seen)
        self._seen += data[:room]
        self._behind += data[room:]

    def needs_refill(self) -> bool:
        """Say whether the first stage is empty and the second is not."""
        return bool(self._behind) and not self._seen

    def refill(self) -> None:
        """Move from the second stage to the first."""
        count = self._first - len(self._seen)
        self._seen += self._behind[:count]
        del self._behind[:count]

    def take(self, limit: int) -> bytes:
        """Remove and return at most ``limit`` bytes of the first stage."""
        data = bytes(self._seen[:limit])
        del self._seen[: len(data)]
        return data

    def clear(self) -> None:
        """Throw everything away."""
        self._seen.clear()
        self._behind.clear()


class DatagramBuffer:
    """Received datagrams of a UDP link, each with its sender.

    Args:
        by_package: keep boundaries: one ``take`` is one datagram.
        capacity: bytes; what comes on top is dropped.
        keep_surplus: by package, what a short ``take`` leaves of its datagram is the next.
        count_one: by package, ``count`` and ``rest`` are about one datagram, not about all.

    Attributes:
        on_cut: told how many bytes of a datagram a ``take`` by package left.
    """

    def __init__(
        self,
        *,
        by_package: bool,
        capacity: int,
        keep_surplus: bool = False,
        count_one: bool = False,
    ) -> None:
        self._by_package = by_package
        self._capacity = capacity
        self._keep_surplus = keep_surplus
        self._count_one = by_package and count_one
        self._parts: deque[tuple[Address, bytes]] = deque()
        self._size = 0
        self._in_the_midst = False
        self.on_cut: Callable[[int], None] = lambda _left: None

    def waiting(self) -> int:
        """Return how many bytes are stored."""
        return self._size

    def count(self) -> int:
        """Return how many bytes wait, as CIPRXGET=4 says it."""
        if self._count_one:
            return len(self._parts[0][1]) if self._parts else 0
        return self._size

    def rest(self) -> int:
        """Return how many bytes are left, as a read says it."""
        if not self._count_one:
            return self._size
        return len(self._parts[0][1]) if self._in_the_midst else 0

    def add(self, data: bytes, source: Address) -> bool:
        """Store one datagram; False when there is no room and it is lost."""
        if self._size + len(data) > self._capacity:
            return False
        self._size += len(data)
        self._parts.append((source, data))
        return True

    def take(self, limit: int) -> bytes:
        """Remove and return at most ``limit`` bytes, in package mode of one datagram."""
        if self._by_package:
            return self._take_package(limit) if self._parts else b""
        taken = bytearray()
        while self._parts and len(taken) < limit:
            taken += self.take_one(limit - len(taken))[1]
        return bytes(taken)

    def _take_package(self, limit: int) -> bytes:
        source, data = self._parts.popleft()
        self._size -= len(data)
        taken, left = data[:limit], data[limit:]
        if left:
            self.on_cut(len(left))
        self._in_the_midst = bool(left) and self._keep_surplus
        if self._in_the_midst:
            self._parts.appendleft((source, left))
            self._size += len(left)
        return taken

    def take_one(self, limit: int) -> tuple[Address, bytes]:
        """Remove and return the first ``limit`` bytes of the first datagram, and its sender."""
        source, data = self._parts.popleft()
        if data[limit:]:
            self._parts.appendleft((source, data[limit:]))
        self._size -= len(data[:limit])
        return source, data[:limit]

    def clear(self) -> None:
        """Throw everything away."""
        self._parts.clear()
        self._size = 0

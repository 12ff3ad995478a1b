"""The receiving half of a datagram link: hints, reads and polls. Sync.

As with TCP the module's report that data waits is only a hint, given once until the buffer
was emptied, and now and then lost. So a hint is read at once and until nothing is left,
once more shortly after, and then polled with growing gaps (rulings.md 14).

What the owner does not take stays in the module, which drops what does not fit.
"""

from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Final

from modemproxy.at.transfer import CHUNK, MAX_READ
from modemproxy.module.boundaries import Boundaries
from modemproxy.module.inbound import HintHealth

#: Datagrams read and not yet taken by the owner.
INBOX_LIMIT: Final = 16
_SMALL: Final = 256
_CONFIRM_LIMIT_S: Final = 0.1
_FIRST_ROUND_TRIP_S: Final = 0.05
#: A hint that led to nothing: look again.
_SECOND_LOOK_S: Final = 0.05
_FIRST_POLL_S: Final = 0.3
_ACTIVE_FOR_S: Final = 5.0
_ACTIVE_CEILING_S: Final = 0.9
_IDLE_CEILING_S: Final = 30.0
_ACTIVE_GROWTH: Final = 2
_IDLE_GROWTH: Final = 3
#: Second looks that found more although nothing was said to be left: it is never said.
_CHAIN_AFTER: Final = 2


@dataclass(slots=True)
class Inbox:
    """What is known about the datagrams coming from the far side.

    Attributes:
        received: datagrams that were read.
        lost: reads that brought nothing whole: damaged on the line, or cut off.
        used_at: when something last came.
        read_size: how many bytes a read asks for.
    """

    hints: HintHealth
    boundaries: Boundaries
    received: int = 0
    lost: int = 0
    used_at: float = -inf
    read_size: int = MAX_READ
    hint: bool = False
    polling: bool = False
    _announced: bool = False
    _queue: deque[bytes] = field(default_factory=deque)
    #: Something was announced that the read under way may not bring.
    _more: bool = False
    _cut_off: bool = False
    _last_size: int = 0
    _confirming: bool = False
    _unsaid: int = 0
    _second_look: bool = False
    _active_at: float = -inf
    _poll_at: float = inf
    _poll_gap: float = _FIRST_POLL_S
    _sent_at: float | None = None
    _round_trip_s: float = _FIRST_ROUND_TRIP_S

    @property
    def empty(self) -> bool:
        """Nothing waits for the owner, here or (as far as is known) in the module."""
        return not self._queue and not self.hint

    def take(self) -> bytes | None:
        """Take the oldest datagram; None when there is none."""
        return self._queue.popleft() if self._queue else None

    @property
    def small(self) -> bool:
        """The next read is not known to be a large one."""
        return self._last_size <= _SMALL

    @property
    def wanted(self) -> bool:
        """Whether to read now, because something says that there is something."""
        return self.hint and self._has_room

    @property
    def _has_room(self) -> bool:
        return len(self._queue) < INBOX_LIMIT

    def poll_due(self, now: float) -> bool:
        """Whether to look although nothing says that there is something."""
        return self._poll_at <= now and self._has_room

    def due_at(self) -> float:
        """When time alone will make this half want to read."""
        return self._poll_at if self._has_room else inf

    # -- what happens -------------------------------------------------------------------

    def note_sent(self, now: float) -> None:
        """A datagram of ours left: expect an answer."""
        if now - self._active_at > _ACTIVE_FOR_S:
            self._poll_gap = _FIRST_POLL_S
        self._active_at = now
        if self._sent_at is None:
            self._sent_at = now
        self._poll_at = min(self._poll_at, now + self._poll_gap)

    def note_hint(self, *, behind: bool) -> None:
        """The module says that data waits.

        Args:
            behind: not only what a read that waits for its header will bring.
        """
        self.hint = self._announced = True
        self._more = self._more or behind

    def begin_read(self) -> None:
        """A read is asked for: it brings what was announced so far."""
        self._more = False

    def note_data(self, data: bytes, rest: int, now: float) -> None:
        """A read brought ``data``; the module holds ``rest`` more."""
        self._note_unannounced()
        whole = self.boundaries.note_read(len(data), rest)
        if whole and not self._cut_off:
            self._queue.append(data)
            self.received += 1
        else:
            self.lost += 1
        self._cut_off = bool(rest) and (self._cut_off or not whole)
        self._last_size = len(data)
        self._confirming = not rest
        self._second_look = False
        self._announced = rest > 0 or self._more
        self.hint = self._announced or self._unsaid >= _CHAIN_AFTER
        if self._sent_at is not None:
            self._round_trip_s += (now - self._sent_at - self._round_trip_s) / 8
            self._sent_at = None
        self.used_at = self._active_at = now
        self._poll_gap = _FIRST_POLL_S
        self._poll_at = now + min(self._round_trip_s, _CONFIRM_LIMIT_S)

    def _note_unannounced(self) -> None:
        """A poll found something: its report was lost, or reads do not tell what is left."""
        if not self.polling or self.hint:
            return
        if self._confirming:
            self._unsaid += 1
        else:
            self.hints.lost += 1

    def note_empty(self, now: float) -> None:
        """A read found nothing."""
        announced = self._announced
        self.hint = self._announced = self._more
        self._confirming = self._cut_off = False
        if announced and not self._second_look:
            self._second_look = True
            self._poll_at = now + _SECOND_LOOK_S
            return
        self._second_look = False
        active = now - self._active_at < _ACTIVE_FOR_S or not self.hints.reliable
        ceiling = _ACTIVE_CEILING_S if active else _IDLE_CEILING_S
        self._poll_at = now + min(self._poll_gap, ceiling)
        growth = _ACTIVE_GROWTH if active else _IDLE_GROWTH
        self._poll_gap = min(self._poll_gap * growth, ceiling)

    def note_damaged(self, now: float) -> None:
        """A read was damaged on the line: its datagram is lost, others may wait."""
        self.lost += 1
        self._poll_at = min(self._poll_at, now + _SECOND_LOOK_S)

    def shorten_reads(self) -> bool:
        """This firmware takes no such length; say whether there is a shorter one to try."""
        shorter = self.read_size > CHUNK
        self.read_size = CHUNK
        return shorter

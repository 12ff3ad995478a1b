"""The sending half of a datagram link: a short queue of what is still fresh. Sync.

A datagram is worth something for a moment: whoever waits for its answer asks again soon.
So at most ``QUEUE_LIMIT`` wait, none longer than ``AGE_LIMIT_S``, and the oldest gives way.

A send that the module refused before it had the payload is tried again. One whose outcome
is not known is not: a lost datagram is what UDP is like, one that comes twice is not.
There is no counter to ask afterwards (CIPACK is for TCP), so a result line that does not
come is not waited for long: nothing but the next send depends on it.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Final

from modemproxy.at.transfer import MAX_READ
from modemproxy.module.boundaries import Boundaries

#: What one CIPSEND takes, and what one read can bring back.
MAX_DATAGRAM: Final = MAX_READ
QUEUE_LIMIT: Final = 16
AGE_LIMIT_S: Final = 0.5
_BUSY_FIRST_S: Final = 0.010
_BUSY_LIMIT_S: Final = 2.0
_RESULT_LIMIT_S: Final = 2.0
#: Where answers may merge, the next datagram waits so long for the answer to the last ...
_ANSWER_S: Final = 0.25
#: ... unless so many in a row had none: a far side that only listens is not waited for.
_UNANSWERED: Final = 2


@dataclass(slots=True)
class Flight:
    """One CIPSEND from its command to its result.

    Attributes:
        data: the datagram.
        queued_at: since when its age counts.
        since: when the command went out.
        accepted: OK was seen.
        confirmed: the count of the result line, once seen.
    """

    data: bytes
    queued_at: float
    since: float
    accepted: bool = False
    confirmed: int | None = None


@dataclass(slots=True)
class Outbox:
    """What is known about the datagrams going to the far side.

    Attributes:
        sent: datagrams that the module's stack took.
        dropped_full: gave way to newer ones.
        dropped_old: waited too long.
        lost: handed to the module, with a bad outcome or none.
        used_at: when something was last queued or sent.
    """

    boundaries: Boundaries
    sent: int = 0
    dropped_full: int = 0
    dropped_old: int = 0
    lost: int = 0
    used_at: float = -inf
    flight: Flight | None = None
    refusals: int = 0
    hold_until: float = -inf
    answer_until: float = -inf
    unanswered: int = 0
    busy_count: int = 0
    _queue: deque[tuple[float, bytes]] = field(default_factory=deque)

    @property
    def empty(self) -> bool:
        """Nothing waits or is on its way."""
        return not self._queue and self.flight is None

    @property
    def waiting(self) -> int:
        """How many datagrams are queued."""
        return len(self._queue)

    def put(self, data: bytes, now: float) -> bool:
        """Queue a datagram; say whether others were dropped for it."""
        before = self.dropped_full + self.dropped_old
        self.expire(now)
        if len(self._queue) >= QUEUE_LIMIT:
            self._queue.popleft()
            self.dropped_full += 1
        self._queue.append((now, data))
        self.used_at = now
        return self.dropped_full + self.dropped_old > before

    def expire(self, now: float) -> None:
        """Drop what has waited too long."""
        while self._queue and now - self._queue[0][0] >= AGE_LIMIT_S:
            self._queue.popleft()
            self.dropped_old += 1

    def drop_all(self) -> None:
        """Drop everything that waits: it can not be sent."""
        self.dropped_old += len(self._queue)
        self._queue.clear()

    def renew(self, now: float) -> None:
        """Let the age of all that waits begin now: until now it could not be sent."""
        self._queue = deque((now, data) for _, data in self._queue)

    def ready(self, now: float) -> int:
        """The size of the datagram to be sent now; 0 when there is none."""
        if not self._queue or self.flight is not None or now < self._held_until:
            return 0
        return len(self._queue[0][1])

    @property
    def _held_until(self) -> float:
        answer = -inf if self.boundaries.kept else self.answer_until
        return max(self.hold_until, answer)

    def due_at(self, now: float) -> float:
        """When time alone will make this half want something."""
        if self.flight is not None and self.flight.accepted:
            due = self.flight.since + _RESULT_LIMIT_S
        elif self._queue and self.flight is None and now < self._held_until:
            due = self._held_until
        else:
            due = inf
        return min(due, self._queue[0][0] + AGE_LIMIT_S) if self._queue else due

    def result_overdue(self, now: float) -> bool:
        """Whether the result of a send has been waited for long enough."""
        flight = self.flight
        return flight is not None and flight.accepted and now >= flight.since + _RESULT_LIMIT_S

    # -- one send -----------------------------------------------------------------------

    def begin(self, now: float) -> bytes:
        """Take the oldest datagram for a send."""
        queued_at, data = self._queue.popleft()
        self.flight = Flight(data, queued_at, now)
        return data

    def put_back(self) -> None:
        """The module has none of it: it waits again, as old as it is."""
        if self.flight is not None:
            self._queue.appendleft((self.flight.queued_at, self.flight.data))
            self.flight = None

    def note_busy(self, now: float) -> None:
        """The module was busy: hold this link, longer each time."""
        self.put_back()
        hold = min(_BUSY_LIMIT_S, _BUSY_FIRST_S * 2**self.busy_count)
        self.busy_count = min(self.busy_count + 1, 10)
        self.hold_until = now + hold * random.uniform(0.8, 1.2)

    def settle(self, now: float) -> None:
        """The module's stack has taken it."""
        self.flight = None
        self.sent += 1
        self.refusals = self.busy_count = 0
        self.used_at = now
        self.unanswered += 1
        if self.unanswered <= _UNANSWERED:
            self.answer_until = now + _ANSWER_S

    def give_up(self) -> None:
        """It was handed over, and what became of it is not known: it is not sent again."""
        self.flight = None
        self.lost += 1

    def note_answer(self) -> None:
        """Something came from the far side."""
        self.answer_until = -inf
        self.unanswered = 0

"""The sending half of a link: what is queued, handed over, confirmed, acknowledged. Sync.

Four counts tell where a byte is: ``queue`` holds it; a ``Sending`` has it on the way into
the module; ``confirmed`` counts what the module's stack took (``+CIPSEND``); ``acked``
counts what the far side acknowledged (``CIPACK``).

A send ends in one of three ways. Nothing was handed over: the bytes stay queued, and a
busy link waits 10 ms x 2^k. All bytes are confirmed. Or it is not known: then the counter
of CIPACK decides, and where it does not, the link is reset. No byte is sent on a guess.

The window keeps the module's own buffer from filling up, because a full buffer answers
busy or takes half a chunk: at most ``window`` bytes are unacknowledged. CIPACK is asked
when three quarters of a window have gone out since it was asked last, so that sending
never has to wait for it.
"""

import random
from dataclasses import dataclass, field
from math import inf
from typing import Final

from modemproxy.at.transfer import CHUNK

#: More than this is left in the host's socket, where a reset does not lose it silently.
QUEUE_LIMIT: Final = 2 * CHUNK
_FIRST_WINDOW: Final = 4 * CHUNK
_WINDOW_LIMIT: Final = 32 * CHUNK
_WINDOW_LIMIT_BUSY: Final = 16384
_BUSY_FIRST_S: Final = 0.010
_BUSY_LIMIT_S: Final = 2.0
#: The module's own bound on a send (CIPTIMEOUT, third field) and a margin.
RESULT_LIMIT_S: Final = 17.0
_PROBE_GAP_S: Final = 0.075
_UNANSWERED_S: Final = 1.0
MAX_ACK_GAP_S: Final = 20.0
_COUNTER_MASK: Final = 0xFFFFFFFF


@dataclass(slots=True)
class Sending:
    """One CIPSEND from its command to its result.

    Attributes:
        data: its bytes.
        accepted: OK was seen.
        confirmed: the count of the result line, once seen.
        since: when the command went out.
    """

    data: bytes
    since: float
    accepted: bool = False
    confirmed: int | None = None


@dataclass(slots=True)
class Outbound:
    """What is known about the bytes going to the far side."""

    #: How often to ask CIPACK, at least, while more is queued, seconds.
    ack_gap_s: float = MAX_ACK_GAP_S
    queue: bytearray = field(default_factory=bytearray)
    sending: Sending | None = None
    confirmed: int = 0
    confirmed_at: float = -inf
    acked: int = 0
    #: The last CIPACK that was asked came after the last confirmed send.
    ack_current: bool = False
    ack_usable: bool = True
    #: By how much CIPACK's sent counter was ahead of what was confirmed, when asked last.
    ahead: int = 0
    #: CIPACK has been answered on this link: a refusal is an accident then.
    ack_answered: bool = False
    window: int = _FIRST_WINDOW
    #: The window before a busy answer halved it, until CIPACK says whether rightly so.
    doubted: int = 0
    grown_at: int = 0
    hold_until: float = -inf
    busy_count: int = 0
    busy_seen: bool = False
    refusals: int = 0
    probed_at: float = -inf
    probed_count: int = 0
    probe_gap: float = _UNANSWERED_S
    probe_progress: bool = True
    #: Of a send that CIPACK settled, because its result had not come: it may come yet.
    late_size: int = 0
    late_until: float = -inf
    #: Somebody waits for the last acknowledgement.
    flushing: bool = False
    #: No progress since; None while there is nothing to make progress with.
    stuck_since: float | None = None

    @property
    def unacked(self) -> int:
        """Bytes confirmed by the module but not known to be with the far side."""
        return self.confirmed - self.acked

    @property
    def empty(self) -> bool:
        """Everything given to us has been confirmed by the module."""
        return not self.queue and self.sending is None

    @property
    def delivered(self) -> bool:
        """Everything given to us is with the far side, as far as this module can tell."""
        return self.empty and (self.unacked == 0 or not self.ack_usable)

    def ready(self, now: float) -> int:
        """How many bytes may be sent now; a window that is full needs a probe first."""
        if not self.queue or self.sending is not None or now < self.hold_until:
            return 0
        if not self.ack_usable:
            return len(self.queue)
        queued, unacked = len(self.queue), self.unacked
        room = self.window - unacked
        if room < min(queued, CHUNK) and unacked >= self.window // 2:
            return queued if self.probe_wanted(now) else 0
        return min(queued, room)

    def result_overdue(self, now: float) -> bool:
        """Whether CIPACK has to say what became of a send: its result is late or short."""
        return self.sending is not None and now >= self.sending.since + RESULT_LIMIT_S

    def due_at(self, now: float) -> float:
        """When time alone will make this half want something."""
        times = [self.probe_due_at()]
        if self.sending is not None:
            times.append(self.sending.since + RESULT_LIMIT_S)
        elif self.queue and now < self.hold_until:
            times.append(self.hold_until)
        elif self.queue and self.ack_usable and not self.ready(now):
            times.append(self.probed_at + _PROBE_GAP_S)
        return min(times)

    def begin(self, size: int, now: float) -> bytes:
        """Take up to ``size`` bytes for a send; they stay queued until handed over."""
        data = bytes(self.queue[:size])
        self.sending = Sending(data, now)
        if self.stuck_since is None:
            self.stuck_since = now
        return data

    def note_not_sent(self) -> None:
        """The module took nothing: the bytes are as they were."""
        self.sending = None

    def note_busy(self, now: float) -> None:
        """The module was busy: hold this link; with bytes under way in it, aim lower."""
        self.sending = None
        self.busy_seen = True
        hold = min(_BUSY_LIMIT_S, _BUSY_FIRST_S * 2**self.busy_count)
        self.busy_count = min(self.busy_count + 1, 10)
        self.hold_until = now + hold * random.uniform(0.8, 1.2)
        if self.unacked >= self.window // 2:
            self.doubted = self.doubted or self.window
            self.window = max(2 * CHUNK, self.window // 2)

    def note_accepted(self) -> None:
        """OK came behind the payload: the bytes are the module's now."""
        if self.sending is not None and not self.sending.accepted:
            self.sending.accepted = True
            del self.queue[: len(self.sending.data)]

    def settle(self, count: int, now: float) -> None:
        """``count`` bytes of the send are proven to be in the module's stack."""
        assert self.sending is not None
        rest = self.sending.data[count:]
        self.queue[:0] = rest
        self.sending = None
        self.confirmed += count
        self.confirmed_at = now
        self.ack_current = False
        self.refusals = 0
        self.probe_gap = _UNANSWERED_S
        if count and not self.ack_usable:  # all the progress that can be seen
            self.stuck_since = None
        if rest:  # the stack is full: as good as a busy answer
            self.note_busy(now)
        else:
            self.busy_count = 0

    def note_late(self, now: float) -> None:
        """CIPACK settled the send; its result is no longer waited for, and may come."""
        assert self.sending is not None
        self.late_size, self.late_until = len(self.sending.data), now + RESULT_LIMIT_S

    def may_be_late(self, requested: int, now: float) -> bool:
        """Whether a result for so many bytes may be one that was not waited for."""
        return requested == self.late_size and now < self.late_until

    def note_was_late(self, now: float) -> None:
        """The result was not this send's, whose own is still waited for."""
        assert self.sending is not None
        self.sending.confirmed, self.sending.since = None, now
        self.late_size = 0

    def note_ack(self, sent: int, acked: int, now: float) -> bool:
        """Take CIPACK's counters; say whether the far side acknowledged more than before.

        The sent counter is known. Another one, unless it comes twice, lost a digit on the line.
        """
        ahead = (sent - self.confirmed) & _COUNTER_MASK
        if ahead not in (0, self.ahead):
            self.ahead = ahead
            self.note_ack_refused(now)
            return False
        unacked = (sent - acked) & _COUNTER_MASK
        was_loaded = self.unacked >= self.window // 2
        progress = self.confirmed - unacked > self.acked
        self.acked = max(self.acked, self.confirmed - unacked)
        self.ack_current = self.ack_answered = True
        self.probed_at = now
        self.probed_count = self.confirmed
        self.probe_progress = progress
        self.probe_gap = _UNANSWERED_S if progress else min(MAX_ACK_GAP_S, self.probe_gap * 2)
        if self.doubted and not self.unacked:  # busy it was, but not with our bytes
            self.window = self.doubted
        self.doubted = 0
        if progress:
            self.stuck_since = now if self.unacked else None
            if was_loaded and self.acked - self.grown_at >= self.window * 3 // 4:
                self._grow()
        elif not self.unacked and self.empty:
            self.stuck_since = None
        return progress

    def note_ack_refused(self, now: float) -> None:
        """CIPACK has no answer this time: nothing is known, and asking again can wait."""
        self.probed_at = now
        self.probed_count = self.confirmed
        self.probe_progress = False
        self.probe_gap = min(MAX_ACK_GAP_S, self.probe_gap * 2)

    def sent_matches(self, sent: int, count: int) -> bool:
        """Whether CIPACK's sent counter is all confirmed before plus ``count``."""
        return sent & _COUNTER_MASK == (self.confirmed + count) & _COUNTER_MASK

    def _grow(self) -> None:
        """Once a window: doubling while the module never complained, by a chunk after that."""
        self.grown_at = self.acked
        if self.busy_seen:
            self.window = min(_WINDOW_LIMIT_BUSY, self.window + CHUNK)
        else:
            factor = 2 if self.unacked else 4  # all of it there already: a quick far side
            self.window = min(_WINDOW_LIMIT, self.window * factor)

    def probe_wanted(self, now: float) -> bool:
        """Whether the next turn is better spent on CIPACK than on data."""
        if not self.ack_usable or self.sending is not None:
            return False
        if self.unacked < self.window // 2:
            return False
        ahead = self.window * 3 // 4
        if self.unacked >= ahead and self.confirmed - self.probed_count >= ahead:
            return True
        full = self.window - self.unacked < CHUNK
        return full and (self.probe_progress or now >= self.probed_at + _PROBE_GAP_S)

    def wants_ack(self, now: float) -> bool:
        """Whether CIPACK is due: a result is overdue, or a probe wanted or due."""
        due = self.probe_due_at() <= now
        return due or self.result_overdue(now) or self.probe_wanted(now)

    def probe_due_at(self) -> float:
        """When to ask CIPACK although nothing waits for the window."""
        if not self.ack_usable or self.sending is not None or not self.unacked:
            return inf
        if self.flushing and not self.queue:
            return self.probed_at + _PROBE_GAP_S * self.probe_gap
        sends_on = self.queue and not self.busy_count
        gap = max(self.probe_gap, self.ack_gap_s) if sends_on else self.probe_gap
        due = max(self.confirmed_at, self.probed_at) + gap
        if self.stuck_since is None:
            return due
        # Small sends in quick succession never fill a window, and each puts the question
        # off: without this one they would look like a stall.
        return min(due, max(self.stuck_since, self.probed_at) + 2 * self.ack_gap_s)

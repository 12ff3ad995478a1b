"""The receiving half of a link: hints, reads, polls and the end of the stream. Sync.

The module's report that data waits is a hint: it is given once until the buffer was
emptied, and now and then it is lost. So a hint is read at once and to the end (``rest``
says how much is left), once more shortly after, and then polled with growing gaps.

The end is not the module's word that the far side closed, but two empty reads at least
50 ms apart after it: data queued behind the buffer moves up only when the buffer drains.
"""

from dataclasses import dataclass, field
from math import inf
from typing import Final

from modemproxy.at.transfer import CHUNK, MAX_READ

#: Two chunks: one on its way to the host, one on its way from the module.
INBOX_LIMIT: Final = 2 * MAX_READ
_SMALL_REST: Final = 256
#: The confirming read behind the last data comes after a round trip, at most so late.
_CONFIRM_LIMIT_S: Final = 0.1
_FIRST_ROUND_TRIP_S: Final = 0.05
_FIRST_POLL_S: Final = 0.25
#: While a link was active a moment ago, a lost hint may cost a second, not more; a poll
#: may have to wait for an exchange under way.
_ACTIVE_FOR_S: Final = 5.0
_ACTIVE_CEILING_S: Final = 0.9
_IDLE_CEILING_S: Final = 30.0
#: A link that only sends, and has more to send, is asked less often than one that idles
#: towards its answer: nine of them at 115200 baud would be asked as often as they send.
_UPLOAD_CEILING_S: Final = 30.0
_ACTIVE_GROWTH: Final = 2
_IDLE_GROWTH: Final = 3
_ANSWER_S: Final = 0.3
_END_GAP_S: Final = 0.05
#: A close whose report was lost is found within so long by the sweep.
_UNMET_S: Final = 15.0
#: Polls that found data nobody announced, before hints count as unreliable.
_LOST_HINTS: Final = 2


@dataclass(slots=True)
class HintHealth:
    """Whether this session's data reports can be relied on (shared by its links)."""

    lost: int = 0

    @property
    def reliable(self) -> bool:
        """No lost hint was noticed so far."""
        return self.lost < _LOST_HINTS


@dataclass(slots=True)
class Inbound:
    """What is known about the bytes coming from the far side."""

    hints: HintHealth
    chunks: list[bytes] = field(default_factory=list)
    held: int = 0
    hint: bool = False
    announced: bool = False
    #: Data was reported behind the header of the read under way, or behind its OK.
    more: bool = False
    more_announced: bool = False
    rest: int = 0
    #: More bytes were counted than came; and when a report was last followed by none.
    promised: bool = False
    unmet_at: float = -inf
    polling: bool = False
    poll_at: float = inf
    poll_gap: float = _FIRST_POLL_S
    answer_gap: float = _ANSWER_S
    uploading: bool = False
    sent_at: float | None = None
    round_trip_s: float = _FIRST_ROUND_TRIP_S
    active_at: float = -inf
    data_at: float = -inf
    #: When a read last had an answer, before the far side closed.
    looked_at: float = -inf
    far_closed: bool = False
    empty_answers: int = 0
    empty_at: float = -inf
    end_seen_at: float = inf
    looking: bool = False
    total: int = 0

    def open(self, now: float, *, look: bool = False) -> None:
        """The link is up: the far side may have spoken before we look, or ``look`` now."""
        self.hint = look  # nothing is announced by that: it may be in vain
        self.note_activity(now)

    def note_activity(self, now: float, soon: float = _FIRST_POLL_S) -> None:
        """Something happened on the link: poll soon, and keep the gaps short for a while."""
        self.active_at = now
        self.poll_gap = _FIRST_POLL_S
        self.poll_at = min(self.poll_at, now + soon)

    def note_sent(self, now: float, *, more: bool) -> None:
        """Our bytes left: expect an answer. A cheap cure for its lost report.

        A far side that only listens would be asked after every send: the gap grows, and
        in the midst of an upload (``more`` is queued) well beyond a second, because an
        answer is due at its end.
        """
        if now - self.active_at > _ACTIVE_FOR_S or (self.uploading and not more):
            self.answer_gap, self.poll_gap = _ANSWER_S, _FIRST_POLL_S
        self.uploading = more
        if self.sent_at is None:
            self.sent_at = now
        self.active_at = now
        self.poll_at = min(self.poll_at, now + self.answer_gap)

    def note_hint(self) -> None:
        """The module says that data waits."""
        self.hint = True
        self.announced = True

    def note_more(self, *, sure: bool) -> None:
        """The module says that data waits, and not only what a read under way brings.

        Args:
            sure: it was said outside of a read; inside it may be late news.
        """
        self.note_hint()
        self.more = True
        self.more_announced = self.more_announced or sure

    def begin_read(self) -> None:
        """A read is asked for: it brings what was announced so far."""
        self.more = self.more_announced = False

    def look(self, now: float) -> None:
        """Have the next read come at once, whatever was announced."""
        self.looking = True
        self.poll_at = min(self.poll_at, now)

    def note_far_close(self, now: float, *, heard: bool, damaged_at: float = -inf) -> None:
        """The far side closed: from here on reads look for the end.

        Args:
            now: the time.
            heard: it was reported. When it was not, the close may lie before reads that
                found nothing of what had been announced, or of what would have been if
                an answer on the line had not been damaged.
            damaged_at: when one was, last.
        """
        self.far_closed = True
        self.promised |= not heard and now - max(self.unmet_at, damaged_at) < _UNMET_S
        self.hint = True
        self.empty_answers = 0
        self.note_activity(now)

    def note_data(self, data: bytes, rest: int, now: float) -> None:
        """A read brought ``data``; the module holds ``rest`` more."""
        if self.polling and not self.hint and not self.far_closed:
            self.hints.lost += 1
        self.looking = False
        self.chunks.append(data)
        self.held += len(data)
        self.total += len(data)
        self.data_at = now
        self.rest = rest
        self.promised = rest > 0
        self.unmet_at = -inf
        self.hint = rest > 0 or self.more or self.far_closed
        self.announced = rest > 0 or self.more_announced
        self.empty_answers = 0
        self.end_seen_at = inf
        self.answer_gap = _ANSWER_S
        if self.sent_at is not None:
            self.round_trip_s += (now - self.sent_at - self.round_trip_s) / 8
            self.sent_at = None
        self.note_activity(now, min(self.round_trip_s, _CONFIRM_LIMIT_S))

    def note_empty(self, now: float) -> None:
        """A read found nothing."""
        self.looking = False
        self.rest = 0
        if self.far_closed:
            self.empty_answers += 1
            self.empty_at = now
            return
        self.looked_at = now
        if self.announced and not self.empty_answers:  # it said otherwise: once more
            self.empty_answers, self.empty_at = 1, now
            self.poll_at = self._end_check_at()
            return
        self.empty_answers = 0
        if self.announced:
            self.unmet_at = now
        self.hint, self.announced = self.more, self.more_announced
        ceiling = self._poll_ceiling(now)
        growth = _IDLE_GROWTH if ceiling == _IDLE_CEILING_S else _ACTIVE_GROWTH
        if self.uploading:  # a protocol that answers as it receives would have by now
            self.poll_gap = self.answer_gap = ceiling
        self.answer_gap = min(self.answer_gap * growth, ceiling)
        self.poll_at = now + min(self.poll_gap, ceiling)
        self.poll_gap = min(self.poll_gap * growth, ceiling)

    def _poll_ceiling(self, now: float) -> float:
        if not self.hints.reliable:
            return _ACTIVE_CEILING_S
        if now - self.active_at >= _ACTIVE_FOR_S:
            return _IDLE_CEILING_S
        one_way = self.uploading and now - self.data_at >= _ACTIVE_FOR_S
        return _UPLOAD_CEILING_S if one_way else _ACTIVE_CEILING_S

    def take(self, max_bytes: int | None) -> bytes:
        """Take bytes that were read out of the inbox; empty when there are none."""
        if not self.chunks:
            return b""
        data = self.chunks.pop(0)
        if max_bytes is not None and len(data) > max_bytes:
            self.chunks.insert(0, data[max_bytes:])
            data = data[:max_bytes]
        self.held -= len(data)
        return data

    @property
    def unread(self) -> bool:
        """Bytes are known to wait for the owner, here or in the module."""
        return bool(self.chunks) or (not self.ended and (self.hint or self.announced))

    @property
    def ended(self) -> bool:
        """The far side closed and its last byte has been read."""
        return self.far_closed and self.empty_answers >= 2

    @property
    def room(self) -> int:
        """How many bytes a read may bring: a full chunk or nothing."""
        return CHUNK if INBOX_LIMIT - self.held >= CHUNK else 0

    def read_offer(self, now: float) -> int:
        """How many bytes to read now because something says that they are there."""
        if not self.hint or self.ended or self._end_check_at() > now:
            return 0
        return self.room

    def poll_due(self, now: float) -> bool:
        """Whether to look although nothing says that there is something."""
        return self.poll_at <= now and not self.far_closed and self.room > 0

    @property
    def small(self) -> bool:
        """The next read is not known to be a large one."""
        return self.rest <= _SMALL_REST

    def due_at(self) -> float:
        """When time alone will make this half want to read."""
        if self.ended or not self.room:
            return inf
        return self._end_check_at() if self.far_closed else self.poll_at

    def _end_check_at(self) -> float:
        return self.empty_at + _END_GAP_S if self.empty_answers else -inf

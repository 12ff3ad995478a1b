"""Who has the line next: virtual time in airtime, with a bounded fast lane.

Synchronous and clock-free: ``now`` is an argument, in seconds. A link says what it could
do (``Offer``), ``pick()`` chooses one exchange (``Grant``), ``charge()`` books what it
cost. An exchange is one AT command with its payload; once begun it is not interrupted,
so all fairness lies in the choice and in the size of it.

* Normal lane. Start-time fair queuing: the link with the least virtual time (airtime
  used / weight) goes next. A link that comes back from idling starts at the virtual time
  of the busy ones: idling saves no credit.
* Fast lane. Small exchanges go first while their link's bucket (20 % of the time, 100 ms
  burst) and the lane's own (50 %, 250 ms) last. Every exchange is charged to its link's
  bucket, so a bulk link drops out after its first chunks and a keystroke never waits for
  more than the exchange under way and other keystrokes. The lane lends priority, not
  share: its exchanges count in virtual time too.
* Control (opens, closes, queries of the session) goes before data, but at most every
  fourth exchange while data waits.
* Upkeep (safety polls, probes) uses idle time, and 1 % of a busy line.
* Late choice of size: a full chunk, unless interactive work of another link was seen
  within the last second; then the largest chunk whose exchange stays under a bound that
  depends on the line's speed.

Fairness is between links, not directions: inside a link reads and writes alternate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import Final

from modemproxy.at.transfer import CHUNK

#: An exchange of at most this many bytes may use the fast lane.
SMALL: Final = 256
#: (line speed from, bound in seconds) for one exchange beside interactive work. A keystroke
#: waits for one exchange on its way out and, unless its answer is quick, for one on its way
#: back; at high speed shorter ones than these would be mostly turn-around.
_EXCHANGE_BOUNDS: Final = ((921600, 0.026), (460800, 0.030), (230400, 0.045), (0, 0.075))
_INTERACTIVE_FOR_S: Final = 1.0
#: A link keeps its place in virtual time over a gap this long; longer is idling.
_GAP_S: Final = 0.25
_SEND_OVERHEAD: Final = 52
_STALL_S: Final = 0.2


class Lane(Enum):
    """Why an exchange was chosen."""

    CONTROL = "control"
    FAST = "fast"
    NORMAL = "normal"
    UPKEEP = "upkeep"


class Work(Enum):
    """What a link is to do with its turn."""

    READ = "read"
    WRITE = "write"
    UPKEEP = "upkeep"
    CONTROL = "control"


@dataclass(slots=True)
class Offer:
    """What a link could do right now.

    Attributes:
        read: how many bytes it has room for and reason to ask for; 0 for no read.
        small_read: the read is not known to be a large one.
        write: how many bytes it may send now; 0 for no write.
        upkeep: a poll or probe is due.
        soon: it has bytes to send, and waits only for another link's send result.
        due_at: when, without anything else happening, it will have more to offer. This and
            ``soon`` count only while there is nothing to read or write.
    """

    read: int = 0
    small_read: bool = False
    write: int = 0
    upkeep: bool = False
    soon: bool = False
    due_at: float = inf


@dataclass(frozen=True, slots=True)
class Grant:
    """One exchange: whose, what, and of how many bytes at most."""

    work: Work
    lane: Lane
    key: int = -1
    size: int = 0


@dataclass(slots=True)
class Bucket:
    """Airtime that may be spent, refilled at a share of real time."""

    rate: float
    burst: float
    floor: float = -inf
    level: float = 0.0
    filled_at: float = -inf

    def at(self, now: float) -> float:
        """Refill up to ``now`` and return the level in seconds."""
        if now > self.filled_at:
            self.level = min(self.burst, self.level + (now - self.filled_at) * self.rate)
            self.filled_at = now
        return self.level

    def spend(self, cost: float) -> None:
        """Take ``cost`` seconds out, down to the floor."""
        self.level = max(self.floor, self.level - cost)


def _link_bucket() -> Bucket:
    return Bucket(rate=0.20, burst=0.100, floor=-0.100, level=0.100, filled_at=-inf)


@dataclass(slots=True)
class Account:
    """What one link has used of the line."""

    weight: float
    virtual_time: float = 0.0
    busy_at: float = -inf
    waiting_since: float | None = None
    interactive_at: float = -inf
    upkeep_at: float = -inf
    read_last: bool = False
    fast: Bucket = field(default_factory=_link_bucket)


class Policy:
    """Choose exchanges for the links of one line."""

    def __init__(self, baudrate: int) -> None:
        """Args: baudrate: of the line, bits per second; it decides the chunk bound."""
        self.baudrate = baudrate
        #: Measured time from the end of a command to the first byte of its answer.
        self.latency_s = 0.005
        self._accounts: dict[int, Account] = {}
        self._lane = Bucket(rate=0.50, burst=0.250, level=0.250)
        self._upkeep = Bucket(rate=0.01, burst=0.100, floor=-0.500, level=0.100)
        self._since_control = 3
        #: A full chunk's time, generously; what is far beyond it is a stall.
        self._longest_s = _STALL_S + 2 * (CHUNK + _SEND_OVERHEAD) * 10 / baudrate

    def add(self, key: int, weight: float) -> None:
        """Open an account for a link; its first work puts it level with those busy."""
        self._accounts[key] = Account(weight)

    def remove(self, key: int) -> None:
        """Close a link's account."""
        self._accounts.pop(key, None)

    def account(self, key: int) -> Account:
        """Return a link's account, for figures and tests."""
        return self._accounts[key]

    def pick(self, now: float, offers: Mapping[int, Offer], *, control: bool) -> Grant | None:
        """Choose the next exchange, or None if there is nothing to do.

        Args:
            now: seconds, never running backwards.
            offers: what each link with an account could do.
            control: whether a control command waits.
        """
        waiting = [key for key, offer in offers.items() if offer.read or offer.write]
        self._note_waiting(now, waiting)
        if control and (not waiting or self._since_control >= 3):
            return Grant(Work.CONTROL, Lane.CONTROL)
        fast = self._pick_fast(now, offers, waiting) if waiting else None
        if fast is not None:
            return fast
        upkeep = [key for key, offer in offers.items() if offer.upkeep]
        if upkeep and (self._is_idle(offers, waiting) or self._upkeep.at(now) > 0):
            key = min(upkeep, key=lambda key: self._accounts[key].upkeep_at)
            return Grant(Work.UPKEEP, Lane.UPKEEP, key)
        return self._pick_normal(now, offers, waiting) if waiting else None

    @staticmethod
    def _is_idle(offers: Mapping[int, Offer], waiting: list[int]) -> bool:
        """Nobody has data; a send result that is due any moment is no time to fill."""
        return not waiting and not any(offer.soon for offer in offers.values())

    def charge(self, grant: Grant, now: float, cost: float, moved: int = 0) -> None:
        """Book an exchange that took ``cost`` seconds and moved ``moved`` bytes.

        What is far beyond the time of a full chunk is no use of the line but a stall of it:
        the link that happened to be on it must not be last for as long as all others take
        to catch up with that.
        """
        cost = min(cost, self._longest_s)
        if grant.lane is Lane.CONTROL:
            self._since_control = 0
            return
        if grant.lane is Lane.UPKEEP:
            self._upkeep.spend(cost)
        else:
            self._since_control += 1
        account = self._accounts.get(grant.key)
        if account is None:  # its last exchange ended it
            return
        account.virtual_time += cost / account.weight
        account.fast.at(now)
        account.fast.spend(cost)
        if grant.work is Work.UPKEEP:
            account.upkeep_at = now  # a poll makes no link busy: what it finds starts level
            return
        account.waiting_since = None
        account.busy_at = now
        account.read_last = grant.work is Work.READ
        if grant.lane is Lane.FAST:
            self._lane.at(now)
            self._lane.spend(cost)
            if 0 < moved <= SMALL and account.fast.level > 0:
                account.interactive_at = now

    def chunk(self, now: float, key: int) -> int:
        """Return how many bytes an exchange of this link may have."""
        for other, account in self._accounts.items():
            if now - account.interactive_at <= _INTERACTIVE_FOR_S and other != key:
                return self._bounded_chunk()
        return CHUNK

    def _bounded_chunk(self) -> int:
        """What fits into an exchange that somebody interactive may have to wait for."""
        bound = next(bound for speed, bound in _EXCHANGE_BOUNDS if self.baudrate >= speed)
        room = int((bound - 2 * self.latency_s) * self.baudrate / 10) - _SEND_OVERHEAD
        return max(SMALL, min(CHUNK, room))

    def _note_waiting(self, now: float, waiting: list[int]) -> None:
        """Give those who start to wait their time stamp, and clamp those who idled."""
        starting = []
        for key, account in self._accounts.items():
            if account.waiting_since is None:
                if key in waiting:
                    starting.append(account)
            elif key not in waiting:
                account.waiting_since, account.busy_at = None, now  # held: that is idling
        for account in starting:
            if now - account.busy_at > _GAP_S:
                account.virtual_time = max(account.virtual_time, self._level(now))
            account.waiting_since = now

    def _level(self, now: float) -> float:
        """The virtual time of the busy links; after a quiet time all start level."""
        busy = [
            account.virtual_time
            for account in self._accounts.values()
            if account.waiting_since is not None or now - account.busy_at <= _GAP_S
        ]
        if busy:
            return min(busy)
        return max(account.virtual_time for account in self._accounts.values())

    def _pick_fast(
        self, now: float, offers: Mapping[int, Offer], waiting: list[int]
    ) -> Grant | None:
        if self._lane.at(now) <= 0:
            return None
        chosen: tuple[float, Grant] | None = None
        for key in waiting:
            account = self._accounts[key]
            if account.fast.at(now) <= 0:
                continue
            grant = self._small_grant(key, account, offers[key], alone=len(waiting) == 1)
            since = account.waiting_since or now
            if grant is not None and (chosen is None or since < chosen[0]):
                chosen = since, grant
        return chosen[1] if chosen else None

    def _small_grant(
        self, key: int, account: Account, offer: Offer, *, alone: bool
    ) -> Grant | None:
        """The small exchange a link could do; nobody to delay means no need to be small."""
        small_write = 0 < offer.write <= SMALL
        if offer.read and offer.small_read and not (small_write and account.read_last):
            size = min(offer.read, CHUNK if alone else SMALL)
            return Grant(Work.READ, Lane.FAST, key, size)
        if small_write:
            return Grant(Work.WRITE, Lane.FAST, key, offer.write)
        return None

    def _pick_normal(
        self, now: float, offers: Mapping[int, Offer], waiting: list[int]
    ) -> Grant:
        key = waiting[0]
        if len(waiting) > 1:
            key = min(waiting, key=lambda key: self._accounts[key].virtual_time)
        account, offer = self._accounts[key], offers[key]
        chunk = self.chunk(now, key)
        if offer.read and not (offer.write and account.read_last):
            return Grant(Work.READ, Lane.NORMAL, key, min(chunk, offer.read))
        return Grant(Work.WRITE, Lane.NORMAL, key, min(chunk, offer.write))

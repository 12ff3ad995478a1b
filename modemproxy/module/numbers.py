"""The link numbers as goods: which are free, who has which, who is next in the queue.

A number is free, held by an owner, or withdrawn: out of use until it is clean. Outgoing
links take the highest free number: the module gives the lowest to far clients.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import trio

from modemproxy.errors import NoFreeLink
from modemproxy.module.claims import Claim, Shares

log = logging.getLogger(__name__)

#: A number that the module is stuck with is taken last, for a while.
_AVOID_S: Final = 60.0
#: How often to look, while somebody waits, whether somebody else can give way.
_LOOK_S: Final = 0.5
_TOO_MANY_KEPT: Final = (
    "%d links are reserved, and this module has %d: who has none reserved gets none"
)


@dataclass(slots=True, eq=False)
class _Waiter:
    """A claim in the queue."""

    claim: Claim
    granted: trio.Event = field(default_factory=trio.Event)
    number: int | None = None


class Numbers:
    """Gives numbers out, in turn, and keeps reserved ones.

    Attributes:
        count: how many there are.
        shares: who has how many, and who is next.
        ended: why none is given out any more.
    """

    def __init__(
        self,
        count: int,
        reserve: Mapping[str, int],
        on_need: Callable[[Claim], None] = lambda claim: None,
    ) -> None:
        """Args:
        count: how many there are.
        reserve: numbers kept for owners, by name.
        on_need: called now and then for a claim that waits.
        """
        self.count = count
        self.shares: Shares[_Waiter] = Shares()
        self._free = set(range(count))
        self._holders: dict[int, str] = {}
        self._avoided: dict[int, float] = {}
        self._on_need = on_need
        self.ended: str | None = None
        self.change_reserve(reserve)

    @property
    def free(self) -> frozenset[int]:
        """The numbers that nobody has, clean."""
        return frozenset(self._free)

    @property
    def waiting(self) -> int:
        """How many claims are in the queue."""
        return len(self.shares.turns)

    def change_reserve(self, reserve: Mapping[str, int]) -> None:
        """Keep other numbers from now on; who may have one by that gets it."""
        if (kept := sum(reserve.values())) > self.count:  # checked for a module with ten
            log.warning(_TOO_MANY_KEPT, kept, self.count)
        self.shares.change(reserve)
        self._serve()

    def holder(self, number: int) -> str:
        """Who has a number; empty when nobody has."""
        return self._holders.get(number, "")

    async def acquire(self, claim: Claim, *, until: float, first: bool = False) -> int:
        """Take a number.

        Args:
            claim: who asks.
            until: how long to wait for one (trio's clock).
            first: be the very next one: a number that was taken got lost.

        Cancelling leaves the queue; a number that was granted just then is given back.

        Raises:
            NoFreeLink: none was to be had in time, or the session ended.
        """
        await trio.lowlevel.checkpoint()
        self._check_running()
        began = trio.current_time()
        waiter = _Waiter(claim)
        self.shares.turns.enter(claim, waiter, first=first)
        self._serve()
        try:
            with trio.move_on_at(until):
                await self._wait(waiter)
        except trio.Cancelled:
            if waiter.number is not None:
                self.give_back(waiter.number)
            raise
        finally:
            self.shares.turns.leave(claim, waiter)
        self._check_running()
        if waiter.number is None:
            waited_s = trio.current_time() - began
            raise NoFreeLink(f"{self._why_none(claim)} (waited {waited_s:.3g} s)")
        return waiter.number

    async def _wait(self, waiter: _Waiter) -> None:
        while not waiter.granted.is_set():
            self._on_need(waiter.claim)
            with trio.move_on_after(_LOOK_S):
                await waiter.granted.wait()

    def _why_none(self, claim: Claim) -> str:
        if not self._free:
            return f"all {self.count} links are in use"
        return f"the {len(self._free)} free links are kept for others than {claim.owner}"

    def give_back(self, number: int) -> None:
        """A number is clean, and may be had by the next one."""
        self.withdraw(number)
        self._free.add(number)
        self._serve()

    def withdraw(self, number: int) -> None:
        """A number is nobody's any more, and not free either."""
        self._free.discard(number)
        if (owner := self._holders.pop(number, None)) is not None:
            self.shares.gave(owner)

    def may_hold(self, owner: str) -> bool:
        """Whether an owner may have a number that is withdrawn, beside the free ones."""
        return self.shares.may_take(owner, len(self._free) + 1)

    def hold(self, number: int, owner: str) -> None:
        """A number that is withdrawn has come to an owner."""
        assert number not in self._free
        assert number not in self._holders
        self._holders[number] = owner
        self.shares.took(owner)

    def would_help(self, number: int, claim: Claim) -> bool:
        """Whether a claim could have a number, if its holder gave it up; and may it?"""
        owner = self.holder(number)
        if not self.shares.may_lose(owner, claim.owner):
            return False
        self.shares.gave(owner)
        helps = self.may_hold(claim.owner)
        self.shares.took(owner)
        return helps

    def avoid(self, number: int) -> None:
        """The module is stuck with a number: take it last, for a while."""
        self._avoided[number] = trio.current_time() + _AVOID_S

    def end(self, reason: str) -> None:
        """The session is over: wake everyone in the queue."""
        self.ended = reason
        for waiter in self.shares.turns:
            waiter.granted.set()

    def _serve(self) -> None:
        while self._free and self.ended is None:
            waiter = self.shares.next(len(self._free))
            if waiter is None:
                return
            number = self._best()
            self._free.remove(number)
            self.hold(number, waiter.claim.owner)
            waiter.number = number
            waiter.granted.set()

    def _best(self) -> int:
        now = trio.current_time()
        usable = {number for number in self._free if self._avoided.get(number, now) <= now}
        return max(usable or self._free)

    def _check_running(self) -> None:
        if self.ended is not None:
            raise NoFreeLink(self.ended)

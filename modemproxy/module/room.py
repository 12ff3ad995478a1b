"""Making room: which idle datagram link gives way when somebody waits for a number. (floor 3)

A datagram session has no end that anybody sees; it lasts until its idle time-out. So the
one that was used least recently ends early, if nothing has moved on it for a second, and
its owner keeps what it has a right to. One gives way for one who waits.
"""

import logging
from collections.abc import Mapping
from typing import Final

import trio

from modemproxy.journal import GaveWay, Journal
from modemproxy.module.claims import Claim
from modemproxy.module.datagram_link import DatagramLink
from modemproxy.module.numbers import Numbers
from modemproxy.module.pooled import PooledLink

log = logging.getLogger(__name__)

IDLE_S: Final = 1.0


class Room:
    """Ends idle datagram links for those who wait."""

    def __init__(
        self, numbers: Numbers, links: Mapping[int, PooledLink], journal: Journal
    ) -> None:
        """Args:
        numbers: who has which.
        links: the links in use, by number.
        journal: is told of each that gives way.
        """
        self._numbers = numbers
        self._links = links
        self._journal = journal
        self._coming: set[int] = set()

    def make(self, claim: Claim) -> None:
        """End a link for a claim that waits, if one may be ended and that would help."""
        self._coming -= self._numbers.free
        if not claim.displaces or len(self._coming) >= self._numbers.waiting:
            return
        victim = min(self._candidates(claim), key=_idle_since, default=None)
        if victim is not None:
            self._coming.add(victim.number)
            self._journal.record(GaveWay(victim.target, claim.owner))
            victim.fail(f"gave way to {claim.owner}")

    def note_taken(self, number: int) -> None:
        """A number has come to somebody."""
        self._coming.discard(number)

    def _candidates(self, claim: Claim) -> list[DatagramLink]:
        now = trio.current_time()
        return [
            link
            for link in self._links.values()
            if isinstance(link, DatagramLink)
            and link.reset is None
            and now - link.idle_since >= IDLE_S
            and self._numbers.would_help(link.number, claim)
        ]


def _idle_since(link: DatagramLink) -> float:
    return link.idle_since

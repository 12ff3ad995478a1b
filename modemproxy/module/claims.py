"""Who may have a link number next. Sync, and without a clock.

Ten numbers for everybody who wants one: some are kept for owners who have a right to so
many (``reserve`` of the configuration), and those who wait get theirs in turn. First come
first served would let one busy owner, or one busy client of it, have all of them forever.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

WaiterT = TypeVar("WaiterT")


def _ignore(number: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's wish for a link.

    Attributes:
        owner: the forward, proxy or server it is for, by name; or a part of the program.
        client: the address of the client it is for; empty when there is none.
        weight: its share of the line relative to others.
        displaces: idle datagram links give way for it when there is no number.
        on_number: is told the number that it gets; of a second one, too, if the first was
            in vain.
    """

    owner: str
    client: str = ""
    weight: float = 2.0
    displaces: bool = True
    on_number: Callable[[int], None] = field(default=_ignore, compare=False, repr=False)


class Turns(Generic[WaiterT]):
    """Those who wait, in the order in which they are served.

    Owners take turns; inside an owner its clients do; one client is served in its order.
    Who was served goes to the end of the turn, and so does who comes back.
    """

    def __init__(self) -> None:
        self._owners: dict[str, dict[str, deque[WaiterT]]] = {}

    def __len__(self) -> int:
        return sum(
            len(queue) for clients in self._owners.values() for queue in clients.values()
        )

    def __iter__(self) -> Iterator[WaiterT]:
        for clients in self._owners.values():
            for queue in clients.values():
                yield from queue

    @property
    def owners(self) -> list[str]:
        """Who has somebody waiting, the next one first."""
        return list(self._owners)

    def enter(self, claim: Claim, waiter: WaiterT, *, first: bool = False) -> None:
        """Begin to wait.

        Args:
            claim: who for.
            waiter: what ``serve()`` returns.
            first: be the very next one: a number that was granted was taken away again.
        """
        owners = self._owners
        clients = owners.setdefault(claim.owner, {})
        queue = clients.setdefault(claim.client, deque())
        if not first:
            queue.append(waiter)
            return
        queue.appendleft(waiter)
        _move_to_front(clients, claim.client)
        _move_to_front(owners, claim.owner)

    def leave(self, claim: Claim, waiter: WaiterT) -> None:
        """Stop waiting; no effect when it does not wait (any more)."""
        clients = self._owners.get(claim.owner, {})
        queue = clients.get(claim.client, deque())
        if waiter in queue:
            queue.remove(waiter)
            self._tidy(claim.owner, claim.client)

    def serve(self, owner: str) -> WaiterT:
        """Take out the next waiter of an owner that has one."""
        clients = self._owners.pop(owner)
        self._owners[owner] = clients
        client = next(iter(clients))
        queue = clients.pop(client)
        clients[client] = queue
        waiter = queue.popleft()
        self._tidy(owner, client)
        return waiter

    def _tidy(self, owner: str, client: str) -> None:
        clients = self._owners[owner]
        if not clients[client]:
            del clients[client]
        if not clients:
            del self._owners[owner]


def _move_to_front(ring: dict[str, WaiterT], key: str) -> None:
    value = ring.pop(key)
    others = dict(ring)
    ring.clear()
    ring[key] = value
    ring.update(others)


class Shares(Generic[WaiterT]):
    """Counts numbers by owner, keeps reserved ones free, and knows who is next.

    An owner may take a number if one stays free for every number that others have a right
    to and do not use, or if it uses less than its own right.

    Attributes:
        turns: those who wait.
    """

    def __init__(self, reserve: Mapping[str, int] | None = None) -> None:
        """Args: reserve: numbers kept for owners, by name; others have no right to any."""
        self.change(reserve or {})
        self._used: Counter[str] = Counter()
        self.turns: Turns[WaiterT] = Turns()

    def change(self, reserve: Mapping[str, int]) -> None:
        """Keep other numbers from now on; whoever has one more than its right keeps it."""
        self._reserve = {name: count for name, count in reserve.items() if count > 0}

    def used(self, owner: str) -> int:
        """How many numbers an owner has."""
        return self._used[owner]

    def reserve(self, owner: str) -> int:
        """How many numbers an owner has a right to."""
        return self._reserve.get(owner, 0)

    def kept_from(self, owner: str) -> int:
        """How many numbers are kept for others."""
        return sum(
            max(0, count - self._used[name])
            for name, count in self._reserve.items()
            if name != owner
        )

    def may_take(self, owner: str, free: int) -> bool:
        """Whether an owner may take one of ``free`` numbers."""
        if self._used[owner] < self.reserve(owner):
            return free >= 1
        return free - self.kept_from(owner) >= 1

    def may_lose(self, owner: str, to: str) -> bool:
        """Whether an owner can give a number up for somebody without losing its right."""
        return owner == to or self._used[owner] > self.reserve(owner)

    def took(self, owner: str) -> None:
        """An owner has one more."""
        self._used[owner] += 1

    def gave(self, owner: str) -> None:
        """An owner has one less."""
        assert self._used[owner] > 0
        self._used[owner] -= 1

    def next(self, free: int) -> WaiterT | None:
        """Take out the next waiter who may take one of ``free`` numbers, if any."""
        for owner in self.turns.owners:
            if self.may_take(owner, free):
                return self.turns.serve(owner)
        return None

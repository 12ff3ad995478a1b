"""A simulated line on which exchanges cost what they cost on the wire; no trio."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from modemproxy.line.policy import Grant, Offer, Policy, Work

READ, WRITE, UPKEEP, CONTROL = Work.READ, Work.WRITE, Work.UPKEEP, Work.CONTROL


@dataclass
class Line:
    """A line on which every exchange costs what it costs on the wire."""

    baudrate: int = 115200
    latency_s: float = 0.005
    now: float = 1000.0
    control: bool = False
    links: dict[int, Callable[[float], Offer]] = field(default_factory=dict)
    log: list[tuple[float, float, Grant]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = Policy(self.baudrate)
        self.policy.latency_s = self.latency_s

    def add(self, key: int, offer: Callable[[float], Offer] | Offer, weight: float = 2) -> None:
        self.policy.add(key, weight)
        self.links[key] = offer if callable(offer) else lambda now: offer

    def cost(self, grant: Grant) -> float:
        turns = 2 if grant.work is WRITE else 1
        return (grant.size + 52) * 10 / self.baudrate + turns * self.latency_s

    def step(self) -> Grant | None:
        offers = {key: offer(self.now) for key, offer in self.links.items()}
        grant = self.policy.pick(self.now, offers, control=self.control)
        if grant is None:
            due = min((offer.due_at for offer in offers.values()), default=inf)
            self.now = max(self.now + 0.001, min(due, self.now + 0.1))
            return None
        cost = self.cost(grant)
        self.now += cost
        self.policy.charge(grant, self.now, cost, grant.size)
        self.log.append((self.now, cost, grant))
        return grant

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.step()

    def airtime(self, key: int, since: float = 0.0) -> float:
        return sum(cost for at, cost, grant in self.log if grant.key == key and at > since)

    def moved(self, key: int, since: float = 0.0) -> int:
        return sum(grant.size for at, _, grant in self.log if grant.key == key and at > since)

    def order(self) -> list[int]:
        return [grant.key for _, _, grant in self.log]


BULK_READ = Offer(read=100_000)
BULK_WRITE = Offer(write=100_000)
BOTH = Offer(read=100_000, write=100_000)


@dataclass
class Pings:
    """A link that sends 20 bytes every ``every_s``."""

    every_s: float = 0.1
    due_at: float = 1000.0
    work: Work = WRITE
    waits: list[float] = field(default_factory=list)
    taken: bool = True

    def __call__(self, now: float) -> Offer:
        if now < self.due_at:
            return Offer(due_at=self.due_at)
        if self.work is WRITE:
            return Offer(write=20)
        return Offer(read=20, small_read=True)

    def served(self, now: float) -> None:
        self.waits.append(now - self.due_at)
        self.due_at = now + self.every_s


def run_with_pings(line: Line, key: int, pings: Pings, seconds: float) -> None:
    line.add(key, pings)
    end = line.now + seconds
    while line.now < end:
        grant = line.step()
        if grant is not None and grant.key == key:
            pings.served(line.now)

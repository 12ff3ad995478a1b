"""What the programs at the two ends of a connection do, and drawing it at random."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

#: How a side ends: FIN and read on; close; RST; or only after the other side.
Finish = Literal["fin", "close", "abort", "stay"]


@dataclass(frozen=True, slots=True)
class Round:
    """Send ``size`` bytes when ``wait_for`` have been received in all, and a pause."""

    size: int
    wait_for: int = 0
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Side:
    """A program at one end.

    Attributes:
        rounds: what it sends, in order.
        finish: what it does when it has sent everything and received ``finish_after``.
        finish_after: bytes.
        finish_at: and not before so many seconds; for "abort", at that time whatever is.
        read_size, read_pause_s: how it reads.
        stops_at: bytes after which it reads no more, without leaving.
    """

    rounds: tuple[Round, ...] = ()
    finish: Finish = "stay"
    finish_after: int = 0
    finish_at: float = 0.0
    read_size: int = 65536
    read_pause_s: float = 0.0
    stops_at: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One connection.

    Attributes:
        number: its own, all over the world.
        kind: the role, for people.
        start_s: when the client connects.
        client, far: the programs.
        reachable: somebody listens there.
        traffic_class: the forward's.
        half_close_s: the forward's.
        close_on_fin: the forward's.
        lingers: the client stays after EOF, to hear of a reset.
        queues: (proxy's receive, proxy's send, client's receive) in bytes.
    """

    number: int
    kind: str
    start_s: float
    client: Side
    far: Side
    reachable: bool = True
    traffic_class: Literal["interactive", "normal", "bulk"] = "normal"
    half_close_s: float = 30.0
    close_on_fin: bool = False
    lingers: bool = True
    queues: tuple[int, int, int] = (8192, 65536, 65536)

    @property
    def stalls(self) -> bool:
        """A side stops reading for good."""
        return self.client.stops_at is not None or self.far.stops_at is not None


Sides = tuple[Side, Side]


class Draw:
    """Draws the two programs of each kind of connection."""

    def __init__(self, rng: Random, typical: int) -> None:
        """Args: typical: bytes of a transfer."""
        self._rng = rng
        self._typical = typical

    def size(self) -> int:
        """Mostly of the typical size, sometimes tiny, sometimes several times as much."""
        rng = self._rng
        scale = rng.choice((0.001, 0.02, 0.2, 0.5, 1, 1, 2, 3))
        return max(1, int(self._typical * scale * rng.uniform(0.7, 1.3)))

    def small(self) -> int:
        return self._rng.choice((1, 2, 3, 4, 5, 40, 200, 1459, 1460, 1461, 2000))

    def pause(self, most: float = 2.0) -> float:
        return self._rng.choice(
            (0.0, 0.0, self._rng.uniform(0, 0.1), self._rng.uniform(0, most))
        )

    def pieces(self, size: int, most: float) -> tuple[Round, ...]:
        """The bytes in one go, or in a few with pauses."""
        count = self._rng.choice((1, 1, 2, 5))
        part = max(1, size // count)
        rounds = [Round(part, pause_s=self.pause(most)) for _ in range(count - 1)]
        rest = size - part * (count - 1)
        return (*rounds, Round(rest, pause_s=self.pause(most))) if rest > 0 else tuple(rounds)

    def upload(self) -> Sides:
        size, receipt = self.size(), self.small()
        up = self.pieces(size, 1.0)
        size = sum(r.size for r in up)
        answer = (Round(receipt, wait_for=size, pause_s=self.pause()),)
        if self._rng.random() < 0.5:
            return Side(up, "fin"), Side(answer, "fin", finish_after=size)
        return Side(up, "close", finish_after=receipt), Side(answer)

    def download(self) -> Sides:
        ask, size = self.small(), self.size()
        answer = (Round(size, wait_for=ask, pause_s=self.pause()),)
        client: Finish = self._rng.choice(("stay", "fin", "close"))
        far: Finish = "stay" if client == "close" else self._rng.choice(("fin", "close"))
        return Side((Round(ask),), client, finish_after=size), Side(answer, far)

    def talk(self) -> Sides:
        count, u, d = self._rng.randint(2, 12), self.small(), self.small()
        pause = self.pause(4.0)
        up = tuple(Round(u, wait_for=i * d, pause_s=pause) for i in range(count))
        down = tuple(Round(d, wait_for=(i + 1) * u) for i in range(count))
        if self._rng.random() < 0.5:
            return Side(up, "close", finish_after=count * d), Side(down)
        return Side(up), Side(down, "fin", finish_after=count * u)

    def both(self) -> Sides:
        u, d = self.size(), self.size()
        up, down = self.pieces(u, 0.5), self.pieces(d, 0.5)
        u = sum(r.size for r in up)
        return Side(up, "fin"), Side(down, "fin", finish_after=u)

    def aborting_client(self) -> Sides:
        client, far = self.both()
        at = self._rng.uniform(0, 5)
        return Side(client.rounds, "abort", finish_after=1 << 40, finish_at=at), far

    def leaving_client(self) -> Sides:
        up, down = self.pieces(self.size(), 0.5), self.pieces(self.size(), 1.0)
        return Side(up, "close", finish_at=self._rng.uniform(0, 3)), Side(down)

    def slow_client(self) -> Sides:
        ask, size = self.small(), self.size()
        pace = {"read_size": max(1, size // 8), "read_pause_s": self._rng.uniform(0.2, 2)}
        client = Side((Round(ask),), "stay", **pace)  # type: ignore[arg-type]
        return client, Side((Round(size, wait_for=ask),), "fin")

    def slow_far(self) -> Sides:
        client, far = self.upload()
        size = sum(r.size for r in client.rounds)
        pause = self._rng.uniform(0.2, 2)
        slow = Side(far.rounds, far.finish, far.finish_after, 0.0, max(1, size // 8), pause)
        return client, slow

    def stuck_far(self) -> Sides:
        up = (Round(150_000),)
        return Side(up, "fin"), Side((), "stay", stops_at=self._rng.randint(0, 5000))

    def early_far(self) -> Sides:
        """The far side ends although more is on its way to it."""
        up, down = self.pieces(self.size(), 0.3), self.pieces(self.size(), 0.3)
        total = sum(r.size for r in up)
        finish: Finish = self._rng.choice(("fin", "close"))
        far = Side(down, finish, finish_after=self._rng.randint(0, total))
        return Side(up, self._rng.choice(("stay", "fin"))), far

    def resetting_far(self) -> Sides:
        client, far = self.both()
        at = self._rng.uniform(0, 4)
        return client, Side(far.rounds, "abort", finish_after=1 << 40, finish_at=at)

    def greeting(self) -> Sides:
        """The far side speaks first, as SSH and SMTP do."""
        hello, ask, size = self.small(), self.small(), self.size()
        down = (Round(hello, pause_s=self.pause()), Round(size, wait_for=ask))
        up = (Round(ask, wait_for=hello, pause_s=self.pause()),)
        return Side(up, "close", finish_after=hello + size), Side(down)

    def idle(self) -> Sides:
        at = self._rng.uniform(0, 15)
        if self._rng.random() < 0.5:
            return Side((), "close", finish_at=at), Side()
        return Side(), Side((), "fin", finish_at=at)


_KINDS: Final[tuple[tuple[Callable[[Draw], Sides], int], ...]] = (
    (Draw.upload, 5),
    (Draw.download, 6),
    (Draw.talk, 4),
    (Draw.both, 4),
    (Draw.aborting_client, 1),
    (Draw.leaving_client, 1),
    (Draw.slow_client, 2),
    (Draw.slow_far, 1),
    (Draw.early_far, 2),
    (Draw.resetting_far, 1),
    (Draw.greeting, 2),
    (Draw.idle, 2),
)
_STUCK_P: Final = 0.01
_REFUSED_P: Final = 0.02


def draw_plans(
    rng: Random, *, count: int, first: int, over_s: float, typical: int
) -> list[Plan]:
    """Draw connections.

    Args:
        rng: decides everything.
        count: how many.
        first: the number of the first.
        over_s: they start within so many seconds.
        typical: bytes of a transfer.
    """
    draw = Draw(rng, typical)
    kinds = [kind for kind, _ in _KINDS]
    weights = [weight for _, weight in _KINDS]
    plans = []
    for number in range(first, first + count):
        kind = rng.choices(kinds, weights)[0]
        if rng.random() < _STUCK_P:
            kind = Draw.stuck_far
        client, far = kind(draw)
        start = rng.uniform(0, over_s) * (rng.random() < 0.85)
        plans.append(_dress(rng, Plan(number, kind.__name__, start, client, far)))
    return plans


def _dress(rng: Random, bare: Plan) -> Plan:
    """Add what does not depend on the role."""
    return Plan(
        bare.number,
        bare.kind,
        bare.start_s,
        bare.client,
        bare.far,
        reachable=rng.random() >= _REFUSED_P,
        traffic_class=rng.choice(("interactive", "normal", "normal", "bulk")),
        half_close_s=rng.choice((5.0, 10.0, 30.0)),
        close_on_fin=rng.random() < 0.05,
        lingers=rng.random() < 0.6,
        queues=(8192, rng.choice((4096, 65536)), rng.choice((2048, 65536, 65536))),
    )

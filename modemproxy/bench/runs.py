"""One measurement: what moved in a window of time, and what it took."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modemproxy.bench.figures import Arrival, Meter, rate, ratio, volume
from modemproxy.bench.limits import Direction
from modemproxy.bench.proxy import Cost
from modemproxy.bench.world import Counters

Arrivals = dict[str, list[Arrival]]


@dataclass(slots=True)
class Run:
    """What a loop, or the proxy with its clients, did between two moments.

    Attributes:
        since, until: the window, ``time.monotonic()``.
        counted: what the module counted in it.
        up, down: payload that arrived at the far side, and here, by service.
        times: how long each ping took, seconds.
        wrong: chunks that were not as sent, whenever.
        before, after: the cost of the proxy; None for a loop.
    """

    since: float
    until: float
    counted: Counters
    up: Arrivals = field(default_factory=dict)
    down: Arrivals = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    wrong: int = 0
    before: Cost | None = None
    after: Cost | None = None

    def note_received(self, service: str, meter: Meter) -> None:
        """Book what arrived here from a service."""
        self.down[service] = meter.between(self.since, self.until)
        self.wrong += meter.wrong

    @property
    def seconds(self) -> float:
        """The length of the window."""
        return self.until - self.since

    @property
    def rate_up(self) -> float:
        """Bytes a second to the far side, all links."""
        return rate(_merged(_only(self.up, ("sink", "duplex"))))

    @property
    def rate_down(self) -> float:
        """Bytes a second from the far side, all links; pings are not goodput."""
        return rate(_merged(_only(self.down, ("source", "duplex"))))

    @property
    def goodput(self) -> float:
        """Bytes a second of both directions; pings are not goodput.

        Both in one sequence: directions that take turns in long runs would each look
        faster, from its own first arrival to its own last, than they are together.
        """
        up, down = _only(self.up, ("sink", "duplex")), _only(self.down, ("source", "duplex"))
        return rate([*_merged(up), *_merged(down)])

    @property
    def volume(self) -> int:
        """Payload bytes of both directions."""
        return volume(_merged(self.up)) + volume(_merged(self.down))

    @property
    def commands_per_kb(self) -> float:
        """All commands for each 1000 bytes that arrived."""
        return ratio(self.counted.total, self.volume / 1000)

    @property
    def cpu_s(self) -> float:
        """CPU time of the proxy in the window."""
        if self.before is None or self.after is None:
            return float("nan")
        return self.after.cpu_s - self.before.cpu_s

    @property
    def cpu_per_mb(self) -> float:
        """CPU seconds of the proxy for each 1,000,000 bytes."""
        return ratio(self.cpu_s, self.volume / 1e6)

    def by_link(self) -> dict[str, float]:
        """Return the bytes a second of each service, both directions."""
        names = sorted({*self.up, *self.down})
        moved = {name: volume(self.up.get(name, [])) for name in names}
        for name in names:
            moved[name] += volume(self.down.get(name, []))
        return {name: count / self.seconds for name, count in moved.items()}


def _only(arrivals: Mapping[str, list[Arrival]], kinds: tuple[str, ...]) -> Arrivals:
    return {name: window for name, window in arrivals.items() if name.startswith(kinds)}


def _merged(arrivals: Mapping[str, list[Arrival]]) -> list[Arrival]:
    return [arrival for window in arrivals.values() for arrival in window]


def services_for(direction: Direction, links: int) -> list[str]:
    """Name the far services that load ``links`` links in a direction."""
    kind = {"up": "sink", "down": "source", "both": "duplex"}[direction]
    return [f"{kind}{index}" for index in range(links)]

"""Who had the line for how long, by arithmetic from the exchanges of each link."""

from collections.abc import Callable

from modemproxy.bench.figures import volume
from modemproxy.bench.limits import Line
from modemproxy.bench.runs import Run


def airtime(line: Line, run: Run) -> dict[str, float]:
    """Return the seconds of line that each service's link has used."""
    used = {}
    for number, service in run.counted.open.items():
        tally = run.counted.links.get(number, {})
        received = volume(run.down.get(service, []))
        sends = mean_s(tally.get("sends", 0), tally.get("send_bytes", 0), line.send_s)
        used[service] = sends + mean_s(tally.get("reads", 0), received, line.read_s)
    return used


def mean_s(count: int, total: int, cost_s: Callable[[int], float]) -> float:
    """Return what ``count`` exchanges of together ``total`` bytes cost."""
    return count * cost_s(round(total / count)) if count else 0.0

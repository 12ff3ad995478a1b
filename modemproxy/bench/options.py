"""What was asked for, and the conditions under which it is measured."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modemproxy import __version__
from modemproxy.at.transfer import CHUNK
from modemproxy.bench.limits import Line

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line of ``modemproxy bench``; None where the scenario shall choose.

    Attributes:
        bauds, latencies_ms, links: conditions; every combination is measured.
        seconds: of each window.
        quick: fewer conditions and shorter windows.
        config: a real module's configuration; then ``sink`` and ``source`` are reachable
            from it.
    """

    scenarios: Sequence[str] = ()
    bauds: Sequence[int] | None = None
    latencies_ms: Sequence[float] | None = None
    links: Sequence[int] | None = None
    seconds: float | None = None
    quick: bool = False
    json: bool = False
    plot: Path | None = None
    config: Path | None = None
    sink: Endpoint | None = None
    source: Endpoint | None = None
    echo: Endpoint | None = None

    def lines(self, *usual: tuple[int, float]) -> list[Line]:
        """Return the lines to measure; ``usual`` are (baud, ms), used as far as not asked."""
        chosen = usual[:1] if self.quick else usual
        bauds = self.bauds or list(dict.fromkeys(baud for baud, _ in chosen))
        if self.latencies_ms is None and self.bauds is None:
            return [Line(baud, ms / 1000) for baud, ms in chosen]
        latencies = self.latencies_ms or list(dict.fromkeys(ms for _, ms in chosen))
        return [Line(baud, ms / 1000) for baud in bauds for ms in latencies]

    def link_counts(self, *usual: int) -> list[int]:
        """Return the numbers of links to measure."""
        return list(self.links or (usual[:1] if self.quick else usual))

    def window_s(self, usual: float) -> float:
        """Return the length of a window."""
        return self.seconds or (min(1.5, usual) if self.quick else usual)


def conditions() -> dict[str, str | int]:
    """Say on what machine this is measured, and with what chunk."""
    return {
        "version": __version__,
        "chunk_bytes": CHUNK,
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": f"{os.getloadavg()[0]:.2f}",
    }

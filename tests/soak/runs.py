"""Running worlds by hand: one, a long one, many in processes, or by volume."""

import random
import signal
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Final

import trio

from tests.soak.checker import Violation
from tests.soak.history import Levels
from tests.soak.simulation import run_world
from tests.soak.world import Outcome, Size

#: A chapter of a volume run: transfers large enough for faults to interrupt them.
_VOLUME: Final = Size(
    connections=40, seconds=60.0, typical_bytes=400_000, faults=20, calm_p=0.0
)
_REPORT_EVERY: Final = 100
#: Processor time of one short world, beyond which it is taken to spin.
_SPIN_S: Final = 60.0


class Spinning(Exception):
    """A world uses the processor and time does not pass."""


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command line prints


def fresh_seed() -> int:
    """Return a seed that nobody has used."""
    return random.SystemRandom().randrange(10**9)


@contextmanager
def spin_limit(seconds: float = _SPIN_S) -> Iterator[None]:
    """End a body that uses so much processor time: in virtual time nothing else would."""

    def stop(_signal: int, frame: FrameType | None) -> None:
        where = "".join(traceback.format_stack(frame, limit=8))
        raise Spinning(f"{seconds:.0f} s of processor time in one world, at\n{where}")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def run_short(seed: int, *, log_lines: int = 0) -> Outcome:
    """Run one short world; one that spins is a violation like any other."""
    try:
        with spin_limit():
            return run_world(seed, log_lines=log_lines)
    except (Spinning, trio.TrioInternalError) as error:
        return Outcome(seed, [Violation("I5", None, f"{error!r}: {error.__cause__}")])


def run_one(seed: int, *, log_lines: int) -> int:
    """Run one short world and say everything about it."""
    outcome = run_short(seed, log_lines=log_lines)
    say(outcome, faults=True)
    return 1 if outcome.violations else 0


def run_many(seeds: Iterable[int], *, jobs: int) -> int:
    """Run many short worlds; say which go wrong, and how to see it again."""
    started, total, wrong, slowest = time.monotonic(), Outcome(0), [], 0.0
    for count, outcome in enumerate(_outcomes(seeds, jobs), 1):
        total.relayed += outcome.relayed
        total.connections += outcome.connections
        total.resets += outcome.resets
        slowest = max(slowest, *outcome.recoveries, 0.0)
        if outcome.violations:
            wrong.append(outcome.seed)
            say(outcome, faults=True)
        if count % _REPORT_EVERY == 0:
            _print(
                f"{count} worlds, {len(wrong)} with violations, "
                f"{total.relayed / 1e6:.1f} MB relayed, {total.connections} connections "
                f"({total.resets} reset), slowest recovery {slowest:.0f} s, "
                f"{time.monotonic() - started:.0f} s",
            )
    _print(f"{len(wrong)} of the worlds with violations: {wrong}")
    return 1 if wrong else 0


def _outcomes(seeds: Iterable[int], jobs: int) -> Iterator[Outcome]:
    if jobs <= 1:
        yield from map(run_short, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run_short, seeds, chunksize=4)


def run_long(seed: int, minutes: float, *, log_lines: int) -> int:
    """Run one world for so many virtual minutes."""

    def more(chapter: int, outcome: Outcome) -> bool:
        now = trio.current_time()
        if chapter % 10 == 0:
            _print(f"{now / 60:.1f} min, {outcome.connections} connections")
        return now < minutes * 60

    outcome = run_world(seed, more=more, log_lines=log_lines)
    say(outcome, faults=bool(outcome.violations), how=f" --minutes {minutes}")
    say_levels(outcome)
    return 1 if outcome.violations else 0


def run_volume(seed: int, volume: int, *, log_lines: int) -> int:
    """Relay so many bytes in one world, with a fault every few seconds."""
    started = time.monotonic()

    def more(chapter: int, outcome: Outcome) -> bool:
        _print(
            f"{outcome.relayed / 1e6:9.1f} MB, {outcome.connections} connections, "
            f"{len(outcome.faults)} faults, {trio.current_time() / 60:.1f} virtual min, "
            f"{time.monotonic() - started:.0f} s",
        )
        return outcome.relayed < volume

    outcome = run_world(seed, size=_VOLUME, more=more, log_lines=log_lines)
    say(outcome, faults=bool(outcome.violations), how=f" --volume {volume}")
    say_levels(outcome)
    return 1 if outcome.violations else 0


def say(outcome: Outcome, *, faults: bool, how: str = "") -> None:
    """Print what came of a world; ``how``: what else it takes to see it again."""
    _print(
        f"seed {outcome.seed}: {outcome.virtual_s:.0f} s, {outcome.connections} connections, "
        f"{outcome.resets} reset, {outcome.relayed} bytes, {len(outcome.faults)} faults, "
        f"{len(outcome.violations)} violations"
    )
    if faults:
        for at, what in outcome.faults[-40:]:
            _print(f"    {at:9.3f} {what}")
    for violation in outcome.violations:
        _print(f"  {violation}")
    if outcome.violations:
        _print(f"  again: python -m tests.soak --seed {outcome.seed}{how} --log 300")


def say_levels(outcome: Outcome) -> None:
    """Print what must return to its baseline."""
    if outcome.before is None or outcome.after is None:
        return
    for name, levels in (("before", outcome.before), ("after", outcome.after)):
        _print(f"  {name:7}{_levels(levels)}")


def _levels(levels: Levels) -> str:
    return (
        f"{levels.tasks} tasks, {levels.links} links, {levels.descriptors} descriptors, "
        f"{levels.memory_bytes / 2**20:.1f} MB"
    )

"""Running a world under virtual time, with every choice made by its seed."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import trio
import trio.testing

from tests.soak.checker import Violation
from tests.soak.world import Outcome, Size, World


def run_world(
    seed: int,
    *,
    size: Size | None = None,
    more: Callable[[int, Outcome], bool] = lambda chapter, _: chapter < 1,
    log_lines: int = 0,
) -> Outcome:
    """Run a world and judge it.

    Args:
        seed: decides everything.
        size: of a chapter.
        more: whether to begin another chapter, given its number and the outcome so far.
        log_lines: print the product's log of the last so many lines when it went wrong.

    Returns:
        What came of it; the same for the same arguments.
    """

    async def main() -> Outcome:
        async with trio.open_nursery() as nursery:
            world = World(nursery, seed, size or Size())
            world.logs.verbose = log_lines > 0
            try:
                await world.run(more)
            except Exception as error:
                world.outcome.violations.append(Violation("I8", None, f"{error!r}"))
            if world.outcome.violations and log_lines:
                world.logs.print_last(log_lines)
            nursery.cancel_scope.cancel()
        return world.outcome

    with _deterministic(seed):
        return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Have every choice come from the seed: the product's, and trio's order of tasks."""
    runner = trio._core._run
    random_state, order_state = random.getstate(), runner._r.getstate()
    random.seed(f"product {seed}")
    runner._r.seed(f"order {seed}")
    try:
        with mock.patch.object(runner, "_ALLOW_DETERMINISTIC_SCHEDULING", True):
            yield
    finally:
        random.setstate(random_state)
        runner._r.setstate(order_state)

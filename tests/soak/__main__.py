"""The soak by hand: one long world, many short ones, or a volume of bytes.

    python -m tests.soak --seed 7 --minutes 60        one world, virtual minutes
    python -m tests.soak --seeds 1:10000 --jobs 2     many short worlds
    python -m tests.soak --volume 1G                  relay that much, with faults
    python -m tests.soak --seed 7 --log 300           one short world, and what led to it

Times are virtual: a world of a minute takes half a second. Exit code 1 on a violation.
"""

import argparse
import sys

from tests.soak import runs


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seed", type=int, help="of one world; a fresh one when left out")
    parser.add_argument("--seeds", type=_span, help="FIRST:LAST, one short world each")
    parser.add_argument("--jobs", type=int, default=1, help="processes for --seeds")
    parser.add_argument("--minutes", type=float, help="virtual minutes of one world")
    parser.add_argument("--volume", type=_bytes, help="bytes to relay in one world: 1G, 50M")
    parser.add_argument("--log", type=int, default=0, help="lines of log behind a violation")
    return parser.parse_args(arguments)


def _span(text: str) -> range:
    first, _, last = text.partition(":")
    return range(int(first), int(last or first) + 1)


def _bytes(text: str) -> int:
    units = {"K": 10**3, "M": 10**6, "G": 10**9}
    unit = units.get(text[-1:].upper())
    return int(float(text[:-1]) * unit) if unit else int(text)


def main(arguments: list[str]) -> int:
    """Run what the arguments say; 1 if anything was violated."""
    given = _parse(arguments)
    seed = runs.fresh_seed() if given.seed is None else given.seed
    if given.seeds is not None:
        return runs.run_many(given.seeds, jobs=given.jobs)
    if given.volume is not None:
        return runs.run_volume(seed, given.volume, log_lines=given.log)
    if given.minutes is not None:
        return runs.run_long(seed, given.minutes, log_lines=given.log)
    return runs.run_one(seed, log_lines=given.log)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

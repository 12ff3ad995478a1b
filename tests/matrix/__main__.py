"""``python -m tests.matrix [--row N ...]``: play the rows and print what happened.

Exit code 0 when every case holds, or fails as it is marked to; 1 when one does not.
"""

import argparse
import importlib
import logging
import pkgutil
import sys
from collections import Counter
from enum import Enum

import tests.matrix
from tests.matrix import harness
from tests.matrix.rows import ROWS, Case, Happened, Row
from tests.matrix.setting import BugKeeper


class Verdict(Enum):
    """What became of a case."""

    HOLDS = "holds"
    EXPECTED = "fails as expected"
    FAILS = "FAILS"
    UNEXPECTED = "HOLDS, BUT IS MARKED TO FAIL"


def main() -> int:
    """Play and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--row", type=int, nargs="*", help="only these")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="other dice")
    parser.add_argument("--log", type=int, default=0, metavar="N", help="last N log lines")
    options = parser.parse_args()
    harness.other_dice[0] = options.seed
    BugKeeper.wanted = logging.DEBUG if options.log else logging.INFO
    _load()
    _say(_line("", "", "expected", "N", "happened", "took", ""))
    verdicts: Counter[Verdict] = Counter()
    for number in sorted(options.row or ROWS):
        _say(f"F{number}  {ROWS[number].text}")
        for case in ROWS[number].cases:
            verdicts[_play(ROWS[number], case, options.log)] += 1
    _say(", ".join(f"{each.value}: {verdicts[each]}" for each in Verdict if verdicts[each]))
    return 1 if verdicts[Verdict.FAILS] or verdicts[Verdict.UNEXPECTED] else 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _load() -> None:
    for module in pkgutil.iter_modules(tests.matrix.__path__):
        if module.name.startswith("test_"):
            importlib.import_module(f"tests.matrix.{module.name}")
    importlib.import_module("tests.e2e.test_e2e_faults")  # F46 needs a process to kill


def _play(row: Row, case: Case, log_lines: int) -> Verdict:
    """Play a case and print its line; say whether it went as it should."""
    happened = row.run(row, case)
    _say(
        _line(
            "",
            case.name,
            " or ".join(case.expected),
            f"{case.limit_s:g} s",
            happened.code,
            f"{happened.took_s:.2f} s",
            (verdict := _verdict(case, happened)).value,
        )
    )
    if case.xfail:
        _say(f"            expected to fail: {case.xfail}")
    for problem in happened.problems:
        _say(f"            {problem}")
    for line in harness.lines_of_last_run[-log_lines:] if log_lines else ():
        _say(f"            {line}")
    return verdict


def _verdict(case: Case, happened: Happened) -> Verdict:
    if case.xfail:
        return Verdict.EXPECTED if happened.problems else Verdict.UNEXPECTED
    return Verdict.FAILS if happened.problems else Verdict.HOLDS


def _line(
    row: str, text: str, expected: str, limit: str, code: str, took: str, verdict: str
) -> str:
    return (
        f"{row:<4} {text:<36} {expected:<8} {limit:>7}  {code:<8} {took:>9}  {verdict}"
    ).rstrip()


if __name__ == "__main__":
    sys.exit(main())

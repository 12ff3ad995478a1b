"""Rows of the matrix: what a row says, and the table of all of them.

    @row(1, "one +CIPRXGET: 1,n suppressed", T, 1.0)
    async def test_f01(w: World) -> None:
        await w.start(victim="download")
        w.inject("drop_urc", urc="data", link=w.victim.link, times=1)

makes a test of pytest out of the body, and a line of ``python -m tests.matrix``.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

#: Bytes intact, only delay; the victim alone is reset; all are reset; refused.
T: Final = "T"
X1: Final = "X1"
XA: Final = "XA"
CR: Final = "CR"

Body = Callable[..., Awaitable[None]]


class RowFailed(AssertionError):
    """A row of the matrix does not hold."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What came of a case.

    Attributes:
        code: the outcome; "!" where it is none of the four.
        took_s: what is held against the case's limit, seconds.
        problems: why the case fails; empty when it holds.
        note: a word for the table.
    """

    code: str
    took_s: float
    problems: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Case:
    """One way to inject what a row says.

    Attributes:
        name: told apart by it; empty when it is the only one.
        expected: outcome codes that are right; several where A4 says "T or X1".
        limit_s: N.
        given: keyword arguments for the body.
        xfail: the reason, while the product does not hold it.
    """

    name: str
    expected: tuple[str, ...]
    limit_s: float
    given: dict[str, Any] = field(default_factory=dict)
    xfail: str = ""


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        number: of failures.md A4.
        text: what is injected.
        cases: at least one.
        run: plays a case and says what happened.
    """

    number: int
    text: str
    cases: tuple[Case, ...]
    run: Callable[["Row", Case], Happened]


ROWS: Final[dict[int, Row]] = {}


def case(name: str, expected: str, limit_s: float, *, xfail: str = "", **given: Any) -> Case:
    """Make a case.

    Args:
        name: told apart by it.
        expected: outcome codes, "T" or "T|X1".
        limit_s: N, seconds.
        xfail: why the product does not hold it yet.
        given: for the body.
    """
    return Case(name, tuple(expected.split("|")), limit_s, given, xfail)


def enter(
    number: int, text: str, cases: Sequence[Case], run: Callable[[Row, Case], Happened]
) -> Callable[[Case], None]:
    """Enter a row and return its test."""
    assert number not in ROWS, f"row {number} is there twice"
    entered = ROWS[number] = Row(number, text, tuple(cases), run)

    @pytest.mark.parametrize("case", [_parameter(each) for each in cases])
    def test(case: Case) -> None:
        happened = entered.run(entered, case)
        if happened.problems:
            raise RowFailed(f"F{number}: " + "; ".join(happened.problems))

    test.__doc__ = text
    return test


def _parameter(each: Case) -> Any:
    marks = [pytest.mark.xfail(reason=each.xfail, raises=RowFailed, strict=True)]
    return pytest.param(each, id=each.name or "only", marks=marks if each.xfail else [])

"""Plays a row: a calm run, a run with the fault, and the verdict.

What is held against N depends on the outcome:

* T: the extra time, the largest over all connections, against the calm run. Where N is 0 it
  may be what the fault's own bytes take on the line (and pauses it is told to make,
  ``World.excused_s``), 5 % of the calm run, and a tenth of a second;
* X1: from the fault's first strike to the victim's reset; bystanders' extra time is held
  against N as well;
* XA: from the strike (or ``World.cleared()``) until a new client has had its first answer,
  less ``boot_s`` where A4 says "+ B". Clients come one after the other, as they would;
* CR: from the client's connect to its reset.

A row may replace that with its own measure (``measure=``).
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.matrix.judge import code_of, fate, fates_text, lies
from tests.matrix.rows import CR, XA, Body, Case, Happened, Row, case, enter
from tests.matrix.runs import Run, play
from tests.matrix.world import BAUDRATE, Setting, World

_SLACK_S: Final = 0.1
_NEVER_S: Final = 1e6

Measure = Callable[[World, World | None], float]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How a row is judged.

    Attributes:
        boot_s: B, seconds, where A4 says "+ B".
        vacuous: the fault is no fault of the box and no ``hurt``: it need not strike.
        calm: there is a calm run to compare with.
        measure: replaces what is held against N; gets the run and the calm run.
        probe: a new client has to be served after the fault whatever the outcome.
        check: gets the run and the calm run; returns what else is wrong with it.
    """

    boot_s: float = 0.0
    vacuous: bool = False
    calm: bool = True
    measure: Measure | None = None
    probe: bool = True
    check: Callable[[World, World | None], list[str]] = lambda world, calm: []


def row(
    number: int,
    text: str,
    expected: str | Sequence[Case],
    limit_s: float = 0.0,
    *,
    rules: Rules | None = None,
    **setting: Any,
) -> Callable[[Body], Callable[[Case], None]]:
    """Make a row, and its test, of a body ``async def test_fNN(w: World, **given)``.

    Args:
        number: of failures.md A4.
        text: what is injected, for the table.
        expected: "T", "X1", "XA", "CR", or several with "|"; or a list of ``case(...)``.
        limit_s: N, when there is one case.
        rules: how it is judged.
        setting: fields of ``Setting``.
    """
    cases = [case("", expected, limit_s)] if isinstance(expected, str) else expected

    def decorate(body: Body) -> Callable[[Case], None]:
        play = functools.partial(_play, body, Setting(**setting), rules or Rules())
        return enter(number, text, cases, play)

    return decorate


#: Added to the seed of every row, for whoever wants other dice.
other_dice = [0]
#: The product's log of the last run, for whoever looks into a row that fails.
lines_of_last_run: list[str] = []


def _play(body: Body, setting: Setting, rules: Rules, row: Row, case: Case) -> Happened:
    setting = replace(setting, seed=setting.seed + other_dice[0])
    calm = play(body, setting, case, calm=True, probe=False) if rules.calm else None
    hurt = play(body, setting, case, calm=False, probe=rules.probe)
    lines_of_last_run[:] = hurt.log
    if calm is not None and calm.problems:
        return Happened("!", 0.0, tuple(f"calm run: {each}" for each in calm.problems))
    if hurt.broken:
        return Happened("!", 0.0, tuple(hurt.problems))
    return _verdict(hurt, calm, rules, case)


def _verdict(hurt: Run, calm: Run | None, rules: Rules, case: Case) -> Happened:
    world = hurt.world
    code = code_of(world.connections, case.expected)
    problems = [*hurt.problems, *rules.check(world, calm.world if calm else None)]
    for connection in (*world.connections, *world.probes):
        problems += lies(connection)
    if not rules.vacuous and world.struck_at is None:
        problems.append("the fault never struck")
    if code not in case.expected:
        problems.append(f"{code} instead of {' or '.join(case.expected)}")
        problems.append(fates_text(world.connections))
    if rules.probe and world.struck_at is not None:
        problems += _late_service(hurt, code, case)
    took, limit = _time(hurt, calm, rules, code), _limit(hurt, calm, case)
    if took > limit:
        problems.append(f"took {took:.2f} s, {limit:.2f} s allowed")
    return Happened(code, took, tuple(problems), f"{len(world.box.log)} strikes")


def _late_service(hurt: Run, code: str, case: Case) -> list[str]:
    """Say whether a client that comes after the fault waits; XA is judged by that anyway."""
    if hurt.served_at is None:
        return ["no new client was served afterwards"]
    over_at = max((c.ended_at for c in hurt.world.connections), default=0.0)
    waited = hurt.served_at - max(hurt.asked_at, over_at)
    if code == XA or waited <= max(1.0, case.limit_s):
        return []
    return [f"a new client waited {waited:.1f} s for its first answer"]


def _time(hurt: Run, calm: Run | None, rules: Rules, code: str) -> float:
    world = hurt.world
    if rules.measure is not None:
        return rules.measure(world, calm.world if calm else None)
    since = world.clear_at or world.struck_at or 0.0
    if code == XA:
        return max(0.0, (hurt.served_at or _NEVER_S) - since - rules.boot_s)
    victims = [c for c in world.connections if c.victim and fate(c) in ("RST", "CR")]
    times = [0.0] if calm is None else [extra_s(world, calm.world)]
    for victim in victims:
        times.append(victim.duration_s if code == CR else victim.ended_at - since)
    return max(times)


def extra_s(world: World, calm: World) -> float:
    """Return the most that a connection which stayed whole took longer than in calm."""
    whole = [c for c in world.connections if fate(c) == "T"]
    calm_s = {c.name: c.duration_s for c in calm.connections}
    return max([0.0, *(c.duration_s - calm_s[c.name] for c in whole if c.name in calm_s)])


def _limit(hurt: Run, calm: Run | None, case: Case) -> float:
    if case.limit_s or calm is None:
        return case.limit_s + hurt.world.excused_s
    longest = max((c.duration_s for c in calm.world.connections), default=0.0)
    on_the_line = max(0, hurt.bytes_out - calm.bytes_out) * 10 / BAUDRATE
    return hurt.world.excused_s + on_the_line + 0.05 * longest + _SLACK_S

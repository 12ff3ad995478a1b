"""A rule: which fault, set off by what, how often, for how long."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from modemproxy.emulator.faults_kind import KINDS, Event, Kind
from modemproxy.emulator.faults_params import (
    BadValue,
    Problem,
    build,
    near,
    number,
    parameters,
    problems_of,
)
from modemproxy.emulator.faults_said import known_command


@dataclass(frozen=True, slots=True)
class OnCommand:
    """The nth command of a name, or every so-manieth; counted from when the rule is added."""

    name: str  # as +CIPSEND
    nth: int | None = number(None, least=1)  # the how manieth of them (default 1)
    every: int | None = number(None, least=1)  # each so-manieth, again and again
    link: int | None = number(None, most=9)  # only those about this link

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", known_command(self.name, "name"))


@dataclass(frozen=True, slots=True)
class OnSend:
    """A moment of the nth CIPSEND that comes that far."""

    phase: Literal["prompt", "payload", "ok", "result"]  # before which it is set off
    nth: int | None = number(None, least=1)  # the how manieth (default 1)
    every: int | None = number(None, least=1)  # each so-manieth, again and again
    link: int | None = number(None, most=9)  # only those on this link


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What sets a fault off, and its limits; without a trigger it holds from the start."""

    at_s: float | None = None  # so long after it was added
    every_s: float | None = number(None, least=0.001)  # again and again
    jitter_s: float = 0.0  # at most this much later than every_s says, by the dice
    on_command: OnCommand | None = None  # {name: +CIPSEND, nth: 3, every: 5, link: 0}
    on_send: OnSend | None = None  # {phase: prompt | payload | ok | result, nth, every, link}
    after_bytes_in: int | None = None  # when the DTE has said that many
    after_bytes_out: int | None = None  # when the module has said that many
    every_bytes_in: int | None = number(None, least=1)  # each time that many came in
    every_bytes_out: int | None = number(None, least=1)  # each time that many went out
    probability: float = number(1.0, most=1)  # of each strike, or of each time it is set off
    times: int | None = None  # at most; 0 is no limit; default 1 if set off, without for_s
    for_s: float | None = None  # how long it holds each time
    link: int | None = number(None, most=9)  # only this link

    def __post_init__(self) -> None:
        if self.jitter_s and self.every_s is None:
            raise BadValue("means nothing without every_s", "jitter_s")
        given = [name for name in TRIGGERS if getattr(self, name) is not None]
        if len(given) > 1 and set(given) != {"at_s", "every_s"}:
            raise BadValue(f"one thing sets it off, not {len(given)}: {', '.join(given)}")

    @property
    def triggered(self) -> bool:
        """Whether anything but its being there sets it off."""
        return any(getattr(self, name) is not None for name in TRIGGERS)

    def limit(self, kind: type[Kind]) -> int | None:
        """Return how often it strikes, None for no limit.

        For a filter: each time it is set off. For an event: in all.
        """
        if self.times is not None:
            return self.times or None
        once = self.triggered and self.for_s is None
        if issubclass(kind, Event):
            return 1 if once and not self.repeats else None
        return 1 if once else None

    @property
    def repeats(self) -> bool:
        """Whether it can be set off more than once."""
        counted = (self.on_command, self.on_send)
        return (
            self.every_s is not None
            or self.every_bytes_in is not None
            or self.every_bytes_out is not None
            or any(count is not None and count.every is not None for count in counted)
        )


TRIGGERS: Final = (
    "at_s",
    "every_s",
    "on_command",
    "on_send",
    "after_bytes_in",
    "after_bytes_out",
    "every_bytes_in",
    "every_bytes_out",
)


class Fault:
    """A rule, immutable; the same one can be added to several boxes.

    Args:
        name: of the fault, see ``modemproxy emulate --list-faults``.
        given: its parameters, and those of ``When``.

    Attributes:
        when: what sets it off, and its limits.

    Raises:
        ValueError: a name or value is wrong; says all of it.
    """

    def __init__(self, name: str, **given: Any) -> None:  # noqa: ANN401 - any parameter's type
        problems = fault_problems(name, given)
        if problems:
            raise ValueError("; ".join(f"{name}: {path}: {what}" for path, what in problems))
        self.name = name
        when = parameters(When)
        self.when: When = build(When, {n: v for n, v in given.items() if n in when})
        self._own = {n: v for n, v in given.items() if n not in when}

    @property
    def kind(self) -> type[Kind]:
        """The class of the fault."""
        return KINDS[self.name]

    def make(self) -> Kind:
        """Make one, with its parameters."""
        made = build(self.kind, self._own)
        assert isinstance(made, Kind)
        return made

    def __repr__(self) -> str:
        given = {**self._own, "when": self.when}
        return f"Fault({self.name!r}, {given})"


def fault_problems(name: str, given: dict[str, Any]) -> list[Problem]:
    """Return every mistake in a rule: path below it, and what is wrong."""
    kind = KINDS.get(name)
    if kind is None:
        return [("fault", f"no fault is called {name!r} {near(name, KINDS)}")]
    when, own = parameters(When), parameters(kind)
    unknown = [n for n in given if n not in when and n not in own]
    problems = [(n, f"unknown {near(n, {**own, **when})}") for n in unknown]
    problems += problems_of(When, {n: v for n, v in given.items() if n in when})
    problems += problems_of(kind, {n: v for n, v in given.items() if n in own})
    if given.get("link") is not None and not kind.per_link:
        problems.append(("link", "means nothing here: it is about no link"))
    lasts = not issubclass(kind, Event) or kind.stands
    if given.get("for_s") is not None and not lasts:
        problems.append(("for_s", "means nothing here: it does not last"))
    return problems

"""The running proxy's report, put into lines for people. Pure text, no escape sequences.

What clients and far sides call themselves is shown, but can not harm a terminal: of it,
only what is printable and as wide as other characters is left.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from modemproxy.operate.plain_text import (
    clean,
    elide,
    fit,
    short_size,
    short_span,
    span,
    table,
)

Facts = Mapping[str, Any]

_KINDS: Final = ("read", "write", "control", "upkeep")
_BARS: Final = "▂▄▆█"
#: dBm from which on reception has so many bars.
_STEPS: Final = (-105, -95, -85, -75)
_GAUGE: Final = 20
#: Where what is said begins.
_INDENT: Final = " " * 10


@dataclass(frozen=True, slots=True)
class Pace:
    """What has changed between two reports.

    Attributes:
        seconds: between them.
        shares: of the line's time, by kind of exchange.
        prompts: a second.
        rates: bytes a second (up, down) by the connections' numbers.
    """

    seconds: float
    shares: Mapping[str, float]
    prompts: float
    rates: Mapping[int, tuple[float, float]]


def pace(before: Facts, after: Facts) -> Pace:
    """Compare two reports of one run."""
    seconds = max(after["uptime_s"] - before["uptime_s"], 0.001)
    old, new = before["line"]["seconds"], after["line"]["seconds"]
    shares = {kind: max(0.0, new[kind] - old.get(kind, 0.0)) / seconds for kind in new}
    prompts = (after["line"]["prompts"] - before["line"]["prompts"]) / seconds
    was = {each["id"]: each for each in before["connections"]}
    rates = {}
    for each in after["connections"]:
        first = was.get(each["id"], {"up": 0, "down": 0})
        rates[each["id"]] = (
            (each["up"] - first["up"]) / seconds,
            (each["down"] - first["down"]) / seconds,
        )
    return Pace(seconds, shares, prompts, rates)


def lines(status: Facts, width: int = 80, now: Pace | None = None) -> Iterator[str]:
    """Put a report into lines of at most ``width`` characters.

    Args:
        status: of the ``status`` request.
        width: of the terminal.
        now: what moves, if that is known; else what has been since the start is shown.
    """
    for line in _all(_cleaned(status), width, now):
        yield fit(line, width)


def _cleaned(value: Any) -> Any:  # noqa: ANN401
    """Clean whatever texts are anywhere in a report; nothing later has to think of it."""
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    return clean(value) if isinstance(value, str) else value


def _all(status: Facts, width: int, now: Pace | None) -> Iterator[str]:
    yield (
        f"proxy     {status['version']}, process {status['pid']}, "
        f"started {span(status['uptime_s'])} ago"
    )
    if status["draining"]:
        yield f"{_INDENT}DRAINING: nobody is let in any more"
    yield from _module(status["module"], width)
    yield from _line(status, now)
    yield from _links(status["links"], width)
    yield ""
    yield from _listeners(status["surfaces"], width)
    yield ""
    yield from _connections(status["connections"], width, now)


def _module(module: Facts, width: int) -> Iterator[str]:
    state = f"{module['state'].upper()} for {span(module['since_s'])}"
    if module["state"] == "up":
        state += f", address {module['address']}"
    yield f"module    {state}{_signal(module['signal_dbm'])}"
    if module["reason"]:
        yield from _wrapped(module["reason"], width)
    speed = f"at {module['baudrate']} baud" if module["baudrate"] else "speed not known"
    model = module["model"] or "no model known"
    yield f"{_INDENT}{elide(model, 28)} on {elide(module['port'], 26)} {speed}"
    recoveries = ", ".join(f"{rung} {count}x" for rung, count in module["recoveries"].items())
    if recoveries:
        yield f"recovery  {recoveries}; session {module['sessions']}"


def _signal(dbm: int | None) -> str:
    if dbm is None:
        return ""
    bars = sum(dbm >= step for step in _STEPS)
    return f", signal {dbm} dBm {_BARS[:bars]}{'_' * (4 - bars)}"


def _line(status: Facts, now: Pace | None) -> Iterator[str]:
    line = status["line"]
    if now is None:
        uptime = max(status["uptime_s"], 0.001)
        shares: Mapping[str, float] = {k: s / uptime for k, s in line["seconds"].items()}
        when, prompts = "since the start", f"{line['prompts']} prompts"
    else:
        shares, when, prompts = now.shares, "now", f"{now.prompts:.0f} prompts/s"
    busy = min(1.0, sum(shares.values()))
    gauge = "#" * round(_GAUGE * busy)
    yield f"line      [{gauge:-<{_GAUGE}}] {100 * busy:.0f} % busy {when}"
    parts = ", ".join(f"{kind} {100 * shares.get(kind, 0):.0f} %" for kind in _KINDS)
    waiting = f", {line['waiting']} commands waiting" if line["waiting"] else ""
    yield f"{_INDENT}{parts}{waiting}"
    yield (
        f"{_INDENT}{prompts}, {line['busy_answers']} busy answers, "
        f"{line['turnaround_ms']:.1f} ms turn-around"
    )


def _links(links: Facts, width: int) -> Iterator[str]:
    waiting = f", {links['waiting']} waiting for one" if links["waiting"] else ""
    yield f"links     {links['in_use']} of {links['total']} in use{waiting}"
    used = [each for each in links["numbers"] if each["use"] != "free"]
    yield from _wrapped(", ".join(f"{each['link']} {_use(each)}" for each in used), width)


def _use(number: Facts) -> str:
    owner = elide(number["owner"], 20)
    if not owner or number["use"] == "open":
        return owner or str(number["use"])
    return f"{owner} ({number['use']})"


def _wrapped(text: str, width: int) -> Iterator[str]:
    for row in textwrap.wrap(text, max(20, width - len(_INDENT))):
        yield _INDENT + row


def _listeners(surfaces: Sequence[Facts], width: int) -> Iterator[str]:
    heads = ("listener", "kind", "listens on", "inside", "in all", "up", "down", "refused")
    rows = [
        (
            each["name"] + ("" if each["enabled"] else " (off)"),
            each["kind"],
            each["listen"],
            str(each["clients"]),
            str(each["connections"]),
            short_size(each["up"]),
            short_size(each["down"]),
            str(each["refused"]),
        )
        for each in surfaces
    ]
    yield from table(heads, rows, width, left=(0, 1, 2))
    for each in surfaces:
        if not each["enabled"]:
            yield f"  {elide(each['name'], 30)} is off: {each['why_not']}"


def _connections(connections: Sequence[Facts], width: int, now: Pace | None) -> Iterator[str]:
    if not connections:
        yield "no connections"
        return
    heads = ["id", "by", "from", "to", "link", "age", "wait", "up", "down"]
    if now is not None:
        heads += ["up/s", "down/s"]
    rows = [_connection(each, now) for each in connections]
    yield from table(heads, rows, width, left=(1, 2, 3))


def _connection(each: Facts, now: Pace | None) -> list[str]:
    row = [
        str(each["id"]),
        each["surface"],
        each["peer"],
        each["target"],
        "-" if each["link"] is None else str(each["link"]),
        short_span(each["age_s"]),
        short_span(_waited_s(each)),
        short_size(each["up"]),
        short_size(each["down"]),
    ]
    if now is not None:
        row += map(short_size, now.rates.get(each["id"], (0.0, 0.0)))
    return row


def _waited_s(each: Facts) -> float:
    """How long for a link; who has none yet waits since it came."""
    if each["queue_s"] is None:
        return float(each["age_s"]) if each["link"] is None else 0.0
    return float(each["queue_s"])

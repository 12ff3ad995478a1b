"""The running proxy's report, put into lines for people. Pure text, no escape sequences.

What clients and far sides call themselves is shown, but can not harm a terminal: of it,
only printable characters are left.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Facts = Mapping[str, Any]

_KINDS: Final = ("read", "write", "control", "upkeep")
_BARS: Final = "▂▄▆█"
#: dBm from which on reception has so many bars.
_STEPS: Final = (-105, -95, -85, -75)


@dataclass(frozen=True, slots=True)
class Pace:
    """What has changed between two reports.

    Attributes:
        seconds: between them.
        shares: of the line's time, by kind of exchange.
        rates: bytes a second (up, down) by the connections' numbers.
    """

    seconds: float
    shares: Mapping[str, float]
    rates: Mapping[int, tuple[float, float]]


def pace(before: Facts, after: Facts, seconds: float) -> Pace:
    """Compare two reports of one run."""
    seconds = max(seconds, 0.001)
    old, new = before["line"]["seconds"], after["line"]["seconds"]
    shares = {kind: max(0.0, new[kind] - old.get(kind, 0.0)) / seconds for kind in new}
    was = {each["id"]: each for each in before["connections"]}
    rates = {}
    for each in after["connections"]:
        first = was.get(each["id"], {"up": 0, "down": 0})
        rates[each["id"]] = (
            (each["up"] - first["up"]) / seconds,
            (each["down"] - first["down"]) / seconds,
        )
    return Pace(seconds, shares, rates)


def lines(status: Facts, width: int = 80, now: Pace | None = None) -> Iterator[str]:
    """Put a report into lines of at most ``width`` characters.

    Args:
        status: of the ``status`` request.
        width: of the terminal.
        now: what moves, if that is known; else what has been since the start is shown.
    """
    for line in _all(status, now):
        yield fit(line, width)


def _all(status: Facts, now: Pace | None) -> Iterator[str]:
    yield from _module(status)
    yield from _line(status, now)
    yield from _links(status["links"])
    yield ""
    yield from _table(
        ("listener", "kind", "listens on", "inside", "in all", "up", "down", "refused"),
        [_listener(each) for each in status["surfaces"]],
        right=(3, 4, 5, 6, 7),
    )
    yield ""
    yield from _connections(status["connections"], now)


def _module(status: Facts) -> Iterator[str]:
    module = status["module"]
    state = f"{module['state']} for {span(module['since_s'])}"
    if status["draining"]:
        state += ", DRAINING: nobody is let in any more"
    if module["state"] == "up":
        state += f", address {clean(module['address'])}"
    yield f"module    {state}"
    if module["reason"]:
        yield f"          {clean(module['reason'])}"
    signal = _signal(module["signal_dbm"])
    yield f"          {clean(module['model']) or 'no model known'}{signal}"
    recoveries = ", ".join(f"{rung} {count}x" for rung, count in module["recoveries"].items())
    if recoveries:
        yield f"recovery  {recoveries}"


def _signal(dbm: int | None) -> str:
    if dbm is None:
        return ""
    bars = sum(dbm >= step for step in _STEPS)
    return f", signal {dbm} dBm {_BARS[:bars]}{'_' * (4 - bars)}"


def _line(status: Facts, now: Pace | None) -> Iterator[str]:
    line, module = status["line"], status["module"]
    if now is None:
        uptime = max(status["uptime_s"], 0.001)
        shares: Mapping[str, float] = {k: s / uptime for k, s in line["seconds"].items()}
        when = "since the start"
    else:
        shares, when = now.shares, "now"
    parts = ", ".join(f"{kind} {100 * shares.get(kind, 0):.0f}" for kind in _KINDS)
    busy = 100 * sum(shares.values())
    speed = f"{module['baudrate']} baud" if module["baudrate"] else "speed not known"
    yield f"line      {busy:.0f} % busy {when} ({parts})"
    turnaround = f"{line['turnaround_ms']:.1f} ms turn-around"
    yield f"          {speed}, {turnaround}, {elide(clean(module['port']), 40)}"
    yield (
        f"          {line['prompts']} prompts, {line['busy_answers']} busy answers, "
        f"{line['waiting']} commands waiting"
    )


def _links(links: Facts) -> Iterator[str]:
    yield f"links     {links['in_use']} of {links['total']} in use, {links['waiting']} waiting"
    used = [each for each in links["numbers"] if each["use"] != "free"]
    words = [f"{each['link']} {clean(each['owner']) or each['use']}" for each in used]
    if words:
        yield f"          {', '.join(words)}"


def _listener(each: Facts) -> tuple[str, ...]:
    name = clean(each["name"]) + ("" if each["enabled"] else " (off)")
    return (
        elide(name, 16),
        each["kind"],
        elide(clean(each["listen"]), 21),
        str(each["clients"]),
        str(each["connections"]),
        size(each["up"]),
        size(each["down"]),
        str(each["refused"]),
    )


def _connections(connections: Sequence[Facts], now: Pace | None) -> Iterator[str]:
    if not connections:
        yield "no connections"
        return
    heads = ["id", "by", "from", "to", "link", "age", "up", "down"]
    rows = []
    for each in connections:
        row = [
            str(each["id"]),
            elide(clean(each["surface"]), 10),
            elide(clean(each["peer"]), 16),
            elide(clean(each["target"]), 18),
            "-" if each["link"] is None else str(each["link"]),
            span(each["age_s"]),
            size(each["up"]),
            size(each["down"]),
        ]
        if now is not None:
            up, down = now.rates.get(each["id"], (0.0, 0.0))
            row[6:] = [f"{size(up)}/s", f"{size(down)}/s"]
        rows.append(tuple(row))
    yield from _table(tuple(heads), rows, right=(0, 4, 5, 6, 7))


def _table(
    heads: tuple[str, ...], rows: list[tuple[str, ...]], *, right: tuple[int, ...]
) -> Iterator[str]:
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    for row in (heads, *rows):
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield " ".join(cells).rstrip()


def clean(text: str) -> str:
    """Leave of a text what is printable."""
    return "".join(char if char.isprintable() else "?" for char in text)


def elide(text: str, most: int) -> str:
    """Cut a text that is too long in its middle."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def fit(text: str, width: int) -> str:
    """Cut a line at its end."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def span(seconds: float) -> str:
    """Write a time: ``12 s``, ``3 min``, ``5 h``, ``8 d``."""
    for limit, unit, length in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def size(count: float) -> str:
    """Write a number of bytes: ``512 B``, ``1.5 kB``, ``23 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5 or unit == "GB":
            digits = 0 if unit == "B" or count >= 99.5 else 1
            return f"{count:.{digits}f} {unit}"
        count /= 1000
    raise AssertionError

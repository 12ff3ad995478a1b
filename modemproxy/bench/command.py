"""``modemproxy bench``: what can be asked for, and whether it can be.

Importing this does not import trio; ``run`` does. Mistakes of the user are ConfigErrors.
"""

import argparse
import difflib
import importlib.util
import math
import sys
from pathlib import Path
from typing import Final

from modemproxy.bench.options import Endpoint, Options
from modemproxy.config import Wrong, parse_target
from modemproxy.config.model import BAUD_RATES
from modemproxy.errors import ConfigError

#: What each scenario answers.
SCENARIOS: Final = {
    "goodput": "bulk up, down and both ways, on 1, 3 and 9 links",
    "latency": "a 32-byte ping alone, beside nine links both ways, beside nine downloads",
    "fairness": "nine equal links; classes 4:2:1; small sends beside a bulk upload",
    "connect": "from a client's connect to its first byte, alone and under load",
    "idle": "what it costs with nothing open and with ten idle links",
    "cost": "CPU and memory of the proxy, time of the host in each exchange",
    "busy": "sends refused: now and then, on one link for long, by a slow network",
}
_ENDPOINTS: Final = ("sink", "source", "echo")
_LINKS: Final = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``modemproxy bench`` takes."""
    add = parser.add_argument
    add("scenarios", nargs="*", metavar="SCENARIO", help="what to measure (all: see --list)")
    add("--list", action="store_true", help="show the scenarios and exit")
    add("--baud", type=int, nargs="+", metavar="N", help="speeds of the line")
    add("--latency", type=float, nargs="+", metavar="MS", help="turn-arounds of the module, ms")
    add("--links", type=int, nargs="+", metavar="N", help="how many links carry bulk")
    add("--seconds", type=float, metavar="S", help="length of every measurement")
    add("--quick", action="store_true", help="one line speed, short measurements")
    add("--json", action="store_true", help="print JSON instead of tables")
    add("--plot", type=Path, metavar="FILE", help="also draw it (.png or .svg)")
    add("--config", type=Path, metavar="FILE", help="measure this real module instead")
    add("--sink", metavar="HOST:PORT", help="with --config: takes bytes, then closes")
    add("--source", metavar="HOST:PORT", help="with --config: sends bytes without end")
    add("--echo", metavar="HOST:PORT", help="with --config: gives back what comes")


def run(args: argparse.Namespace) -> int:
    """Measure what was asked for.

    Args:
        args: parsed by a parser that ``add_arguments`` has prepared.

    Returns:
        The exit code: 1 if bytes did not arrive as they were sent.

    Raises:
        ConfigError: the arguments are wrong.
    """
    if args.list:
        lines = (f"{name:10}{about}" for name, about in SCENARIOS.items())
        sys.stdout.write("\n".join(lines) + "\n")
        return 0
    options = read(args)
    import trio  # late: who only asks for help needs none of it

    from modemproxy.bench.session import run_session

    try:
        return trio.run(run_session, options)
    except KeyboardInterrupt:
        return 130


def read(args: argparse.Namespace) -> Options:
    """Turn the arguments into options.

    Raises:
        ConfigError: with every mistake.
    """
    problems = [*_scenario_problems(args.scenarios), *_number_problems(args)]
    problems += [*_plot_problems(args.plot), *_real_problems(args)]
    ends = {name: _endpoint(name, getattr(args, name), problems) for name in _ENDPOINTS}
    if problems:
        raise ConfigError(problems)
    return Options(
        scenarios=args.scenarios or list(SCENARIOS),
        bauds=args.baud,
        latencies_ms=args.latency,
        links=args.links,
        seconds=args.seconds,
        quick=args.quick,
        json=args.json,
        plot=args.plot,
        config=args.config,
        **ends,
    )


def _scenario_problems(names: list[str]) -> list[str]:
    return [
        f"bench {name}: no such scenario ({_hint(name)})"
        for name in names
        if name not in SCENARIOS
    ]


def _hint(name: str) -> str:
    near = difflib.get_close_matches(name, SCENARIOS, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SCENARIOS)}"


def _number_problems(args: argparse.Namespace) -> list[str]:
    rates = ", ".join(map(str, BAUD_RATES))
    bad = [
        f"--baud {n}: the module has {rates}" for n in args.baud or () if n not in BAUD_RATES
    ]
    for ms in args.latency or ():
        if not 0 <= ms <= 1000:
            bad.append(f"--latency {ms:g}: not a time in ms from 0 to 1000")
    for count in args.links or ():
        if not 1 <= count <= _LINKS:
            bad.append(f"--links {count}: the module has 1 to {_LINKS}")
    if args.seconds is not None and not 0.2 <= args.seconds < math.inf:
        bad.append(f"--seconds {args.seconds:g}: not a time from 0.2 up")
    return bad


def _plot_problems(file: Path | None) -> list[str]:
    if file is None:
        return []
    if file.suffix not in {".png", ".svg"}:
        return [f"--plot {file}: the name must end in .png or .svg"]
    if not file.absolute().parent.is_dir():
        return [f"--plot {file}: there is no folder {file.parent}"]
    if importlib.util.find_spec("matplotlib") is None:
        return ["--plot: needs matplotlib (pip install 'modemproxy[plot]')"]
    return []


def _real_problems(args: argparse.Namespace) -> list[str]:
    given = [f"--{name}" for name in _ENDPOINTS if getattr(args, name)]
    if args.config is None:
        return [
            f"{name}: only with --config (the emulated module has its own)" for name in given
        ]
    missing = [f"--{name}" for name in ("sink", "source") if f"--{name}" not in given]
    bad = [f"--config: needs {name} HOST:PORT, reachable for the module" for name in missing]
    if args.baud or args.latency:
        bad.append(
            "--config: a real line has the speed and the latency it has (leave them out)"
        )
    return bad


def _endpoint(name: str, text: str | None, problems: list[str]) -> Endpoint | None:
    if text is None:
        return None
    try:
        target = parse_target(text)
    except Wrong as error:
        problems.append(f"--{name}: {error}")
        return None
    return target.host, target.port

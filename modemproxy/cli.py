"""The command line: arguments in, exit code out. Each command imports what it needs.

Exit codes: 0 done, 1 failed while running, 2 the command line or configuration is wrong.
A mistake of the user is a line on standard error, never a traceback.
"""

import argparse
import difflib
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

from modemproxy import __version__
from modemproxy.errors import ConfigError, ModemProxyError, first_error

Command = Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """argparse, with the nearest command for a mistyped one."""

    def error(self, message: str) -> NoReturn:
        if "invalid choice" in message and len(sys.argv) > 1:
            near = difflib.get_close_matches(sys.argv[1], COMMANDS, 1)
            if near:
                message += f" (did you mean {near[0]!r}?)"
        super().error(message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the entry point of ``modemproxy``.

    Args:
        argv: the arguments, without the program's name; those of the process if left out.

    Returns:
        The exit code.
    """
    args = _parser().parse_args(argv)
    try:
        return COMMANDS[args.command](args)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except ModemProxyError as error:
        print(f"modemproxy: {error}", file=sys.stderr)
        return 1
    except BaseExceptionGroup as group:
        return _report_group(group)
    except BrokenPipeError:  # `modemproxy check | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _report_group(group: BaseExceptionGroup[BaseException]) -> int:
    error = first_error(group)
    if isinstance(error, ModemProxyError):
        print(error, file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    if isinstance(error, KeyboardInterrupt):
        return 130
    raise group


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="modemproxy",
        description="TCP and UDP through the TCP/IP stack inside an A76XX LTE module.",
    )
    parser.add_argument("--version", action="version", version=f"modemproxy {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the proxy in the foreground")
    run.add_argument("--config", metavar="FILE", help="the configuration")
    run.add_argument(
        "--record", metavar="FILE", help="append a transcript of the serial line, to send in"
    )
    check = commands.add_parser("check", help="validate a configuration, open nothing")
    check.add_argument("file", nargs="?", metavar="FILE", help="the configuration")
    demo = commands.add_parser("demo", help="the whole thing on this machine, no hardware")
    demo.add_argument("--once", action="store_true", help="prove it, print what, and exit")
    demo.add_argument(
        "--verbose", action="store_true", help="show the log and the wire transcript"
    )
    emulate = commands.add_parser("emulate", help="an emulated module on a tty")
    _add_emulator_arguments(emulate)
    bench = commands.add_parser("bench", help="measure through an emulated module")
    _add_bench_arguments(bench)
    doctor = commands.add_parser("doctor", help="why it does or does not work, step by step")
    doctor.add_argument("--config", metavar="FILE", help="the configuration")
    doctor.add_argument("--json", action="store_true", help="one JSON object at the end")
    doctor.add_argument(
        "--enter-pin", action="store_true", help="enter the configured PIN if the SIM asks"
    )
    connect = commands.add_parser("connect", help="one connection on standard input and output")
    connect.add_argument("destination", metavar="HOST:PORT", help="where to, as ssh's %%h:%%p")
    connect.add_argument("--socket", metavar="PATH", help="the running proxy's admin socket")
    connect.add_argument("--config", metavar="FILE", help="the running proxy's configuration")
    from modemproxy.operate import (
        events_command,
        look_command,
        status_command,
        steer_command,
        usage_command,
    )

    status_command.add_arguments(commands)
    steer_command.add_arguments(commands)
    look_command.add_arguments(commands)
    events_command.add_arguments(commands)
    usage_command.add_arguments(commands)
    commands.add_parser("init", help="print a commented configuration")
    commands.add_parser("schema", help="print the configuration's JSON Schema")
    return parser


def _add_emulator_arguments(parser: argparse.ArgumentParser) -> None:
    from modemproxy.emulator.command import add_arguments

    add_arguments(parser)


def _add_bench_arguments(parser: argparse.ArgumentParser) -> None:
    from modemproxy.bench.command import add_arguments

    add_arguments(parser)


def _run(args: argparse.Namespace) -> int:
    from modemproxy.config import find, load

    config = load(find(args.config, os.environ))

    import trio

    from modemproxy import app, logs
    from modemproxy.operate.paths import server_place

    logs.set_up(config.log.level, config.log.format)
    with logs.recording(args.record):
        place = server_place(os.environ)
        trio.run(partial(app.run, config, admin_socket=place))
    return 0


def _check(args: argparse.Namespace) -> int:
    from modemproxy.config import describe, find, load

    print("\n".join(describe(load(find(args.file, os.environ)))))
    return 0


def _demo(args: argparse.Namespace) -> int:
    import trio

    from modemproxy import logs
    from modemproxy.demo import run

    logs.set_up("debug" if args.verbose else "error", "text")
    return trio.run(run, args.once)


def _emulate(args: argparse.Namespace) -> int:
    import trio

    from modemproxy.emulator.command import run

    trio.run(run, args)
    return 0


def _bench(args: argparse.Namespace) -> int:
    from modemproxy.bench.command import run

    return run(args)


def _doctor(args: argparse.Namespace) -> int:
    from modemproxy import logs
    from modemproxy.operate.doctor.command import doctor

    logs.set_up("error", "text")
    return doctor(args.config, os.environ, as_json=args.json, pin=args.enter_pin)


def _connect(args: argparse.Namespace) -> int:
    from modemproxy.config import Wrong, parse_target
    from modemproxy.operate.paths import client_places

    try:
        destination = parse_target(args.destination)
    except Wrong as error:
        raise ConfigError([f"modemproxy connect: {error}"]) from None
    places = client_places(args.socket, args.config, os.environ)

    from modemproxy.operate.stdio import connect

    return connect(places, destination)


def _steer(args: argparse.Namespace) -> int:
    from modemproxy.operate.steer_command import run

    return run(args)


def _status(args: argparse.Namespace) -> int:
    from modemproxy.operate.status_command import run

    return run(args)


def _events(args: argparse.Namespace) -> int:
    from modemproxy.operate.events_command import run

    return run(args)


def _usage(args: argparse.Namespace) -> int:
    from modemproxy.operate.usage_command import run

    return run(args)


def _look(args: argparse.Namespace) -> int:
    from modemproxy.operate.look_command import run

    return run(args)


def _init(_: argparse.Namespace) -> int:
    from modemproxy.config.example import example

    print(example(), end="")
    return 0


def _schema(_: argparse.Namespace) -> int:
    from modemproxy.config.schema import schema

    print(json.dumps(schema(), indent=2))
    return 0


COMMANDS: dict[str, Command] = {
    "run": _run,
    "check": _check,
    "demo": _demo,
    "emulate": _emulate,
    "bench": _bench,
    "doctor": _doctor,
    "connect": _connect,
    **dict.fromkeys(("reload", "drain", "disable", "enable", "kick"), _steer),
    "status": _status,
    "events": _events,
    "usage": _usage,
    **dict.fromkeys(("at", "trace"), _look),
    "init": _init,
    "schema": _schema,
}

if __name__ == "__main__":
    sys.exit(main())

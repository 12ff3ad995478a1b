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
from importlib import import_module
from typing import Any, Final, NamedTuple, NoReturn

from modemproxy import __version__
from modemproxy.errors import ConfigError, ModemProxyError, first_error


class Command(NamedTuple):
    """One of them.

    Attributes:
        help: what it is for.
        add_arguments: declares what it takes.
        run: does it, and returns the exit code.
    """

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


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
    words = sys.argv[1:] if argv is None else argv
    args = _parser(words).parse_args(words)
    try:
        return COMMANDS[args.command].run(args)
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


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Make a parser that knows all commands, and what the one that is meant takes.

    A command's arguments are declared where it is implemented, and importing all of that
    would take longer than most commands do.
    """
    parser = _Parser(
        prog="modemproxy",
        description="TCP and UDP through the TCP/IP stack inside an A76XX LTE module.",
    )
    parser.add_argument("--version", action="version", version=f"modemproxy {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    meant = next((word for word in words if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        its_parser = commands.add_parser(name, help=command.help)
        if name == meant:
            command.add_arguments(its_parser)
    return parser


def _add_nothing(_: argparse.ArgumentParser) -> None:
    """It takes no arguments."""


def _in(module: str, name: str) -> Callable[[Any], Any]:
    """Give a function that is imported when it is called."""

    def call(argument: object) -> object:
        return getattr(import_module(f"modemproxy.{module}"), name)(argument)

    return call


def _command_in(module: str, command: str, text: str) -> Command:
    """Give one of several commands of a module, which has functions named after them."""
    return Command(text, _in(module, f"add_{command}"), _in(module, command))


def _command_alone(module: str, text: str) -> Command:
    """Give the one command of a module."""
    return Command(text, _in(module, "add_arguments"), _in(module, "run"))


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="the configuration")
    parser.add_argument(
        "--record", metavar="FILE", help="append a transcript of the serial line, to send in"
    )


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


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="the configuration")


def _check(args: argparse.Namespace) -> int:
    from modemproxy.config import describe, find, load

    print("\n".join(describe(load(find(args.file, os.environ)))))
    return 0


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="prove it, print what, and exit")
    parser.add_argument(
        "--verbose", action="store_true", help="show the log and the wire transcript"
    )


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


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="the configuration")
    parser.add_argument("--json", action="store_true", help="one JSON object at the end")
    parser.add_argument(
        "--enter-pin", action="store_true", help="enter the configured PIN if the SIM asks"
    )


def _doctor(args: argparse.Namespace) -> int:
    from modemproxy import logs
    from modemproxy.operate.doctor.command import doctor

    logs.set_up("error", "text")
    return doctor(args.config, os.environ, as_json=args.json, pin=args.enter_pin)


def _add_connect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("destination", metavar="HOST:PORT", help="where to, as ssh's %%h:%%p")
    parser.add_argument("--socket", metavar="PATH", help="the running proxy's admin socket")
    parser.add_argument("--config", metavar="FILE", help="the running proxy's configuration")


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


def _init(_: argparse.Namespace) -> int:
    from modemproxy.config.example import example

    print(example(), end="")
    return 0


def _schema(_: argparse.Namespace) -> int:
    from modemproxy.config.schema import schema

    print(json.dumps(schema(), indent=2))
    return 0


_STEER = partial(_command_in, "operate.steer_command")
_LOOK = partial(_command_in, "operate.look_command")


COMMANDS: Final[dict[str, Command]] = {
    "run": Command("run the proxy in the foreground", _add_run, _run),
    "check": Command("validate a configuration, open nothing", _add_check, _check),
    "demo": Command("the whole thing on this machine, no hardware", _add_demo, _demo),
    "emulate": Command(
        "an emulated module on a tty", _in("emulator.command", "add_arguments"), _emulate
    ),
    "bench": _command_alone("bench.command", "measure through an emulated module"),
    "doctor": Command("why it does or does not work, step by step", _add_doctor, _doctor),
    "connect": Command("one connection on standard input and output", _add_connect, _connect),
    "status": _command_alone("operate.status_command", "how the running proxy is"),
    "reload": _STEER("reload", "read the configuration anew"),
    "drain": _STEER("drain", "let nobody in any more, then stop"),
    "disable": _STEER("disable", "let nobody in by one listener"),
    "enable": _STEER("enable", "let clients in by a listener again"),
    "kick": _STEER("kick", "reset connections"),
    "at": _LOOK("at", "one AT command beside live traffic"),
    "trace": _LOOK("trace", "the transcript of the line, on or off"),
    "events": _command_alone("operate.events_command", "what has happened, and why"),
    "usage": _command_alone("operate.usage_command", "bytes by listener, day and month"),
    "init": Command("print a commented configuration", _add_nothing, _init),
    "schema": Command("print the configuration's JSON Schema", _add_nothing, _schema),
}

if __name__ == "__main__":
    sys.exit(main())

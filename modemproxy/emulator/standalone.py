"""The running half of ``modemproxy emulate``: a module on a tty until a signal comes."""

import argparse
import signal
import sys
from collections.abc import Mapping
from typing import TextIO

import trio

from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.pty import serve_pty
from modemproxy.emulator.sockets import SocketInternet


async def serve_until_signal(
    profile: Profile, hosts: Mapping[str, str], args: argparse.Namespace
) -> None:
    """Serve a module until SIGINT or SIGTERM.

    Args:
        profile: the dialect.
        hosts: where the module's names really are.
        args: ``tty``, ``no_pace``, ``seed``, ``strict``, ``trace`` of the command line.
    """
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            internet = SocketInternet(nursery, hosts=hosts)
            module = EmulatedModule(profile, internet=internet, seed=args.seed)
            _watch(module, args)
            async with serve_pty(module, link=args.tty, pace=not args.no_pace) as port:
                _write(sys.stdout, f"{args.tty} -> {port.path}\nready")
                await anext(signals)
            nursery.cancel_scope.cancel()


def _watch(module: EmulatedModule, args: argparse.Namespace) -> None:
    if args.strict:
        module.dce.ctx.on_complaint = lambda text: _write(sys.stderr, f"! {text}")
    if args.trace:
        module.trace = lambda direction, data: _write(sys.stderr, f"{direction} {data!r}")


def _write(file: TextIO, text: str) -> None:
    file.write(f"{text}\n")
    file.flush()

"""The running half of ``modemproxy emulate``: a module on a tty until a signal comes."""

import argparse
import signal
import sys
from contextlib import AsyncExitStack
from typing import TextIO

import trio

from modemproxy.emulator.faults import FaultBox, Struck
from modemproxy.emulator.faults_file import Plan
from modemproxy.emulator.internet import Address
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.profile import Profile
from modemproxy.emulator.pty import PtyPort, serve_pty, serve_second_pty
from modemproxy.emulator.sockets import SocketInternet


async def serve_until_signal(profile: Profile, args: argparse.Namespace) -> None:
    """Serve a module until SIGINT or SIGTERM; SIGUSR1 cuts its power and restores it.

    Args:
        profile: the dialect.
        args: ``tty``, ``tty2``, ``no_pace``, ``seed``, ``strict``, ``trace`` of the command
            line; ``hosts``, where the module's names really are; ``servers``, where its
            servers listen; and ``plan``, what is to go wrong.
    """
    seed = args.plan.seed or 0 if args.seed is None else args.seed
    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    with trio.open_signal_receiver(*heard) as signals:
        async with trio.open_nursery() as nursery:
            internet = SocketInternet(nursery, hosts=args.hosts, servers=args.servers)
            internet.on_listen = _say_server
            module = EmulatedModule(profile, internet=internet, seed=seed)
            _watch(module, args)
            async with AsyncExitStack() as ports:
                front = serve_pty(module, link=args.tty, pace=not args.no_pace)
                port = await ports.enter_async_context(front)
                _write(sys.stdout, f"{args.tty} -> {port.path}")
                if args.tty2 is not None:
                    back = serve_second_pty(module, link=args.tty2)
                    second = await ports.enter_async_context(back)
                    _write(sys.stdout, f"{args.tty2} -> {second.path}")
                _write(sys.stdout, "ready")
                if args.plan.rules:
                    _torment(module, port, args.plan, seed, nursery)
                async for signum in signals:
                    if signum != signal.SIGUSR1:
                        break
                    module.reboot()
            nursery.cancel_scope.cancel()


def _torment(
    module: EmulatedModule, port: PtyPort, plan: Plan, seed: int, nursery: trio.Nursery
) -> None:
    """Let the faults of a file work from now on; each is told on standard error."""
    faults = FaultBox(module, port, seed=seed)
    faults.on_strike = lambda struck: _write(sys.stderr, _told(struck))
    nursery.start_soon(faults.run)
    for rule in plan.rules:
        faults.add(rule)


def _told(struck: Struck) -> str:
    detail = f": {struck.detail}" if struck.detail else ""
    return f"* {struck.time:.3f} s {struck.name}{detail}"


def _watch(module: EmulatedModule, args: argparse.Namespace) -> None:
    if args.strict:
        module.dce.ctx.on_complaint = lambda text: _write(sys.stderr, f"! {text}")
    if args.trace:
        module.trace = lambda direction, data: _write(sys.stderr, f"{direction} {data!r}")
        if args.tty2 is not None:
            module.second.trace = lambda way, data: _write(sys.stderr, f"2{way} {data!r}")


def _say_server(port: int, where: Address) -> None:
    host = f"[{where[0]}]" if ":" in where[0] else where[0]
    _write(sys.stdout, f"server {port} -> {host}:{where[1]}")


def _write(file: TextIO, text: str) -> None:
    file.write(f"{text}\n")
    file.flush()

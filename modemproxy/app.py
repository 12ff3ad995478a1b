"""The nursery tree of ``modemproxy run``, and nothing else.

PROGRAM      supervises the module, hears signals; dies last
  OPERATORS    who looks and steers
    HOST         one handler per client
      ACCEPT       the listeners; dies first          (the last three: surfaces/reception.py)

On SIGTERM or SIGINT: no new clients; the handlers have ``shutdown_s`` - 3 s to finish;
then the module is left in order within the rest. A second signal ends it all at once.
"""

import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import trio

from modemproxy import logs
from modemproxy.config import Config, LogConfig
from modemproxy.module.lifecycle import Lifecycle, OpenPort
from modemproxy.module.servers import FarClient
from modemproxy.module.state import StateStore
from modemproxy.operate.chronicle import Chronicle
from modemproxy.operate.manager import keep_informed
from modemproxy.operate.memory import remembered
from modemproxy.operate.notify import Notifier
from modemproxy.operate.offices import Offices
from modemproxy.operate.program import GOODBYE_S, Program
from modemproxy.operate.reload import Reloader
from modemproxy.operate.signals import watch_signals
from modemproxy.operate.usage import Usage
from modemproxy.surfaces.assembly import open_surfaces
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.servers import FarServers

log = logging.getLogger(__name__)

_MARGIN_S: Final = 0.5


async def run(
    config: Config,
    *,
    open_port: OpenPort | None = None,
    state: StateStore | None = None,
    on_listening: Callable[[dict[str, int]], None] = lambda ports: None,
    stop: trio.Event | None = None,
    admin_socket: Path | None = None,
) -> None:
    """Serve until a signal (or ``stop``) says to end.

    Args:
        config: what to serve.
        open_port: opens the line; the configured tty when left out.
        state: marks of earlier runs; the usual place when left out.
        on_listening: told the bound host ports: by the names of forwards and proxies, and
            of the DNS listener as ``dns``, of the status page as ``metrics``.
        stop: replaces the signals, for those who run this inside something else.
        admin_socket: where to make the admin socket when the configuration does not say;
            there is none when this is left out, too.

    Raises:
        ConfigError: a host port, or a configured admin socket, cannot be had.
    """
    state = state or StateStore.for_port(config.modem.port, os.environ)

    def let_in(far: FarClient) -> None:
        servers.receive(far)

    lifecycle = Lifecycle(config, state=state, open_port=open_port, on_far_client=let_in)
    roster = Roster()
    servers = FarServers(config.servers, lifecycle.gate, config.timeouts, roster)
    surfaces = open_surfaces(config, lifecycle.gate, roster)
    chronicle = Chronicle(state.stem)
    running = Program(config, lifecycle, roster, surfaces, servers, chronicle)
    if stop is None:
        running.notifier = Notifier.from_environ(os.environ)
    else:
        running.stopping = stop
    with ExitStack() as stack:
        stack.enter_context(running.at_end)
        stack.callback(_close_ports, running)
        stack.enter_context(remembered(running))
        offices = Offices(running, admin_socket)
        stack.callback(offices.close)
        offices.open()
        running.record = logs.recording
        running.reload = Reloader(running, offices, _set_log).reload
        usage = Usage(running, Path(f"{state.stem}.usage"))
        running.usage = usage.told
        async with trio.open_nursery() as program:
            program.start_soon(usage.run)
            if stop is None:
                await program.start(watch_signals, running, program.cancel_scope)
            left = trio.Event()
            program.start_soon(_supervise, lifecycle, left)
            ports = {surface.name: surface.port for surface in surfaces}
            program.start_soon(keep_informed, running)
            on_listening(ports | {site.name: site.port for site in offices.site})
            await running.reception.run(
                [servers, *surfaces], offices.served, running.stopping, running.grace_s
            )
            await _leave(lifecycle, left)
            program.cancel_scope.cancel()
    log.info("stopped")


def _close_ports(running: Program) -> None:
    for surface in running.surfaces:
        surface.close()  # most often it is already


def _set_log(wanted: LogConfig) -> None:
    logs.set_up(wanted.level, wanted.format)


async def _leave(lifecycle: Lifecycle, left: trio.Event) -> None:
    """Leave the module in order, in what is left of the time."""
    lifecycle.stop()
    with trio.move_on_after(GOODBYE_S - _MARGIN_S):
        await left.wait()
    lifecycle.abort()
    with trio.move_on_after(_MARGIN_S):
        await left.wait()


async def _supervise(lifecycle: Lifecycle, left: trio.Event) -> None:
    await lifecycle.supervise()
    left.set()

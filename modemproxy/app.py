"""The nursery tree of ``modemproxy run``, and nothing else.

PROGRAM   supervises the module; dies last
  HOST      one handler per client
    ACCEPT    the listeners; dies first

On SIGTERM or SIGINT: no new clients; the handlers have ``shutdown_s`` - 3 s to finish;
then the module is left in order within the rest. A second signal ends it all at once.
"""

import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol

import trio

from modemproxy.config import Config
from modemproxy.errors import ConfigError
from modemproxy.module.lifecycle import Lifecycle, OpenPort
from modemproxy.module.servers import FarClient
from modemproxy.module.state import StateStore
from modemproxy.operate.admin import AdminSocket
from modemproxy.operate.program import Program
from modemproxy.operate.rendezvous import listen_at
from modemproxy.operate.requests import handlers_of
from modemproxy.surfaces.assembly import open_surfaces
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.servers import FarServers

log = logging.getLogger(__name__)

#: What is left of ``shutdown_s`` for leaving the module in order.
_GOODBYE_S: Final = 3.0
_MARGIN_S: Final = 0.5


class Served(Protocol):
    """Something that lets clients in."""

    async def serve(self, handlers: trio.Nursery) -> None:
        """Accept until cancelled; serve those who came in ``handlers``."""


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
            of the DNS listener as ``dns``.
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
    running = Program(config, lifecycle, roster, surfaces, servers)
    stopping = trio.Event() if stop is None else stop
    with ExitStack() as stack:
        admin = _open_admin(stack, running, admin_socket)
        async with trio.open_nursery() as program:
            if stop is None:
                await program.start(_watch_signals, stopping, program.cancel_scope)
            left = trio.Event()
            program.start_soon(_supervise, lifecycle, left)
            on_listening({surface.name: surface.port for surface in surfaces})
            grace_s = config.timeouts.shutdown_s - _GOODBYE_S
            await _serve_clients([servers, *surfaces, *admin], stopping, grace_s)
            await _leave(lifecycle, left)
            program.cancel_scope.cancel()
    log.info("stopped")


def _open_admin(stack: ExitStack, running: Program, place: Path | None) -> list[Served]:
    """Make the admin socket; where nobody asked for one, a warning has to do instead."""
    configured = running.config.admin.socket
    if (path := configured or place) is None:
        return []
    try:
        rendezvous = listen_at(path)
    except ConfigError as error:
        if configured is not None:
            raise
        log.warning("no admin socket, so no command can reach this proxy: %s", error)
        return []
    stack.callback(rendezvous.close)
    log.info("admin socket: %s", path)
    return [AdminSocket(rendezvous.listener, handlers_of(running))]


async def _leave(lifecycle: Lifecycle, left: trio.Event) -> None:
    """Leave the module in order, in what is left of the time."""
    lifecycle.stop()
    with trio.move_on_after(_GOODBYE_S - _MARGIN_S):
        await left.wait()
    lifecycle.abort()
    with trio.move_on_after(_MARGIN_S):
        await left.wait()


async def _supervise(lifecycle: Lifecycle, left: trio.Event) -> None:
    await lifecycle.supervise()
    left.set()


async def _serve_clients(
    served: Sequence[Served], stopping: trio.Event, grace_s: float
) -> None:
    """Serve until ``stopping``; then give those inside ``grace_s`` seconds to finish."""
    async with trio.open_nursery() as host:
        async with trio.open_nursery() as accept:
            for each in served:
                accept.start_soon(each.serve, host)
            await stopping.wait()
            accept.cancel_scope.cancel()
        host.cancel_scope.deadline = trio.current_time() + grace_s


async def _watch_signals(
    stopping: trio.Event,
    everything: trio.CancelScope,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """First signal: stop in order. Second: stop now."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            if stopping.is_set():
                log.warning("second %s: stopping at once", signal.Signals(number).name)
                everything.cancel()
                return
            log.info("%s: stopping", signal.Signals(number).name)
            stopping.set()

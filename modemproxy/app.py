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
from collections.abc import Callable
from typing import Final

import trio

from modemproxy.config import Config
from modemproxy.module.lifecycle import Lifecycle, OpenPort
from modemproxy.module.state import StateStore
from modemproxy.surfaces.tcp import TcpForward, bind

log = logging.getLogger(__name__)

#: What is left of ``shutdown_s`` for leaving the module in order.
_GOODBYE_S: Final = 3.0
_MARGIN_S: Final = 0.5


async def run(
    config: Config,
    *,
    open_port: OpenPort | None = None,
    state: StateStore | None = None,
    on_listening: Callable[[dict[str, int]], None] = lambda ports: None,
    stop: trio.Event | None = None,
) -> None:
    """Serve until a signal (or ``stop``) says to end.

    Args:
        config: what to serve.
        open_port: opens the line; the configured tty when left out.
        state: marks of earlier runs; the usual place when left out.
        on_listening: told the bound host ports by forward name.
        stop: replaces the signals, for those who run this inside something else.

    Raises:
        ConfigError: a host port cannot be bound.
    """
    state = state or StateStore.for_port(config.modem.port, os.environ)
    lifecycle = Lifecycle(config, state=state, open_port=open_port)
    forwards = [
        TcpForward(forward, bind(forward), lifecycle.gate, config.timeouts)
        for forward in config.forwards
    ]
    stopping = trio.Event() if stop is None else stop
    async with trio.open_nursery() as program:
        if stop is None:
            await program.start(_watch_signals, stopping, program.cancel_scope)
        left = trio.Event()
        program.start_soon(_supervise, lifecycle, left)
        on_listening({forward.name: forward.port for forward in forwards})
        await _serve_clients(forwards, stopping, config.timeouts.shutdown_s - _GOODBYE_S)
        lifecycle.stop()
        with trio.move_on_after(_GOODBYE_S - _MARGIN_S):
            await left.wait()
        lifecycle.abort()
        with trio.move_on_after(_MARGIN_S):
            await left.wait()
        program.cancel_scope.cancel()
    log.info("stopped")


async def _supervise(lifecycle: Lifecycle, left: trio.Event) -> None:
    await lifecycle.supervise()
    left.set()


async def _serve_clients(
    forwards: list[TcpForward], stopping: trio.Event, grace_s: float
) -> None:
    """Serve until ``stopping``; then give those inside ``grace_s`` seconds to finish."""
    async with trio.open_nursery() as host:
        async with trio.open_nursery() as accept:
            for forward in forwards:
                accept.start_soon(forward.serve, host)
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

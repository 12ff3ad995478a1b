"""What signals do: SIGTERM and SIGINT end the program, SIGHUP has it reload its file."""

import logging
import os
import signal

import trio

from modemproxy.errors import ConfigError
from modemproxy.operate.program import Program

log = logging.getLogger(__name__)


async def watch_signals(
    program: Program,
    everything: trio.CancelScope,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Do what signals ask for, until cancelled.

    The first SIGTERM or SIGINT has the program stop in order, the second at once. SIGHUP
    is a reload, unless it tells that the terminal which the program was started from is
    gone: then it ends the program, as it does others.

    Args:
        program: what is stopped or reloaded.
        everything: cancelled by a second signal to stop.
        task_status: told when signals are heard.
    """
    async with trio.open_nursery() as nursery:
        await nursery.start(_stop_when_told, program, everything)
        await nursery.start(_reload_when_told, program)
        task_status.started()


async def _stop_when_told(
    program: Program, everything: trio.CancelScope, task_status: trio.TaskStatus[None]
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            name = signal.Signals(number).name
            if program.stopping.is_set():
                log.warning("second %s: stopping at once", name)
                program.why_stopping += f", {name} at once"
                everything.cancel()
                return
            log.info("%s: stopping", name)
            program.why_stopping = name
            program.stopping.set()


async def _reload_when_told(program: Program, task_status: trio.TaskStatus[None]) -> None:
    had_terminal = _has_terminal()
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            if had_terminal and not _has_terminal():
                log.info("SIGHUP: the terminal is gone: stopping")
                program.why_stopping = "SIGHUP, the terminal is gone"
                program.stopping.set()
                return
            log.info("SIGHUP: reloading %s", program.config.path)
            try:
                await program.reload(False)
            except ConfigError as error:
                for problem in error.problems:
                    log.error("%s", problem)


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True

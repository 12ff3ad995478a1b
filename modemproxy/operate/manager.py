"""Keeping the service manager informed: ready, how we are, stopping, and that work goes on."""

from functools import partial

import trio

from modemproxy.journal import Entry, ModuleDown, ModuleUp
from modemproxy.operate.drain import DrainBegan
from modemproxy.operate.program import Program
from modemproxy.operate.pulse import Pulse

#: What is shown as the state of the service.
_TOLD = (ModuleUp, ModuleDown, DrainBegan)


async def keep_informed(program: Program) -> None:
    """Tell the service manager that everything is bound, and what happens then.

    Its watchdog is fed by the work: as long as the scheduler of the session gets on, or
    there is no session and the lifecycle gets on towards the next one.
    """
    notifier, lifecycle = program.notifier, program.lifecycle

    def tell(entry: Entry) -> None:
        if isinstance(entry.event, _TOLD):
            notifier.status(entry.event.text)

    lifecycle.journal.listen(tell)
    notifier.ready("waiting for the module")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(notifier.feed_watchdog, partial(works, program, Pulse()))
        await program.stopping.wait()
        notifier.stopping(program.config.timeouts.shutdown_s)


def works(program: Program, pulse: Pulse) -> bool:
    """Whether the program does its work.

    Args:
        program: is looked at.
        pulse: what was seen of it before.
    """
    lifecycle = program.lifecycle
    session = lifecycle.gate.session
    worker = None if session is None else session.scheduler
    return pulse.is_alive(worker, lifecycle.condition)

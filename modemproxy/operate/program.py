"""The parts of a running program that operators look at and touch."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from modemproxy.config import Config
from modemproxy.errors import ConfigError
from modemproxy.module.lifecycle import Lifecycle
from modemproxy.operate.chronicle import Chronicle
from modemproxy.operate.notify import Notifier
from modemproxy.surfaces.assembly import Surface
from modemproxy.surfaces.reception import Reception
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.servers import FarServers

#: What is left of ``shutdown_s`` for leaving the module in order.
GOODBYE_S: Final = 3.0


async def _no_reload(dry_run: bool) -> dict[str, Any]:
    await trio.lowlevel.checkpoint()
    raise ConfigError(["this program has no file to reload"])


def _no_record(path: str) -> AbstractContextManager[None]:
    raise ConfigError([f"{path}: this program writes no transcripts"])


@dataclass(slots=True)
class Program:
    """One run of the proxy.

    Attributes:
        config: what is served now.
        lifecycle: the module.
        roster: the clients.
        surfaces: the listeners of this host.
        servers: those on the module.
        chronicle: the events of all runs.
        draining: nobody is let in any more.
        started_at: the time of day, seconds since the epoch.
        reception: runs the listeners.
        stopping: set when the program is to end.
        why_stopping: who wanted that, in a word or two.
        cut: those inside have had their time.
        reload: reads the configuration anew, or with True only says what that would do.
        record: writes the transcript of the line to a file, for as long as it is entered.
        capped: why the cap of all listeners lets nobody in; empty while it does not.
        usage: tells how much was moved, by listener, day and month.
        on_reload: called when another configuration has come into force.
        notifier: tells the service manager, if there is one.
        at_end: is closed when the program ends.
    """

    config: Config
    lifecycle: Lifecycle
    roster: Roster
    surfaces: list[Surface]
    servers: FarServers
    chronicle: Chronicle
    draining: bool = False
    started_at: float = field(default_factory=time.time)
    reception: Reception = field(init=False)
    stopping: trio.Event = field(default_factory=trio.Event)
    why_stopping: str = ""
    cut: bool = False
    reload: Callable[[bool], Awaitable[dict[str, Any]]] = _no_reload
    record: Callable[[str], AbstractContextManager[None]] = _no_record
    capped: str = ""
    usage: Callable[[], dict[str, Any]] = dict
    on_reload: list[Callable[[], None]] = field(default_factory=list)
    notifier: Notifier = field(default_factory=Notifier)
    at_end: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.reception = Reception(self.roster)

    def grace_s(self) -> float:
        """How long those inside have when the program ends, seconds; from now it does."""
        self.draining = True
        return 0.0 if self.cut else self.config.timeouts.shutdown_s - GOODBYE_S

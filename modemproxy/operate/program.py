"""The parts of a running program that operators look at and touch."""

import time
from dataclasses import dataclass, field

from modemproxy.config import Config
from modemproxy.module.lifecycle import Lifecycle
from modemproxy.surfaces.assembly import Surface
from modemproxy.surfaces.roster import Roster
from modemproxy.surfaces.servers import FarServers


@dataclass(slots=True)
class Program:
    """One run of the proxy.

    Attributes:
        config: what is served now.
        lifecycle: the module.
        roster: the clients.
        surfaces: the listeners of this host.
        servers: those on the module.
        draining: nobody is let in any more.
        started_at: the time of day, seconds since the epoch.
    """

    config: Config
    lifecycle: Lifecycle
    roster: Roster
    surfaces: list[Surface]
    servers: FarServers
    draining: bool = False
    started_at: float = field(default_factory=time.time)

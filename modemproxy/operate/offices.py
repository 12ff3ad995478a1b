"""The listeners for operators: the admin socket and the HTTP one, which can move."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from modemproxy.config import Config
from modemproxy.errors import ConfigError
from modemproxy.operate.admin import AdminSocket
from modemproxy.operate.http import HttpServer
from modemproxy.operate.program import Program
from modemproxy.operate.rendezvous import Rendezvous, listen_at
from modemproxy.operate.requests import handlers_of
from modemproxy.operate.site import open_site
from modemproxy.surfaces.reception import Served

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Move:
    """What has been bound for another configuration, and is not served yet.

    Attributes:
        admin: the admin socket goes elsewhere, here if not None.
        site: the HTTP listener becomes these (none or one).
    """

    moves_admin: bool = False
    admin: Rendezvous | None = None
    moves_site: bool = False
    site: list[HttpServer] = field(default_factory=list)

    def drop(self) -> None:
        """Let go of all of it."""
        if self.admin is not None:
            self.admin.close()
        for site in self.site:
            site.close()


class Offices:
    """Where operators come in.

    Attributes:
        site: the HTTP listener, if there is one.
    """

    def __init__(self, program: Program, usual: Path | None) -> None:
        """Args:
        program: what operators look at and touch.
        usual: where the admin socket is when the configuration does not say; None for
            nowhere.
        """
        self._program = program
        self._usual = usual
        self._rendezvous: Rendezvous | None = None
        self._admin: AdminSocket | None = None
        self.site: list[HttpServer] = []

    @property
    def served(self) -> list[Served]:
        """What is to be served."""
        admin: list[Served] = [] if self._admin is None else [self._admin]
        return [*admin, *self.site]

    def open(self) -> None:
        """Bind what the program's configuration says.

        Raises:
            ConfigError: a place that was asked for cannot be had; where nobody asked, a
                warning has to do.
        """
        self._set_admin(self._listen(self._program.config))
        self.site = open_site(self._program, self._program.config.metrics)

    def close(self) -> None:
        """Let go of the admin socket, and its file."""
        if self._rendezvous is not None:
            self._rendezvous.close()

    def _listen(self, config: Config) -> Rendezvous | None:
        if (path := config.admin.socket or self._usual) is None:
            return None
        try:
            rendezvous = listen_at(path)
        except ConfigError as error:
            if config.admin.socket is not None:
                raise
            log.warning("no admin socket, so no command can reach this proxy: %s", error)
            return None
        log.info("admin socket: %s", path)
        return rendezvous

    def _set_admin(self, rendezvous: Rendezvous | None) -> None:
        self._rendezvous = rendezvous
        if rendezvous is None:
            self._admin = None
        elif self._admin is None:
            self._admin = AdminSocket(rendezvous.listener, handlers_of(self._program))
        else:
            self._admin = AdminSocket(rendezvous.listener, self._admin.handlers)

    # -- another configuration ------------------------------------------------------------

    def prepare(self, new: Config) -> Move:
        """Bind what another configuration says and this one does not.

        Raises:
            ConfigError: a place cannot be had; nothing has changed.
        """
        old, move = self._program.config, Move()
        if (old.admin.socket or self._usual) != (new.admin.socket or self._usual):
            move.moves_admin, move.admin = True, self._listen(new)
        if old.metrics != new.metrics:
            move.moves_site = True
            try:
                before = [(old.metrics.listen, site) for site in self.site if old.metrics]
                move.site = open_site(self._program, new.metrics, before)
            except ConfigError:
                move.drop()
                raise
        return move

    def carry_out(self, move: Move) -> None:
        """Serve what was prepared, and what it replaces no longer; who asks is answered."""
        reception = self._program.reception
        if move.moves_admin:
            if self._admin is not None:
                reception.close(self._admin)
            self.close()
            self._set_admin(move.admin)
            if self._admin is not None:
                reception.attend(self._admin)
        if move.moves_site:
            for site in self.site:
                reception.close(site)
            self.site = move.site
            for site in self.site:
                reception.attend(site)

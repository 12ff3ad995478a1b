"""What the HTTP listener shows: metrics, health, the status page and what feeds it.

Nothing here runs by itself: a page that nobody has open costs nothing.
"""

import json
import logging
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.resources import files
from typing import Final

from modemproxy.config import Endpoint, Metrics, exposed
from modemproxy.module.condition import ModuleState
from modemproxy.operate.chronicle import Told, told_of
from modemproxy.operate.http import CONNECTIONS_MAX, HttpServer, Page
from modemproxy.operate.http_answers import JSON, TEXT, Answer, Names
from modemproxy.operate.manager import works
from modemproxy.operate.metrics import exposition
from modemproxy.operate.metrics_text import CONTENT_TYPE
from modemproxy.operate.program import Program
from modemproxy.operate.pulse import Pulse
from modemproxy.operate.report import Facts, Report
from modemproxy.surfaces.access import Access
from modemproxy.surfaces.causes import explain
from modemproxy.surfaces.listening import bind_tcp

log = logging.getLogger(__name__)

NAME: Final = "metrics"
#: What the page shows of the past.
EVENTS_SHOWN: Final = 100
#: The files of the page, by path.
PAGE_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/main.js": ("main.js", "text/javascript; charset=utf-8"),
    "/view.js": ("view.js", "text/javascript; charset=utf-8"),
    "/tables.js": ("tables.js", "text/javascript; charset=utf-8"),
    "/chart.js": ("chart.js", "text/javascript; charset=utf-8"),
    "/format.js": ("format.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def open_site(
    program: Program,
    metrics: Metrics | None,
    before: Sequence[tuple[Endpoint, HttpServer]] = (),
) -> list[HttpServer]:
    """Bind the HTTP listener, if the configuration has one.

    Args:
        program: what it shows.
        metrics: of the configuration.
        before: what there was; its pages are shown on, and if it listens at the same place
            it lends its port.

    Raises:
        ConfigError: its port can not be had.
    """
    if metrics is None:
        return []
    lender = next((site for where, site in before if where == metrics.listen), None)
    listener = bind_tcp(NAME, metrics.listen) if lender is None else lender.lend()
    access = Access(allow=metrics.allow, max_clients=CONNECTIONS_MAX, max_per_client=0)
    pages = before[0][1].pages if before else pages_of(program)
    server = HttpServer(NAME, listener, access, Names(metrics.hosts), pages)
    where = Endpoint(metrics.listen.host, server.port)
    if exposed(metrics.listen):
        log.warning("%s: EXPOSED: listens on %s for other machines", NAME, where)
    else:
        log.info("%s: http://%s/", NAME, where)
    return [server]


def pages_of(program: Program) -> dict[str, Page]:
    """Give every page, by its path.

    Args:
        program: what they show.
    """
    report = Report(program)
    latest = _Latest(program)
    pulse = Pulse(look_s=math.inf)  # looks come when somebody asks, however seldom
    pages: dict[str, Page] = {
        "/metrics": lambda: _plain(exposition(report.status()), CONTENT_TYPE),
        "/status.json": lambda: _json(_explained(report.status())),
        "/events.json": latest.answer,
        "/healthz": lambda: _health(program, pulse),
        "/readyz": lambda: _readiness(program),
    }
    shown: dict[str, Page] = {path: partial(_file, *what) for path, what in PAGE_FILES.items()}
    return pages | shown


class _Latest:
    """The latest events, those of earlier runs included; read when somebody first asks."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._events: deque[Told] | None = None

    def answer(self) -> Answer:
        """Give them, newest first."""
        if self._events is None:
            self._events = deque(self._read(), maxlen=EVENTS_SHOWN)
            self._program.chronicle.listen(self._events.append)
        return _json({"events": list(reversed(self._events))})

    def _read(self) -> list[Told]:
        """Where nothing can be kept, there still is what this run remembers."""
        kept = self._program.chronicle.read(EVENTS_SHOWN)
        return kept or [told_of(entry) for entry in self._program.lifecycle.journal]


def _explained(status: Facts) -> Facts:
    """With the words for the causes that stand in it, so that the page needs no list."""
    codes = {code for each in status["surfaces"] for code in each["causes"]}
    return {**status, "explained": {code: explain(code) for code in sorted(codes)}}


def _health(program: Program, pulse: Pulse) -> Answer:
    """Whether the proxy does its work: 200, or 503. The module may be away all the same."""
    if works(program, pulse):
        return _plain("ok\n")
    return replace(_plain("the work on the line does not get on\n"), status=503)


def _readiness(program: Program) -> Answer:
    """Whether clients would be served: 200, or 503 with the reason."""
    condition = program.lifecycle.condition
    if program.draining:
        return replace(_plain("draining: nobody is let in any more\n"), status=503)
    if condition.state is not ModuleState.UP:
        why = f": {condition.reason}" if condition.reason else ""
        return replace(_plain(f"the module is {condition.state.value}{why}\n"), status=503)
    return _plain("ready\n")


def _plain(text: str, content_type: str = TEXT) -> Answer:
    return Answer(text.encode("utf-8", "replace"), content_type)


def _json(value: object) -> Answer:
    return Answer(json.dumps(value).encode(), JSON)


def _file(name: str, content_type: str) -> Answer:
    """One of the page's own; read each time, so that it costs no memory in between."""
    page = files("modemproxy.operate").joinpath("page", name)
    return Answer(page.read_bytes(), content_type)

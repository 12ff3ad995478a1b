"""The access log: one line for each connection, when it has ended.

For people, and for machines as fields beside it (``log.format: json``). Who, by which
listener, where to, on which link; bytes each way; how long it waited for a link, how long
that took to open, how long data could flow; and why it ended, in two letters and in words.
"""

import logging
from typing import Any

from modemproxy.surfaces.visit import Visit

log = logging.getLogger("modemproxy.access")


def write_line(visit: Visit) -> None:
    """Write the line of a visit that has ended."""
    if log.isEnabledFor(logging.INFO):
        log.info("%s", text_of(visit), extra={"fields": fields_of(visit)})


def text_of(visit: Visit) -> str:
    """Put a visit into words."""
    link = "" if visit.link is None else f" [{visit.link}]"
    note = f", {visit.note}" if visit.note else ""
    return (
        f"{visit.surface}: {visit.peer} -> {visit.target}{link}: "
        f"{visit.up} up, {visit.down} down{note}, {_times(visit)}, "
        f"{visit.cause} {visit.traffic.end}"
    )


def _times(visit: Visit) -> str:
    """Waiting, opening and moving, as far as it came."""
    parts = (("queue", visit.queued_s), ("open", visit.open_s), ("data", visit.transfer_s))
    known = [f"{name} {seconds:.2f}" for name, seconds in parts if seconds is not None]
    return " ".join([*known, "s"]) if known else f"{visit.age_s:.2f} s"


def fields_of(visit: Visit) -> dict[str, Any]:
    """Put a visit into fields."""
    return {
        "event": "connection",
        "id": visit.id,
        "surface": visit.surface,
        "kind": visit.kind,
        "peer": visit.peer,
        "target": visit.target,
        "link": visit.link,
        "up": visit.up,
        "down": visit.down,
        "queue_s": _rounded(visit.queued_s),
        "open_s": _rounded(visit.open_s),
        "data_s": _rounded(visit.transfer_s),
        "age_s": _rounded(visit.age_s),
        "cause": visit.cause,
        "end": visit.traffic.end,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)

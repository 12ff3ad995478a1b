"""Log records for people, for systemd's journal and for machines.

Text under systemd (``JOURNAL_STREAM`` is set) carries the level as ``<N>`` and leaves the
time to the journal. JSON is one object a line.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Final

_PRIORITIES: Final = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


class _Text(logging.Formatter):
    """``time level message``, as short as a log for people should be."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%H:%M:%S", time.localtime(record.created))
        name = record.name.removeprefix("modemproxy.")
        message = _message(self, record)
        return f"{stamp}.{int(record.msecs):03d} {record.levelname:<8} {name}: {message}"


class _Journal(logging.Formatter):
    """For systemd's journal: the level in front, no time."""

    def format(self, record: logging.LogRecord) -> str:
        priority = _PRIORITIES.get(record.levelno, 6)
        name = record.name.removeprefix("modemproxy.")
        return f"<{priority}>{name}: {_message(self, record)}"


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": round(record.created, 3),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": _message(self, record),
            }
        )


def _message(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info:
        message += "\n" + formatter.formatException(record.exc_info)
    return message


def set_up(level: str, form: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send the program's log to standard error.

    Args:
        level: ``debug`` (with the wire transcript), ``info``, ``warning`` or ``error``.
        form: ``text`` or ``json``.
        environ: tells whether the journal reads along.
    """
    formatter: logging.Formatter = _Json() if form == "json" else _Text()
    if form == "text" and "JOURNAL_STREAM" in environ:
        formatter = _Journal()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger("modemproxy")
    root.handlers[:] = [handler]
    root.propagate = False
    root.setLevel(level.upper())

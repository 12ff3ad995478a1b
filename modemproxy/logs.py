"""Log records for people, for systemd's journal and for machines.

Text under systemd (``JOURNAL_STREAM`` is set) carries the level as ``<N>`` and leaves the
time to the journal. JSON is one object a line.
"""

import io
import json
import logging
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from modemproxy.errors import ConfigError

log = logging.getLogger(__name__)

#: A transcript that nobody stops must not fill a gateway's flash card.
_MOST_BYTES: Final = 256 << 20

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


@contextmanager
def recording(path: str | None) -> Iterator[None]:
    """Append the wire transcript to a file while the body runs, whatever the log's level.

    Args:
        path: the file, made with mode 0600, and set to that if it is there already; None
            records nothing.

    Raises:
        ConfigError: the file cannot be written.
    """
    if path is None:
        yield
        return
    wire = logging.getLogger("modemproxy.wire")
    level, propagate = wire.level, wire.propagate
    with _open_private(path) as file:
        handler = _Recorder(path, file)
        wire.propagate = wire.isEnabledFor(logging.DEBUG)  # the log does not get more by it
        wire.setLevel(logging.DEBUG)
        wire.addHandler(handler)
        try:
            yield
        finally:
            wire.removeHandler(handler)
            wire.setLevel(level)
            wire.propagate = propagate


def _open_private(path: str) -> io.FileIO:
    file = None
    try:
        file = open(path, "ab", buffering=0, opener=_create_private)  # noqa: SIM115
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            os.fchmod(file.fileno(), 0o600)
    except OSError as error:
        if file is not None:
            file.close()
        raise ConfigError([f"--record {path}: {error.strerror}"]) from None
    return file


def _create_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _Recorder(logging.Handler):
    """Writes messages to a file until that fails; the proxy goes on without it."""

    def __init__(self, path: str, file: io.FileIO) -> None:
        super().__init__()
        self._path = path
        self._file: io.FileIO | None = file
        self._left = _MOST_BYTES

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line at once: it is wanted most of a program that ended badly."""
        if self._file is None:
            return
        line = record.getMessage().encode("ascii", "backslashreplace") + b"\n"
        self._left -= len(line)
        if self._left < 0:
            self._end(f"{_MOST_BYTES >> 20} MiB are written")
            return
        try:
            self._file.write(line)
        except OSError as error:
            self._end(error.strerror or str(error))

    def _end(self, why: str) -> None:
        self._file = None
        log.error("--record %s: %s: recording ends", self._path, why)

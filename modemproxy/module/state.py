"""What must outlive the process: a refused PIN, and that a session or a send was cut off.

Three refused PINs lock a SIM, and a service manager restarts a program for ever: a PIN
that was refused is not sent again until the configured value changes. A session that
was not ended in order may have left the module waiting for payload: the first word of the
next one tells, unless the payload is so small that this word completes it. So the send of
a small one is marked, with its time: in a file that is open already, without a sync, since
a program that is killed is what it is for. A machine that starts anew takes longer than
the module waits.

Files of a few bytes in ``$STATE_DIRECTORY`` (set by systemd), else
``$XDG_STATE_HOME/modemproxy``, else ``~/.local/state/modemproxy``. The PIN itself is
never written, only a salted hash.
"""

import hashlib
import logging
import os
import re
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

#: The module's own bound on a payload that does not come, and a second.
_DATA_ENTRY_S: Final = 16.0
#: The clock's seconds since the machine's start; nought is no mark.
_MARK: Final = struct.Struct("<d")


class StateStore:
    """Marks about one modem port.

    Attributes:
        writable: whether marks can be kept at all.
    """

    def __init__(self, directory: Path, port: str) -> None:
        """Args: directory: is created; port: the modem's device name."""
        self._stem = stem_of(directory, port)
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.writable = os.access(directory, os.W_OK)
        except OSError as error:
            log.warning("no state can be kept in %s: %s", directory, error)
            self.writable = False
        self._fd: int | None = None

    @classmethod
    def for_port(cls, port: str, environ: Mapping[str, str]) -> "StateStore":
        """Choose the directory by the environment."""
        return cls(directory_by(environ), port)

    def beside(self, port: str) -> "StateStore":
        """Give the marks about another port, kept in the same place."""
        return StateStore(self._stem.parent, port)

    @property
    def stem(self) -> Path:
        """What the names of all files about this port begin with."""
        return self._stem

    def pin_refused(self, pin: str) -> bool:
        """Whether this very PIN was refused before."""
        return self._read("pin-refused") == self._hash(pin)

    def note_pin_refused(self, pin: str) -> None:
        """Remember a refused PIN.

        Raises:
            OSError: it cannot be remembered: the caller must not exit into a restart.
        """
        self._write("pin-refused", self._hash(pin))

    def clear_pin_refused(self) -> None:
        """A PIN was accepted."""
        self._remove("pin-refused")

    @property
    def cut_off(self) -> bool:
        """The last session on this port did not end in order."""
        return bool(self._read("session"))

    def note_session(self) -> None:
        """A session began; best effort."""
        if self.writable:
            try:
                self._write("session", str(os.getpid()))
                self._open_mark()
            except OSError as error:
                log.warning("cannot mark that a session began: %s", error)

    def clear_session(self) -> None:
        """The session ended in order."""
        self._remove("session")
        self._drop_mark()

    def note_small_send(self, pending: bool) -> None:
        """A send that a few bytes could complete begins, or is over; best effort, 1 us."""
        self._mark(_MARK.pack(_since_boot() if pending else 0.0))

    @property
    def small_send_due_s(self) -> float:
        """How long the module may still wait for a small send of an earlier run, seconds."""
        marked_at: float = _MARK.unpack(self._read_mark())[0]
        age_s = _since_boot() - marked_at
        if not marked_at or age_s >= _DATA_ENTRY_S:
            return 0.0
        return _DATA_ENTRY_S - max(0.0, age_s)

    def _open_mark(self) -> None:
        if self._fd is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._fd = os.open(self._file("send"), flags, 0o600)
        self._mark(_MARK.pack(0.0))

    def _mark(self, data: bytes) -> None:
        if self._fd is not None:
            try:
                os.pwrite(self._fd, data, 0)
            except OSError as error:
                log.debug("%s", error)

    def _read_mark(self) -> bytes:
        try:
            data = self._file("send").read_bytes()
        except OSError:
            data = b""
        return data if len(data) == _MARK.size else bytes(_MARK.size)

    def _drop_mark(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._remove("send")

    def _hash(self, pin: str) -> str:
        salt = str(self._stem).encode()
        return hashlib.pbkdf2_hmac("sha256", pin.encode(), salt, 10_000).hex()

    def _file(self, name: str) -> Path:
        return self._stem.with_name(f"{self._stem.name}.{name}")

    def _read(self, name: str) -> str:
        try:
            return self._file(name).read_text().strip()
        except OSError:
            return ""

    def _write(self, name: str, text: str) -> None:
        self._file(name).write_text(text + "\n")

    def _remove(self, name: str) -> None:
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as error:
            log.debug("%s", error)


def stem_of(directory: Path, port: str) -> Path:
    """Say what the names of all files about a port begin with; touches nothing."""
    return directory / re.sub(r"[^A-Za-z0-9._-]+", "_", port).strip("_")


def directory_by(environ: Mapping[str, str]) -> Path:
    """Say where marks are kept; touches nothing."""
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = Path(environ.get("HOME", "/nonexistent"))
    return Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "modemproxy"


def _since_boot() -> float:
    return float(time.clock_gettime(time.CLOCK_BOOTTIME))

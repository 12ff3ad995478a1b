"""What must outlive the process: a refused PIN, and that a session was cut off.

Three refused PINs lock a SIM, and a service manager restarts a program for ever: a PIN
that was refused is not sent again until the configured value changes. A session that
was not ended in order may have left the module waiting for payload.

Files of a few bytes in ``$STATE_DIRECTORY`` (set by systemd), else
``$XDG_STATE_HOME/modemproxy``, else ``~/.local/state/modemproxy``. The PIN itself is
never written, only a salted hash.
"""

import hashlib
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)


class StateStore:
    """Marks about one modem port.

    Attributes:
        writable: whether marks can be kept at all.
    """

    def __init__(self, directory: Path, port: str) -> None:
        """Args: directory: is created; port: the modem's device name."""
        self._stem = directory / re.sub(r"[^A-Za-z0-9._-]+", "_", port).strip("_")
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.writable = os.access(directory, os.W_OK)
        except OSError as error:
            log.warning("no state can be kept in %s: %s", directory, error)
            self.writable = False

    @classmethod
    def for_port(cls, port: str, environ: Mapping[str, str]) -> "StateStore":
        """Choose the directory by the environment."""
        if given := environ.get("STATE_DIRECTORY"):
            return cls(Path(given.split(":")[0]), port)
        home = Path(environ.get("HOME", "/nonexistent"))
        base = Path(environ.get("XDG_STATE_HOME") or home / ".local/state")
        return cls(base / "modemproxy", port)

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
            self._write("session", str(os.getpid()))

    def clear_session(self) -> None:
        """The session ended in order."""
        self._remove("session")

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

"""Making the admin socket's file: a stale one is replaced, a live one is respected.

Looking, removing and binding happen under a lock on the folder, so that of two proxies
that start at once one gets the name and the other is told.
"""

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from modemproxy.errors import ConfigError
from modemproxy.operate.paths import is_private, is_temporary

_MODE: Final = 0o600
_BACKLOG: Final = 16


class Rendezvous:
    """A socket that listens, and its file.

    Attributes:
        listener: the socket.
    """

    def __init__(self, sock: trio.socket.SocketType, path: Path) -> None:
        self.listener = trio.SocketListener(sock)
        self._path = path
        self._made = path.lstat().st_ino

    def close(self) -> None:
        """Stop listening, and remove the file unless another one has taken its place."""
        self.listener.socket.close()
        with contextlib.suppress(OSError):
            if self._path.lstat().st_ino == self._made:
                self._path.unlink()


def listen_at(path: Path) -> Rendezvous:
    """Listen at ``path`` for this user alone.

    Raises:
        ConfigError: another proxy is there, something else is, or it cannot be made.
    """
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _locked(_folder(path)):
            _make_way(path)
            os.fchmod(sock.fileno(), _MODE)  # the file is made with it, not changed to it
            _bind(sock, path)
            sock.listen(_BACKLOG)
            return Rendezvous(sock, path)
    except OSError as error:
        sock.close()
        raise ConfigError([f"admin.socket: {path}: {error.strerror or error}"]) from error
    except ConfigError:
        sock.close()
        raise


def _folder(path: Path) -> Path:
    """The socket's folder, made if it is not there."""
    folder = path.parent
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if is_temporary(path) and not is_private(folder):
        why = "is not a folder of this user's alone (remove it, or set admin.socket)"
        raise ConfigError([f"admin.socket: {folder} {why}"])
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)  # held by others for the moment it takes to bind
        yield
    finally:
        os.close(fd)


def _make_way(path: Path) -> None:
    """Remove the socket of a process that is gone.

    Raises:
        ConfigError: something else is there.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError([f"admin.socket: {path} exists and is no socket (remove it)"])
    if _is_alive(path):
        what = "another proxy is running there (stop it, or set admin.socket)"
        raise ConfigError([f"admin.socket: {path}: {what}"])
    path.unlink()


def _is_alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        code = sock.connect_ex(str(path))
    return code not in (errno.ECONNREFUSED, errno.ENOENT)


def _bind(sock: trio.socket.SocketType, path: Path) -> None:
    """Bind now: a name in the file system is nothing to wait for."""
    blocking = socket.socket(fileno=sock.fileno())
    try:
        blocking.bind(str(path))
    finally:
        blocking.detach()

"""Where the admin socket is, for the proxy that makes it and for those who look for it.

The service manager's runtime folder, the user's own, or as the last resort a folder of
ours below the temporary one: only if nobody else can have put anything there.
"""

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from modemproxy.config import find, load
from modemproxy.errors import ConfigError

FILE: Final = "admin.sock"
_SYSTEM: Final = Path("/run/modemproxy")


def server_place(environ: Mapping[str, str]) -> Path:
    """Say where a proxy makes its socket when the configuration does not.

    Args:
        environ: the process's environment.
    """
    if runtime := environ.get("RUNTIME_DIRECTORY", "").split(":")[0]:
        return Path(runtime) / FILE
    if os.geteuid() == 0:
        return _SYSTEM / FILE
    return _own_folder(environ) / FILE


def client_places(
    named: str | None, config_file: str | None, environ: Mapping[str, str]
) -> list[Path]:
    """Say where a command looks for the socket, in this order.

    Args:
        named: the path that the user gave, if any.
        config_file: the configuration that the user named, if any.
        environ: the process's environment.

    Raises:
        ConfigError: the configuration that was named cannot be used.
    """
    if named is not None:
        return [Path(named)]
    if (configured := _configured(config_file, environ)) is not None:
        return [configured]
    own = _own_folder(environ)
    safe = not is_temporary(own / FILE) or is_private(own)
    return [_SYSTEM / FILE, own / FILE] if safe else [_SYSTEM / FILE]


def _configured(config_file: str | None, environ: Mapping[str, str]) -> Path | None:
    """What the configuration says; one that nobody named need not be there or readable."""
    try:
        return load(find(config_file, environ)).admin.socket
    except ConfigError:
        if config_file is not None:
            raise
        return None


def _own_folder(environ: Mapping[str, str]) -> Path:
    if own := environ.get("XDG_RUNTIME_DIR"):
        return Path(own) / "modemproxy"
    return _last_resort()


def is_private(folder: Path) -> bool:
    """Say whether only this user can have put anything into ``folder``.

    It has to be a folder and no link to one, of this user, closed to all others.
    """
    try:
        status = folder.lstat()
    except OSError:
        return False
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    return own and not status.st_mode & 0o077


def is_temporary(path: Path) -> bool:
    """Say whether ``path`` is in the last resort's folder, whose name anybody can guess."""
    return path.parent == _last_resort()


def _last_resort() -> Path:
    return Path(tempfile.gettempdir()) / f"modemproxy-{os.geteuid()}"

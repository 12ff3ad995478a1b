"""What stands in files beside the configuration: passwords, the PIN, a proxy's users."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from modemproxy.config.checks import Wrong
from modemproxy.config.keys import entries
from modemproxy.config.kinds import Pairs, Scalar
from modemproxy.config.model import EXCLUSIVE
from modemproxy.config.nodes import Report
from modemproxy.config.reader import Block

_SECRET_MAX = 4096
_USERS_MAX = 262_144
# What Apache's htpasswd and crypt(3) write, in place of the password itself.
_HASH = re.compile(r"\$(apr1|2[abxy]|1|5|6|y)\$|\{SHA\}")


def read_secrets(modem: Block, folder: Path, report: Report) -> None:
    """Put what a ``*_file`` holds where the key itself would have put it.

    Args:
        modem: completed in place.
        folder: where file names start.
        report: takes what is wrong.
    """
    for key, file_key in EXCLUSIVE:
        if file_key not in modem.values or key in modem.lines:
            continue
        path = modem.values[file_key] = folder / modem.values[file_key]
        kind = entries(modem.model)[key].key.kind
        assert isinstance(kind, Scalar)
        try:
            modem.values[key] = kind.read(_read_secret(path))
        except Wrong as exc:
            report.add(*modem.spot(file_key), f"{path}: {exc}")


def read_users(proxy: Block, folder: Path, report: Report) -> None:
    """Put the users of a ``users_file`` where the key itself would have put them.

    Args:
        proxy: completed in place.
        folder: where file names start.
        report: takes what is wrong, every line of the file that is.
    """
    if "users_file" not in proxy.values or "users" in proxy.lines:
        return
    path = proxy.values["users_file"] = folder / proxy.values["users_file"]
    spot = proxy.spot("users_file")
    try:
        text = _read_file(path, _USERS_MAX, "a file of lines name:password")
    except Wrong as exc:
        report.add(*spot, f"{path}: {exc}")
        return
    kind = entries(proxy.model)["users"].key.kind
    assert isinstance(kind, Pairs)
    users: dict[str, str] = {}
    before = len(report)
    for number, line in _user_lines(text):
        try:
            name, password = _user(line, kind)
            if name in users:
                raise Wrong("this user has a line already (keep one)")
            users[name] = password
        except Wrong as exc:
            report.add(*spot, f"{path}:{number}: {exc}")
    if not users and len(report) == before:
        report.add(*spot, f"{path}: no users in it (expected lines name:password)")
    proxy.values["users"] = tuple(users.items())


def _user_lines(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that name users; empty ones and comments do not."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if line and not line.startswith("#"):
            yield number, line


def _user(line: str, kind: Pairs) -> tuple[str, str]:
    name, colon, password = line.partition(":")
    if not (name and colon and password):
        raise Wrong("not a user (expected name:password)")
    if _HASH.match(password):
        raise Wrong("a hash instead of a password (write the password itself)")
    return kind.key.read(name), kind.value.read(password)


def _read_secret(path: Path) -> str:
    text = _read_file(path, _SECRET_MAX, "a file that holds one line")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise Wrong("empty (expected one line)")
    return text


def _read_file(path: Path, most: int, expected: str) -> str:
    try:
        # Asked first: to open a pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Wrong(f"not a file (expected {expected})")
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise Wrong(f"too large (expected {expected})")
        return content.decode("utf-8-sig")
    except OSError as exc:
        raise Wrong(f"cannot be read: {exc.strerror}") from None
    except ValueError as exc:
        if isinstance(exc, Wrong):
            raise
        raise Wrong("not a text file in UTF-8") from None

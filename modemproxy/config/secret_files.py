"""What stands in files and in the environment: passwords, the PIN, a proxy's users."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from modemproxy.config.checks import Wrong
from modemproxy.config.keys import entries
from modemproxy.config.kinds import Pairs, Scalar
from modemproxy.config.nodes import Report
from modemproxy.config.reader import Block

_SECRETS = ("password", "pin")
_SECRET_MAX = 4096
_USERS_MAX = 262_144
# What Apache's htpasswd and crypt(3) write, in place of the password itself.
_HASH = re.compile(r"\$(apr1|2[abxy]|1|5|6|y)\$|\{SHA\}")


def read_secrets(modem: Block, folder: Path, report: Report) -> None:
    """Put what a ``*_file`` or ``*_env`` holds where the key itself would have put it.

    Args:
        modem: completed in place.
        folder: where file names start.
        report: takes what is wrong.
    """
    for key in _SECRETS:
        file_key, env_key = f"{key}_file", f"{key}_env"
        if key in modem.lines:
            continue
        kind = entries(modem.model)[key].key.kind
        assert isinstance(kind, Scalar)
        if file_key in modem.values:
            path = modem.values[file_key] = folder / modem.values[file_key]
            source, where, read = file_key, str(path), partial(_read_secret, path)
        elif env_key in modem.values:
            name = modem.values[env_key]
            source, where, read = env_key, f"${name}", partial(_read_variable, name)
        else:
            continue
        try:
            modem.values[key] = kind.read(read())
        except Wrong as exc:
            report.add(*modem.spot(source), f"{where}: {exc}")


def read_users(proxy: Block, folder: Path, report: Report) -> None:
    """Put the users of ``users_file`` or ``users_env`` where the key would have put them.

    Args:
        proxy: completed in place.
        folder: where file names start.
        report: takes what is wrong, every line of it that is.
    """
    if "users" in proxy.lines:
        return
    if "users_file" in proxy.values:
        path = proxy.values["users_file"] = folder / proxy.values["users_file"]
        expected = "a file of lines name:password"
        _take_users(
            proxy,
            "users_file",
            str(path),
            partial(_read_file, path, _USERS_MAX, expected),
            report,
        )
    elif "users_env" in proxy.values:
        name = proxy.values["users_env"]
        _take_users(proxy, "users_env", f"${name}", partial(_read_variable, name), report)


def _take_users(
    proxy: Block, key: str, where: str, read: Callable[[], str], report: Report
) -> None:
    spot = proxy.spot(key)
    try:
        text = read()
    except Wrong as exc:
        report.add(*spot, f"{where}: {exc}")
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
            report.add(*spot, f"{where}:{number}: {exc}")
    if not users and len(report) == before:
        report.add(*spot, f"{where}: no users in it (expected lines name:password)")
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


def _read_variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise Wrong("not set in the environment of this process")
    if not value:
        raise Wrong("empty")
    return value


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

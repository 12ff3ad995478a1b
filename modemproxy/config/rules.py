"""What must hold between keys, beyond each key by itself; and what follows from others.

Works on sections as read: a key that was wrong is absent from ``values`` and has been
reported, so that one mistake gives one message.
"""

import ipaddress
import stat
from pathlib import Path
from typing import Any

from modemproxy.config.checks import Endpoint, Wrong
from modemproxy.config.keys import entries
from modemproxy.config.kinds import Scalar
from modemproxy.config.model import EXCLUSIVE, Timeouts
from modemproxy.config.nodes import Report
from modemproxy.config.reader import Block

_SECRET_MAX = 4096


def apply(root: Block, folder: Path, report: Report) -> None:
    """Check everything between keys and fill in the values that follow from others.

    Args:
        root: the whole file; its values are completed in place.
        folder: where file names start.
        report: takes what is wrong.
    """
    modem: Block | None = root.values.get("modem")
    if modem is not None:
        _check_exclusive(modem, report)
        _check_login(modem, report)
        _read_secrets(modem, folder, report)
    _complete_forwards(root)
    forwards: list[Block] = root.values.get("forwards", [])
    for forward in forwards:
        _check_access(forward, report)
    _check_names(forwards, report)
    _check_listeners(forwards, report)


def _check_exclusive(modem: Block, report: Report) -> None:
    for here, there in EXCLUSIVE:
        if here in modem.lines and there in modem.lines:
            what = f"given beside {here} (line {modem.lines[here]}; keep one of them)"
            report.add(*modem.spot(there), what)


def _check_login(modem: Block, report: Report) -> None:
    """A user name or password is for auth, and auth is nothing without them."""
    if "auth" in modem.lines and "auth" not in modem.values:
        return
    given = [key for key in ("username", "password", "password_file") if key in modem.lines]
    auth = modem.values.get("auth", "none")
    if auth == "none":
        for key in given:
            report.add(*modem.spot(key), "has no use without auth (set auth: pap or chap)")
        return
    if "username" not in given:
        report.add(*modem.spot("auth"), f"{auth} needs a user name (add username)")
    if given in ([], ["username"]):
        what = f"{auth} needs a password (add password or password_file)"
        report.add(*modem.spot("auth"), what)


def _read_secrets(modem: Block, folder: Path, report: Report) -> None:
    """Put what a ``*_file`` holds where the key itself would have put it."""
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


def _read_secret(path: Path) -> str:
    try:
        # Asked first: to open a pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Wrong("not a file (expected a file that holds one line)")
        with path.open("rb") as file:
            content = file.read(_SECRET_MAX + 1)
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as exc:
        raise Wrong(f"cannot be read: {exc.strerror}") from None
    except ValueError as exc:
        if isinstance(exc, Wrong):
            raise
        raise Wrong("not a text file in UTF-8") from None
    if not text or len(content) > _SECRET_MAX:
        raise Wrong(f"{'too large' if text else 'empty'} (expected one line)")
    return text


def _complete_forwards(root: Block) -> None:
    """Fill in what a forward takes from other keys when it does not say it itself."""
    timeouts: Block | None = root.values.get("timeouts")
    shared = timeouts.values if timeouts else {}
    for forward in root.values.get("forwards", []):
        forward.values.setdefault("half_close_s", shared.get("half_close_s", _HALF_CLOSE_S))
        if "listen" in forward.values and "name" not in forward.lines:
            port = forward.values["listen"].port
            forward.values["name"] = f"{forward.values.get('protocol', 'tcp')}-{port}"


_HALF_CLOSE_S = Timeouts().half_close_s


def _check_access(forward: Block, report: Report) -> None:
    """Whoever listens beyond this machine must say for whom."""
    listen: Endpoint | None = forward.values.get("listen")
    if listen is None or ("allow" in forward.lines and "allow" not in forward.values):
        return
    address = ipaddress.ip_address(listen.host)
    everyone = "0.0.0.0/0" if address.version == 4 else "::/0"
    allow = forward.values.get("allow", [])
    if not allow and not address.is_loopback:
        what = f"{listen.host} can be reached from other machines, and allow is missing"
        right = f"list the networks that may connect; {everyone} means everyone"
        report.add(*forward.spot("listen"), f"{what} ({right})")
    elif allow and all(network.version != address.version for network in allow):
        what = f"no IPv{address.version} network, so nobody could connect to {listen}"
        report.add(*forward.spot("allow"), f"{what} (add one, like {everyone} for everyone)")


def _check_names(forwards: list[Block], report: Report) -> None:
    first: dict[Any, Block] = {}
    for forward in forwards:
        name = forward.values.get("name")
        if name is None or first.setdefault(name, forward) is forward:
            continue
        line, path = forward.spot("name")
        before = first[name].spot("name")[0]
        own = "" if "name" in forward.lines else ", the name made from protocol and port,"
        what = f"'{name}'{own} is taken by line {before} (give this one another name)"
        report.add(line, path, what)


def _check_listeners(forwards: list[Block], report: Report) -> None:
    listeners = [forward for forward in forwards if "listen" in forward.values]
    for number, forward in enumerate(listeners):
        for other in listeners[:number]:
            if _clash(forward.values["listen"], other.values["listen"]):
                taken = f"{other.values['listen']} on line {other.spot('listen')[0]}"
                what = f"{forward.values['listen']} is taken by {taken} (use another port)"
                report.add(*forward.spot("listen"), what)
                break


def _clash(one: Endpoint, other: Endpoint) -> bool:
    """Tell whether the system would refuse the second of two listeners.

    A listener on :: does not take IPv4 clients here, so the two families never meet.
    """
    if one.port != other.port or one.port == 0:
        return False
    a, b = ipaddress.ip_address(one.host), ipaddress.ip_address(other.host)
    if a.version != b.version:
        return False
    return a == b or a.is_unspecified or b.is_unspecified

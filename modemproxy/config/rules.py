"""What must hold between keys, beyond each key by itself; and what follows from others.

Works on sections as read: a key that was wrong is absent from ``values`` and has been
reported, so that one mistake gives one message. Who may come in, and where, is in
config/rules_access.py; what stands in other files, in config/secret_files.py.
"""

import os
from pathlib import Path

from modemproxy.config import rules_access, secret_files
from modemproxy.config.checks import Endpoint
from modemproxy.config.entrances import TCP_ONLY, UDP_IDLE_S
from modemproxy.config.keys import entries
from modemproxy.config.model import EXCLUSIVE, SERVES, Timeouts
from modemproxy.config.nodes import Report
from modemproxy.config.reader import Block

_HALF_CLOSE_S = Timeouts().half_close_s
_DNS_PORT = 53
# sockaddr_un.sun_path of Linux, with the NUL at its end.
_SOCKET_PATH_MAX = 107
_ENTRANCES = ("forwards", "servers", "proxies")


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
        secret_files.read_secrets(modem, folder, report)
    for proxy in root.blocks("proxies"):
        _check_exclusive(proxy, report)
        secret_files.read_users(proxy, folder, report)
    for forward in root.blocks("forwards"):
        _check_udp(forward, report)
    _check_serves(root, report)
    _complete_entrances(root)
    _complete_dns(root)
    _place_socket(root, folder, report)
    rules_access.apply(root, report)


def _check_exclusive(block: Block, report: Report) -> None:
    for here, there in EXCLUSIVE:
        if here in block.lines and there in block.lines:
            what = f"given beside {here} (line {block.lines[here]}; keep one of them)"
            report.add(*block.spot(there), what)


_LOGIN = ("username", "password", "password_file", "password_env")


def _check_login(modem: Block, report: Report) -> None:
    """A user name or password is for auth, and auth is nothing without them."""
    if "auth" in modem.lines and "auth" not in modem.values:
        return
    given = [key for key in _LOGIN if key in modem.lines]
    auth = modem.values.get("auth", "none")
    if auth == "none":
        for key in given:
            report.add(*modem.spot(key), "has no use without auth (set auth: pap or chap)")
        return
    if "username" not in given:
        report.add(*modem.spot("auth"), f"{auth} needs a user name (add username)")
    if given in ([], ["username"]):
        what = f"{auth} needs a password (add password, password_file or password_env)"
        report.add(*modem.spot("auth"), what)


def _check_udp(forward: Block, report: Report) -> None:
    if forward.values.get("protocol") != "udp":
        return
    for key in TCP_ONLY:
        if key in forward.lines:
            what = "only TCP connections have an end of their own (leave it out for udp)"
            report.add(*forward.spot(key), what)


def _check_serves(root: Block, report: Report) -> None:
    """A configuration that lets nobody in is a mistake; a misspelt section is another one."""
    if all(name in entries(root.model) and name not in SERVES for name in root.lines):
        what = f"nothing to serve (add {', '.join(SERVES[:-1])} or {SERVES[-1]})"
        report.add(root.line, "", what)


def _complete_entrances(root: Block) -> None:
    """Fill in what an entrance takes from other keys when it does not say it itself."""
    timeouts: Block | None = root.values.get("timeouts")
    shared = timeouts.values if timeouts else {}
    for section in _ENTRANCES:
        for block in root.blocks(section):
            half_close_s = shared.get("half_close_s", _HALF_CLOSE_S)
            block.values.setdefault("half_close_s", half_close_s)
            if "name" not in block.lines:
                _make_name(block)
    for forward in root.blocks("forwards"):
        if forward.values.get("protocol") == "udp":
            forward.values.setdefault("idle_timeout_s", UDP_IDLE_S)


def _make_name(block: Block) -> None:
    """Name an entrance after its protocol and port, when both could be read."""
    values = block.values
    if "listen" in values:
        port = values["listen"].port
        default = entries(block.model)["protocol"].default
        kind = values.get("protocol", default)
    else:
        port, kind = values.get("port"), "server"
    if port is not None and kind is not None:
        values["name"] = f"{kind}-{port}"


def _complete_dns(root: Block) -> None:
    """Questions that the module cannot answer go to the first name server it was given."""
    dns: Block | None = root.values.get("dns")
    modem: Block | None = root.values.get("modem")
    if dns is None or modem is None or "server" in dns.lines:
        return
    for host in modem.values.get("dns", [])[:1]:
        dns.values["server"] = Endpoint(host, _DNS_PORT)


def _place_socket(root: Block, folder: Path, report: Report) -> None:
    """Put the admin socket beside the configuration, unless its name says where it is."""
    admin: Block | None = root.values.get("admin")
    if admin is None or "socket" not in admin.values:
        return
    path = admin.values["socket"] = folder / admin.values["socket"]
    if (size := len(os.fsencode(path))) > _SOCKET_PATH_MAX:
        what = f"{size} bytes with its folder (at most {_SOCKET_PATH_MAX} for a Unix socket)"
        report.add(*admin.spot("socket"), what)

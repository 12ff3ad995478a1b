"""Who may come in, and where: names, listeners, allow, and the shares of the ten links."""

import ipaddress
from collections.abc import Iterator
from typing import Any

from modemproxy.config.checks import Endpoint, exposed
from modemproxy.config.entrances import Server
from modemproxy.config.model import LINKS
from modemproxy.config.nodes import Report
from modemproxy.config.reader import Block

# Names that stand for something else where links are counted and ports are told.
_CONNECT = "connect"
_DNS = "dns"
_METRICS = "metrics"
# IP versions that far clients can come by.
_VERSIONS = {"IP": (4,), "IPV6": (6,), "IPV4V6": (4, 6)}


def apply(root: Block, report: Report) -> None:
    """Check everything that is about getting in.

    Args:
        root: the whole file, completed.
        report: takes what is wrong.
    """
    entrances = [*root.blocks("forwards"), *root.blocks("servers"), *root.blocks("proxies")]
    for block, _ in _listeners(root):
        _check_access(block, report)
    for server in root.blocks("servers"):
        _check_server_access(server, root, report)
    _check_names(entrances, root, report)
    _check_listeners(root, report)
    _check_ports(root.blocks("servers"), report)
    _check_reserves(entrances, report)


def _listeners(root: Block) -> Iterator[tuple[Block, set[str]]]:
    """Give all that listens on this host, and the protocols it does that by."""
    for forward in root.blocks("forwards"):
        yield forward, {forward.values.get("protocol", "tcp")}
    for proxy in root.blocks("proxies"):
        yield proxy, {"tcp"}
    if (dns := root.values.get("dns")) is not None:
        yield dns, {"tcp", "udp"}
    if (metrics := root.values.get("metrics")) is not None:
        yield metrics, {"tcp"}


def _check_access(block: Block, report: Report) -> None:
    """Whoever listens beyond this machine must say for whom."""
    listen: Endpoint | None = block.values.get("listen")
    if listen is None or ("allow" in block.lines and "allow" not in block.values):
        return
    version = ipaddress.ip_address(listen.host).version
    allow = block.values.get("allow", [])
    if not allow and exposed(listen):
        what = f"{listen.host} can be reached from other machines, and allow is missing"
        right = f"list the networks that may connect; {_EVERYONE[version]} means everyone"
        report.add(*block.spot("listen"), f"{what} ({right})")
    elif allow and all(network.version != version for network in allow):
        what = f"no IPv{version} network, so nobody could connect to {listen}"
        right = f"add one, like {_EVERYONE[version]} for everyone"
        report.add(*block.spot("allow"), f"{what} ({right})")


_EVERYONE = {4: "0.0.0.0/0", 6: "::/0"}


def _check_server_access(server: Block, root: Block, report: Report) -> None:
    """Far clients come by the kind of address that the module asks the network for."""
    modem: Block | None = root.values.get("modem")
    if modem is None or "allow" not in server.values:
        return
    ip_type = modem.values.get("ip_type", "IP")
    versions = _VERSIONS[ip_type]
    if not any(network.version in versions for network in server.values["allow"]):
        what = f"no IPv{versions[0]} network, and with ip_type {ip_type} nobody else can come"
        report.add(*server.spot("allow"), f"{what} (add one, like {_EVERYONE[versions[0]]})")


def _check_names(entrances: list[Block], root: Block, report: Report) -> None:
    first: dict[Any, Block] = {}
    for block in entrances:
        name = block.values.get("name")
        if name == _CONNECT or (name in (_DNS, _METRICS) and name in root.lines):
            owner = "modemproxy connect" if name == _CONNECT else f"the {name} section"
            what = f"'{name}' is the name of {owner} (give this one another name)"
            report.add(*block.spot("name"), what)
        if name is None or first.setdefault(name, block) is block:
            continue
        line, path = block.spot("name")
        before = first[name].spot("name")[0]
        made = "its port" if block.model is Server else "protocol and port"
        own = "" if "name" in block.lines else f", the name made from {made},"
        what = f"'{name}'{own} is taken by line {before} (give this one another name)"
        report.add(line, path, what)


def _check_listeners(root: Block, report: Report) -> None:
    earlier: list[tuple[Block, set[str]]] = []
    for block, protocols in _listeners(root):
        if "listen" not in block.values:
            continue
        for other, others in earlier:
            if protocols & others and _clash(block.values["listen"], other.values["listen"]):
                taken = f"{other.values['listen']} on line {other.spot('listen')[0]}"
                what = f"{block.values['listen']} is taken by {taken} (use another port)"
                report.add(*block.spot("listen"), what)
                break
        earlier.append((block, protocols))


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


def _check_ports(servers: list[Block], report: Report) -> None:
    first: dict[int, Block] = {}
    for server in servers:
        port = server.values.get("port")
        if port is not None and first.setdefault(port, server) is not server:
            before = first[port].spot("port")[0]
            what = f"{port} of the module is taken by line {before} (use another port)"
            report.add(*server.spot("port"), what)


def _check_reserves(entrances: list[Block], report: Report) -> None:
    """Links that are kept must exist, and somebody must be able to use them."""
    total = 0
    for block in entrances:
        kept: int = block.values.get("reserve", 0)
        most: int = block.values.get("max_clients", 0)
        if most and kept > most:
            what = f"{kept} links, but max_clients lets only {most} in (at most {most})"
            report.add(*block.spot("reserve"), what)
        if kept and total <= LINKS < total + kept:
            what = f"with those before it {total + kept} links are kept"
            right = f"the module has {LINKS}: at most {LINKS - total} here"
            report.add(*block.spot("reserve"), f"{what} ({right})")
        total += kept

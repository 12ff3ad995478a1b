"""Where the clients of a proxy may go: rules of a host pattern and ports.

A rule about names never looks at addresses and a rule about networks never at names: what
a name leads to is known to the module only, and may change between a look and a connect.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from modemproxy.config.checks import (
    IPAddress,
    IPNetwork,
    Wrong,
    check_host,
    parse_network,
    show,
)

_ANY: Final = "*"
_BELOW: Final = "*."
_PORT_MAX: Final = 65535
_EXAMPLE: Final = "like *.example.com:443 or 203.0.113.0/24:*"


@dataclass(frozen=True, slots=True)
class Destination:
    """One rule.

    Attributes:
        host: a network, or a name in lower case, ``*.name`` for all names below it, or
            ``*`` for every name and address.
        first_port: the lowest port.
        last_port: the highest port.
    """

    host: str | IPNetwork
    first_port: int
    last_port: int

    def matches(self, host: str, port: int) -> bool:
        """Tell whether the rule allows a destination.

        Args:
            host: a name, or the text of an address (no brackets), in any spelling.
            port: 1 to 65535.
        """
        if not self.first_port <= port <= self.last_port:
            return False
        address = _address(host)
        if not isinstance(self.host, str):
            return address is not None and address in self.host
        if self.host == _ANY:
            return True
        return address is None and self._matches_name(host.lower().removesuffix("."))

    def _matches_name(self, name: str) -> bool:
        assert isinstance(self.host, str)
        if self.host.startswith(_BELOW):
            return name.endswith(self.host[1:]) and len(name) > len(self.host) - 1
        return name == self.host

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in str(self.host) else str(self.host)
        if (self.first_port, self.last_port) == (1, _PORT_MAX):
            return f"{host}:*"
        if self.first_port == self.last_port:
            return f"{host}:{self.first_port}"
        return f"{host}:{self.first_port}-{self.last_port}"


def may_reach(rules: Iterable[Destination], host: str, port: int) -> bool:
    """Tell whether any of the rules allows a destination; no rules at all allow every one."""
    rules = tuple(rules)
    return not rules or any(rule.matches(host, port) for rule in rules)


def _address(host: str) -> IPAddress | None:
    """Read the text of an address; IPv4 inside IPv6 is IPv4 (RFC 4291 2.5.5.2)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_destination(text: str) -> Destination:
    """Read ``host:port`` as a rule: a name, ``*.name``, network or ``*``; ports or ``*``.

    Raises:
        Wrong: it is not of that form.
    """
    if text.count(":") > 1 and not text.startswith("["):
        raise Wrong(f"IPv6 needs brackets and a port ({show(text)}; write [2001:db8::/32]:443)")
    host, colon, ports = text.rpartition(":")
    if not colon or ports.endswith("]"):
        raise Wrong(f"{show(text)} has no port ({_EXAMPLE})")
    return Destination(_host(host), *_ports(ports))


def _host(text: str) -> str | IPNetwork:
    if text.startswith("[") and text.endswith("]"):
        if ":" not in text:
            raise Wrong(f"brackets are for IPv6 only (write {text[1:-1]})")
        return _network(text[1:-1])
    if "/" in text or re.fullmatch(r"[0-9.]+", text):
        return _network(text)
    if text == _ANY:
        return text
    below = _BELOW if text.startswith(_BELOW) else ""
    name = text.lower().removeprefix(below)
    if _ANY in name:
        right = "expected * alone, or at the beginning like *.example.com"
        raise Wrong(f"{show(text)} has a star inside ({right})")
    if problem := check_host(name):
        raise Wrong(problem)
    if _address(name) is not None:
        raise Wrong(f"{show(text)}: no names are below an address (write a network)")
    return below + name.removesuffix(".")


def _network(text: str) -> IPNetwork:
    network = parse_network(text)
    mapped = _address(str(network.network_address))
    if network.version == 6 and mapped is not None and mapped.version == 4:
        bits = max(network.prefixlen - 96, 0)
        raise Wrong(f"{show(text)} is IPv4 written as IPv6 (write {mapped}/{bits})")
    return network


def _ports(text: str) -> tuple[int, int]:
    if text == _ANY:
        return 1, _PORT_MAX
    if not (found := re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", text)):
        raise Wrong(f"{show(text)} is no port (expected 443, a range like 8000-8099, or *)")
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= _PORT_MAX or not 1 <= last <= _PORT_MAX:
        raise Wrong(f"port {show(text)[1:-1]} is out of range (1 to 65535)")
    if last < first:
        raise Wrong(f"the range {show(text)[1:-1]} is backwards (write {last}-{first})")
    return first, last

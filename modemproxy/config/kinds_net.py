"""The kinds of value that name places: addresses, networks, ports and what is made of them."""

from collections.abc import Callable

from modemproxy.config.checks import (
    Endpoint,
    IPNetwork,
    Wrong,
    check_host,
    parse_address,
    parse_listen,
    parse_name_server,
    parse_network,
    parse_target,
)
from modemproxy.config.destinations import Destination, parse_destination
from modemproxy.config.kinds import Scalar, count


def address() -> Scalar:
    """An IP address."""
    return Scalar("an IP address", _address, {"type": "string", "pattern": "^[0-9A-Fa-f:.]+$"})


def _address(raw: str) -> str:
    return str(parse_address(raw))


def network() -> Scalar:
    """An IP network in CIDR notation."""
    read: Callable[[str], IPNetwork] = parse_network
    return Scalar(
        "a network", read, {"type": "string", "pattern": "^[0-9A-Fa-f:.]+(/[0-9.]+)?$"}
    )


def port() -> Scalar:
    """A TCP port, any free one excluded."""
    read = count(least=1, most=65535)
    return Scalar("a port number", read.read, read.schema)


def listen() -> Scalar:
    """An address and port of this host."""
    read: Callable[[str], Endpoint] = parse_listen
    pattern = r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+|localhost):[0-9]{1,5}$"
    return Scalar("address:port", read, {"type": "string", "pattern": pattern})


def name_server() -> Scalar:
    """An IP address of a name server, with or without a port."""
    read: Callable[[str], Endpoint] = parse_name_server
    pattern = r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+)(:[0-9]{1,5})?$|^[0-9A-Fa-f:.]+$"
    return Scalar("an address", read, {"type": "string", "pattern": pattern})


def host_name() -> Scalar:
    """A name, or an address, of a host."""
    return Scalar("a host name", _host_name, {"type": "string", "pattern": "^[A-Za-z0-9.:-]+$"})


def _host_name(raw: str) -> str:
    if problem := check_host(raw):
        raise Wrong(problem)
    return raw.lower().removesuffix(".")


def target() -> Scalar:
    """A host and port behind the module."""
    read: Callable[[str], Endpoint] = parse_target
    pattern = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$"
    return Scalar("host:port", read, {"type": "string", "pattern": pattern})


def destination() -> Scalar:
    """A rule about destinations: a host pattern and ports."""
    read: Callable[[str], Destination] = parse_destination
    host = r"(\[[0-9A-Fa-f:./]+\]|[0-9./]+|(\*\.)?[A-Za-z0-9.-]+|\*)"
    pattern = rf"^{host}:([0-9]{{1,5}}(-[0-9]{{1,5}})?|\*)$"
    return Scalar("host:port", read, {"type": "string", "pattern": pattern})

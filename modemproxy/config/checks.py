"""What a string must be before it may become part of an AT command, an address or a rule.

The functions called ``check_*`` say what is wrong with a text, or None when nothing is: the
configuration asks them at start, and whatever takes names from clients asks them again at
run time. The functions called ``parse_*`` turn a text into a value or raise ``Wrong``.

The rule behind all of it: a text that reaches the module inside double quotes must not be
able to end the quotes or the command line, nor be rewritten on the way.
"""

import ipaddress
import re
from dataclasses import dataclass

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# The manual's limits for a domain name.
NAME_MAX = 254
LABEL_MAX = 63

_SHOWN_MAX = 60
_DNS_PORT = 53


class Wrong(ValueError):
    """A text is not what it should be; the message is fit for the user."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address or a host name (IPv6 without brackets), and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def exposed(endpoint: Endpoint) -> bool:
    """Tell whether other machines can reach a listener; its host must be an address."""
    return not ipaddress.ip_address(endpoint.host).is_loopback


def show(text: str) -> str:
    """Quote a text for a message: on one line, and not longer than a line bears."""
    cut = text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"
    return "'" + "".join(map(printable, cut)) + "'"


def printable(char: str) -> str:
    """Spell out a character that would move the cursor or hide."""
    return char if char.isprintable() else char.encode("unicode_escape", "replace").decode()


def check_at_string(text: str, what: str) -> str | None:
    """Say why ``text`` cannot be sent as a quoted string of an AT command.

    The text itself is never repeated: it may be a password.

    Args:
        text: what would stand between the quotes.
        what: its name in the message, such as ``"the APN"``.
    """
    for bad, name in (('"', "a double quote"), ("\\", "a backslash")):
        if bad in text:
            # V.250 lets \22 stand for a quote, so a backslash is as dangerous as one.
            return f"{what} holds {name}, which no AT command can carry (leave it out)"
    if not all(" " <= char <= "~" for char in text):
        return f"{what} holds a control or non-ASCII character (use printable ASCII)"
    return None


def check_host(text: str) -> str | None:
    """Say why ``text`` is no host: an IPv4 or IPv6 address (no brackets) or a domain name."""
    if not text:
        return "the host is empty (expected a name or an address)"
    if not text.isascii():
        return f"the host name {show(text)} is not ASCII (write its xn-- form{_idna(text)})"
    if ":" in text:
        return _check_ipv6(text)
    if odd := re.search(r"[^A-Za-z0-9.-]", text):
        allowed = "letters, digits, dots and hyphens"
        return f"the host name {show(text)} holds {show(odd[0])} (only {allowed})"
    if text.removesuffix(".").rpartition(".")[2].isdigit():
        return _check_ipv4(text)
    return _check_name(text)


def _idna(text: str) -> str:
    """Offer the xn-- form where Python knows it and it would be accepted."""
    try:
        right = text.encode("idna").decode()
    except UnicodeError:
        return ""
    return f": {right}" if check_host(right) is None else ""


def _check_ipv6(text: str) -> str | None:
    # A zone (fe80::1%x) may hold any character, and means nothing to the module.
    if "%" in text or not _is_ip(text):
        return f"{show(text)} is not an IPv6 address (like 2001:db8::1)"
    return None


def _check_ipv4(text: str) -> str | None:
    return None if _is_ip(text) else f"{show(text)} is not an IPv4 address (like 192.0.2.1)"


def _check_name(text: str) -> str | None:
    if len(text) > NAME_MAX:
        return f"the host name has {len(text)} characters (at most {NAME_MAX})"
    for label in text.removesuffix(".").split("."):
        if not label:
            return f"the host name {show(text)} has an empty part (one dot between parts)"
        if len(label) > LABEL_MAX:
            return f"a part of the host name has {len(label)} characters (at most {LABEL_MAX})"
        if label.startswith("-") or label.endswith("-"):
            return f"the host name part {show(label)} begins or ends with a hyphen (drop it)"
    return None


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_address(text: str) -> IPAddress:
    """Read an IPv4 or IPv6 address.

    Raises:
        Wrong: it is none.
    """
    try:
        if "%" not in text:
            return ipaddress.ip_address(text)
    except ValueError:
        pass
    raise Wrong(f"{show(text)} is not an IP address (like 9.9.9.9 or 2620:fe::fe)")


def parse_network(text: str) -> IPNetwork:
    """Read a network in CIDR notation; a single address is a network of one.

    Raises:
        Wrong: it is none, or it names a host inside the network instead of the network.
    """
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Wrong(f"{show(text)} is not a network (like 192.168.1.0/24)") from None
    if "%" in text:
        raise Wrong(f"{show(text)} has a zone (leave out the % and what follows)")
    if str(network.network_address) != str(ipaddress.ip_address(text.partition("/")[0])):
        raise Wrong(f"{show(text)} names a host inside a network (write {network})")
    return network


def parse_listen(text: str) -> Endpoint:
    """Read ``address:port`` where this host shall listen; port 0 asks for any free one.

    Raises:
        Wrong: it is not an address of that form.
    """
    host, port = _split(text, example="127.0.0.1:1883", lowest_port=0)
    if host in ("", "*"):
        raise Wrong(f"the address is missing (127.0.0.1:{port}, or 0.0.0.0:{port} for all)")
    if host == "localhost":
        return Endpoint("127.0.0.1", port)
    try:
        return Endpoint(str(parse_address(host)), port)
    except Wrong:
        right = f"an IP address of this machine, like 127.0.0.1:{port}"
        raise Wrong(f"{show(host)} is not an IP address (expected {right})") from None


def parse_target(text: str) -> Endpoint:
    """Read ``host:port`` as a destination behind the module.

    Raises:
        Wrong: it is not of that form, or the host could not be sent to the module.
    """
    host, port = _split(text, example="broker.example.com:1883", lowest_port=1)
    if problem := check_host(host):
        raise Wrong(problem)
    return Endpoint(str(parse_address(host)) if _is_ip(host) else host, port)


def parse_name_server(text: str) -> Endpoint:
    """Read the address of a name server, with its port where it is not 53.

    Raises:
        Wrong: it is none; a name would need a name server first.
    """
    inside = text.startswith("[") and text.endswith("]")
    if ":" not in text or _is_ip(text) or inside:
        host = _unbracket(text, str(_DNS_PORT)) if inside else text
        return Endpoint(str(parse_address(host)), _DNS_PORT)
    host, port = _split(text, example=f"9.9.9.9:{_DNS_PORT}", lowest_port=1)
    return Endpoint(str(parse_address(host)), port)


def _split(text: str, *, example: str, lowest_port: int) -> tuple[str, int]:
    """Take ``host:port`` or ``[v6]:port`` apart."""
    if text.isdecimal():
        host = example.rpartition(":")[0]
        raise Wrong(f"{show(text)} has a port but no host (write {host}:PORT)")
    host, colon, port = text.rpartition(":")
    if _is_ip(text) and ":" in text:
        raise Wrong(f"an IPv6 address needs brackets and a port (write [{text}]:PORT)")
    if not colon or port.endswith("]"):
        raise Wrong(f"{show(text)} has no port (like {example})")
    return _unbracket(host, port), _port(port, lowest_port)


def _unbracket(host: str, port: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        inside = host[1:-1]
        if ":" not in inside:
            raise Wrong(f"brackets are for IPv6 addresses only (write {inside}:{port})")
        return inside
    if ":" in host:
        raise Wrong(f"an IPv6 address needs brackets (write [{host}]:{port})")
    return host


def _port(text: str, lowest: int) -> int:
    if not re.fullmatch(r"[0-9]+", text):
        raise Wrong(f"{show(text)} is not a port number ({lowest} to 65535)")
    # Compared by length first: int() refuses thousands of digits.
    if len(text) > 9 or not lowest <= int(text) <= 65535:
        raise Wrong(f"port {show(text)[1:-1]} is out of range ({lowest} to 65535)")
    return int(text)

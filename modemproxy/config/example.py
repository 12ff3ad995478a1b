"""The commented configuration that ``modemproxy init`` prints.

Made from the table of keys, so it cannot miss one: a key that the example does not set
stands there as ``#key: default``. Taking away that one ``#`` switches the key on. Sections
that open the module or this host to others are not for everybody: each of their lines has
one ``#`` more, in the first column. config/modemproxy.yaml in the repository is this text.
"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from modemproxy.config.keys import Entry, entries
from modemproxy.config.kinds import Many, Section
from modemproxy.config.model import Config

_WIDTH = 88

_HEAD = """\
# Configuration of modemproxy.
#
#   modemproxy check FILE    says what it would do, or every mistake in it
#   modemproxy run --config FILE
#
# Lines like "#key: value" are keys at their default, or examples where there is none:
# take away the # to set them. Where a whole section stands behind #, take away the first #
# of each of its lines to have it. Times are in seconds.
"""

# The values of the example, per section; of lists of sections, per item.
_SET: dict[str, list[dict[str, str]]] = {
    "modem": [{"port": "/dev/serial/by-id/usb-SimTech-if01"}],
    "forwards": [
        {"listen": "127.0.0.1:1883", "connect": "broker.example.com:1883", "name": "mqtt"},
        {"listen": "127.0.0.1:8443", "connect": "www.example.com:443", "name": "https"},
        {
            "listen": "127.0.0.1:5683",
            "connect": "coap.example.com:5683",
            "name": "coap",
            "protocol": "udp",
        },
    ],
    "servers": [{"port": "8080", "connect": "127.0.0.1:80", "allow": "[0.0.0.0/0]"}],
    "proxies": [
        {"protocol": "socks5", "listen": "127.0.0.1:1080"},
        {"protocol": "http", "listen": "127.0.0.1:3128"},
    ],
    "dns": [{"listen": "127.0.0.1:5353"}],
    "metrics": [{"listen": "127.0.0.1:9464"}],
}
_HIDDEN = ("servers", "proxies", "dns", "metrics")


def example() -> str:
    """Write the whole example as YAML text."""
    parts = [_HEAD]
    for entry in entries(Config).values():
        section = [f"{entry.name}:", *_body(entry)]
        if entry.name in _HIDDEN:
            section = [f"#{line}" for line in section]
        parts.append("\n".join([*_about(entry, ""), *section]) + "\n")
    return "\n".join(parts)


def _body(entry: Entry) -> Iterator[str]:
    """Write the inside of a section."""
    kind = entry.key.kind
    given = _SET.get(entry.name, [{}])
    if isinstance(kind, Section):
        yield from _keys(kind.model, given[0])
    elif isinstance(kind, Many) and isinstance(kind.item, Section):
        yield from _items(kind.item.model, given)


def _keys(model: type[Any], given: Mapping[str, str]) -> Iterator[str]:
    for entry in entries(model).values():
        yield from _about(entry, "  ")
        value = given.get(entry.name)
        yield (
            f"  #{entry.name}: {_value(entry)}" if value is None else f"  {entry.name}: {value}"
        )


def _items(model: type[Any], given: list[dict[str, str]]) -> Iterator[str]:
    """Write a list: all keys with comments in the first item, then only what is set."""
    first, *rest = given
    for number, line in enumerate(_keys(model, first)):
        yield _indent(line, dash=number == _first_key(model))
    for item in rest:
        yield ""
        for number, (name, value) in enumerate(item.items()):
            yield _indent(f"  {name}: {value}", dash=number == 0)


def _first_key(model: type[Any]) -> int:
    """Tell on which line the first key follows its comment: the dash belongs there."""
    return len(list(_about(next(iter(entries(model).values())), "  ")))


def _indent(line: str, *, dash: bool) -> str:
    return "  - " + line[2:] if dash else "  " + line


def _about(entry: Entry, indent: str) -> list[str]:
    text = entry.key.about
    if entry.key.derived:
        text += f" Default: {entry.key.derived}."
    mark = f"{indent}# "
    return textwrap.wrap(text, _WIDTH, initial_indent=mark, subsequent_indent=mark)


def _value(entry: Entry) -> str:
    """Write the default, or the example of a key that has none."""
    if entry.key.example is not None:
        return entry.key.example
    default = entry.default
    return f"{default:g}" if isinstance(default, float) else str(default)

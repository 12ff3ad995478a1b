"""What the tests of wrong configurations share: parts of files, and tables of mistakes."""

from pathlib import Path

import pytest

from modemproxy.config import load
from modemproxy.errors import ConfigError

HEAD = "modem:\n  port: /dev/ttyUSB2\n"
UDP = "forwards:\n  - listen: 127.0.0.1:53\n    connect: 9.9.9.9:53\n    protocol: udp\n"
SERVER = "servers:\n  - port: 8080\n    connect: 10.0.0.1:80\n    allow: [0.0.0.0/0]\n"
PROXY = "proxies:\n  - protocol: socks5\n    listen: 127.0.0.1:1080\n"
DNS = "dns:\n  listen: 127.0.0.1:5353\n"


def problems(folder: Path, text: str) -> list[str]:
    """Load a text, and give what is wrong with it as if it were m.yaml in no folder."""
    path = folder / "m.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [line.replace(f"{folder}/", "") for line in caught.value.problems]


def table(text: str) -> list[tuple[str, str]]:
    """Read pairs of a mistake and its message: the indented lines below it are one text."""
    pairs: list[tuple[str, str]] = []
    for line in text.strip("\n").split("\n"):
        if line.startswith(" "):
            mistake, message = pairs.pop()
            pairs.append((mistake, f"{message} {line.strip()}".lstrip()))
        else:
            pairs.append((line, ""))
    return pairs


def short(value: object) -> str:
    """Name a test after its mistake."""
    return str(value)[:50]

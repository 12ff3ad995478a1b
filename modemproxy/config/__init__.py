"""The configuration: a YAML file becomes frozen dataclasses, or a list of all its mistakes.

    find()      which file
    load()      read it: YAML nodes (config/nodes.py), values by key (config/reader.py), rules
                between keys (config/rules.py), dataclasses (config/model.py)
    describe()  what it would serve, in words (config/describe.py)

Every mistake is one line: ``FILE:LINE: key.path: what is wrong (what would be right)``.
The names here are what the rest of the program uses; the ``config_*`` files are inside.
"""

from collections.abc import Mapping
from pathlib import Path

from modemproxy.config.checks import (
    Endpoint,
    IPNetwork,
    Wrong,
    check_at_string,
    check_host,
    exposed,
    parse_target,
)
from modemproxy.config.describe import describe
from modemproxy.config.destinations import Destination, may_reach
from modemproxy.config.model import (
    Admin,
    Config,
    Dns,
    Forward,
    LogConfig,
    Metrics,
    ModemConfig,
    Proxy,
    Server,
    Timeouts,
    TrafficClass,
    Usage,
)
from modemproxy.config.nodes import Report, parse
from modemproxy.config.reader import Block, build, read
from modemproxy.config.rules import apply
from modemproxy.errors import ConfigError

__all__ = [
    "Admin",
    "Config",
    "Destination",
    "Dns",
    "Endpoint",
    "Forward",
    "IPNetwork",
    "LogConfig",
    "Metrics",
    "ModemConfig",
    "Proxy",
    "Server",
    "Timeouts",
    "TrafficClass",
    "Usage",
    "Wrong",
    "check_at_string",
    "check_host",
    "describe",
    "exposed",
    "find",
    "load",
    "may_reach",
    "parse_target",
]

_VARIABLE = "MODEMPROXY_CONFIG"
_USUAL = (Path("modemproxy.yaml"), Path("/etc/modemproxy/modemproxy.yaml"))
_FILE_MAX = 1_000_000


def find(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """Say which file to load: the given one, the environment's, or one in a usual place.

    A file that was named is returned even when it is not there: ``load`` says why it
    cannot be read.

    Raises:
        ConfigError: none was named and none is in a usual place.
    """
    if named := explicit or environ.get(_VARIABLE):
        return Path(named)
    for path in _USUAL:
        if _is_there(path):
            return path
    tried = " and ".join(map(str, _USUAL))
    how = f"name one with --config or ${_VARIABLE}; modemproxy init prints one to start from"
    raise ConfigError([f"no configuration: tried {tried} ({how})"])


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except PermissionError:
        return True  # it may be; load says what is not permitted
    except OSError:
        return False
    return True


def load(path: Path) -> Config:
    """Read a configuration.

    Raises:
        ConfigError: with every mistake in it.
    """
    report = Report(str(path))
    block = _read(path, report)
    if block is not None:
        apply(block, path.parent, report)
    if block is None or report:
        raise ConfigError(report.problems)
    return Config(path=path, **build(block))


def _read(path: Path, report: Report) -> Block | None:
    text = _read_text(path, report)
    root = None if text is None else parse(text, report)
    return None if root is None else read(root, Config, report)


def _read_text(path: Path, report: Report) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_MAX + 1)
    except OSError as exc:
        report.add(None, "", f"cannot be read: {exc.strerror or exc}")
        return None
    except ValueError:
        report.add(None, "", "not a file name (it holds a NUL character)")
        return None
    if len(content) > _FILE_MAX:
        report.add(None, "", f"too large for a configuration (at most {_FILE_MAX} bytes)")
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        report.add(line, "", "not UTF-8 text (save the file as UTF-8)")
        return None

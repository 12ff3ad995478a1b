"""The configuration: a YAML file becomes frozen dataclasses, or a list of all its mistakes.

    find()      which file
    load()      read it: YAML nodes (config/nodes.py), values by key (config/reader.py), rules
                between keys (config/rules.py), dataclasses (config/model.py)
    describe()  what it would serve, in words

Every mistake is one line: ``FILE:LINE: key.path: what is wrong (what would be right)``.
The names here are what the rest of the program uses; the ``config_*`` files are inside.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from modemproxy.config.checks import (
    Endpoint,
    IPNetwork,
    Wrong,
    check_at_string,
    check_host,
    parse_target,
)
from modemproxy.config.model import (
    Config,
    Forward,
    LogConfig,
    ModemConfig,
    Timeouts,
    TrafficClass,
)
from modemproxy.config.nodes import Report, parse
from modemproxy.config.reader import Block, build, read
from modemproxy.config.rules import apply
from modemproxy.errors import ConfigError

__all__ = [
    "Config",
    "Endpoint",
    "Forward",
    "IPNetwork",
    "LogConfig",
    "ModemConfig",
    "Timeouts",
    "TrafficClass",
    "Wrong",
    "check_at_string",
    "check_host",
    "describe",
    "find",
    "load",
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


def describe(config: Config) -> list[str]:
    """Say in lines for people what would be served, and what deserves a second look."""
    return [*_module_lines(config), *map(_forward_line, config.forwards), *_warnings(config)]


def _module_lines(config: Config) -> Iterator[str]:
    modem = config.modem
    flow = "RTS/CTS" if modem.flow_control == "rtscts" else "no flow control"
    yield f"module   {modem.port} at {modem.baudrate} baud, {flow}"
    apn = f"APN {modem.apn}" if modem.apn else "the module's own APN"
    login = "" if modem.auth == "none" else f", {modem.auth} login as {modem.username}"
    pin = ", with PIN" if modem.pin else ""
    yield f"network  {apn} ({modem.ip_type}){login}{pin}"
    if modem.dns:
        yield f"dns      {', '.join(modem.dns)}"


def _forward_line(forward: Forward) -> str:
    parts = [f"{forward.protocol:<7}", f"{forward.listen} -> {forward.connect}"]
    parts += [f"name {forward.name}", f"class {forward.traffic_class}", _allowed(forward)]
    if forward.max_clients:
        parts.append(f"at most {forward.max_clients} clients")
    if forward.max_per_client:
        parts.append(f"at most {forward.max_per_client} per client")
    if forward.idle_timeout_s:
        parts.append(f"reset when idle for {forward.idle_timeout_s:g} s")
    return "  ".join(parts)


def _allowed(forward: Forward) -> str:
    if not forward.allow:
        return "for this machine"
    return f"for {', '.join(map(str, forward.allow))}"


def _warnings(config: Config) -> Iterator[str]:
    for forward in config.forwards:
        if any(network.prefixlen == 0 for network in forward.allow) and _is_open(forward):
            yield (
                f"warning: {forward.name}: everyone who can reach {forward.listen} may use the "
                "mobile connection"
            )


def _is_open(forward: Forward) -> bool:
    return not (forward.listen.host.startswith("127.") or forward.listen.host == "::1")

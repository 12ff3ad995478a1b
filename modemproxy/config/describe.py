"""What a configuration would serve, in lines for people: who gets in, where to, how many."""

from collections.abc import Iterator

from modemproxy.config.checks import Endpoint, IPNetwork, exposed
from modemproxy.config.model import (
    LINKS,
    Config,
    Dns,
    Forward,
    Metrics,
    Proxy,
    Server,
    Usage,
)

_Entrance = Forward | Server | Proxy


def describe(config: Config) -> list[str]:
    """Say in lines for people what would be served, and what deserves a second look."""
    return [*_module_lines(config), *_service_lines(config), *_warnings(config)]


def _module_lines(config: Config) -> Iterator[str]:
    modem = config.modem
    flow = "RTS/CTS" if modem.flow_control == "rtscts" else "no flow control"
    yield f"module   {modem.port} at {modem.baudrate} baud, {flow}"
    apn = f"APN {modem.apn}" if modem.apn else "the module's own APN"
    login = "" if modem.auth == "none" else f", {modem.auth} login as {modem.username}"
    pin = ", with PIN" if modem.pin else ""
    yield f"network  {apn} ({modem.ip_type}){login}{pin}"
    if modem.dns:
        yield f"resolver {', '.join(modem.dns)}"


def _service_lines(config: Config) -> Iterator[str]:
    yield from map(_forward_line, config.forwards)
    yield from map(_server_line, config.servers)
    yield from map(_proxy_line, config.proxies)
    if config.dns:
        yield _dns_line(config.dns)
    if config.admin.socket:
        yield f"admin    {config.admin.socket}"
    if config.metrics:
        yield _metrics_line(config.metrics)
    if any(entrance.cap for entrance in (config.usage, *_entrances(config))):
        yield _usage_line(config.usage)
    kept = [entrance for entrance in _entrances(config) if entrance.reserve]
    if kept:
        shares = ", ".join(f"{entrance.reserve} for {entrance.name}" for entrance in kept)
        yield f"links    {LINKS}, of which are kept: {shares}"


def _entrances(config: Config) -> tuple[_Entrance, ...]:
    return (*config.forwards, *config.servers, *config.proxies)


def _forward_line(forward: Forward) -> str:
    way = f"{forward.listen} -> {forward.connect}"
    return _line(forward.protocol, way, forward, _allowed(forward.listen, forward.allow))


def _server_line(server: Server) -> str:
    way = f"port {server.port} of the module -> {server.connect}"
    line = _line("server", way, server, f"for {_list(server.allow)}")
    header = server.proxy_protocol
    return line if header == "none" else f"{line}  PROXY header {header}"


def _proxy_line(proxy: Proxy) -> str:
    where = ", ".join(map(str, proxy.allow_destinations)) or "any destination"
    way = f"{proxy.listen} -> {where}"
    line = _line(proxy.protocol, way, proxy, _allowed(proxy.listen, proxy.allow))
    return f"{line}  {_logins(proxy)}"


def _logins(proxy: Proxy) -> str:
    if not proxy.users:
        return "without login"
    return f"with login ({_count(len(proxy.users), 'user')})"


def _dns_line(dns: Dns) -> str:
    other = f"other types from {dns.server}" if dns.server else "other types answered NOTIMP"
    allowed = _allowed(dns.listen, dns.allow)
    return f"dns      {dns.listen} -> the module's resolver  {other}  {allowed}"


def _usage_line(usage: Usage) -> str:
    most = f"at most {usage.cap} bytes in all, " if usage.cap else ""
    return f"usage    {most}by {usage.period}; at a cap: {usage.action}"


def _metrics_line(metrics: Metrics) -> str:
    allowed = _allowed(metrics.listen, metrics.allow)
    return f"metrics  http://{metrics.listen}/  status page, /metrics, /healthz  {allowed}"


def _line(kind: str, way: str, entrance: _Entrance, allowed: str) -> str:
    """Write what forwards, servers and proxies have in common."""
    parts = [f"{kind:<7}", way]
    parts += [f"name {entrance.name}", f"class {entrance.traffic_class}", allowed]
    if entrance.max_clients:
        parts.append(f"at most {_count(entrance.max_clients, 'client')}")
    if entrance.max_per_client:
        parts.append(f"at most {entrance.max_per_client} per client")
    if entrance.rate:
        parts.append(f"at most {entrance.rate} bytes/s")
    if entrance.cap:
        parts.append(f"at most {entrance.cap} bytes in its period")
    if entrance.idle_timeout_s:
        parts.append(f"{_idle(entrance)} when idle for {entrance.idle_timeout_s:g} s")
    return "  ".join(parts)


def _idle(entrance: _Entrance) -> str:
    udp = isinstance(entrance, Forward) and entrance.protocol == "udp"
    return "link given back" if udp else "ended"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _allowed(listen: Endpoint, allow: tuple[IPNetwork, ...]) -> str:
    if allow:
        return f"for {_list(allow)}"
    return "for other machines" if exposed(listen) else "for this machine"


def _list(networks: tuple[IPNetwork, ...]) -> str:
    return ", ".join(map(str, networks))


def _warnings(config: Config) -> Iterator[str]:
    listening: tuple[Forward | Proxy, ...] = (*config.forwards, *config.proxies)
    for entrance in listening:
        if exposed(entrance.listen):
            yield _exposed(entrance.name, entrance.listen, entrance.allow)
            if isinstance(entrance, Proxy):
                yield from _open_proxy(entrance)
    if config.dns and exposed(config.dns.listen):
        yield _exposed("dns", config.dns.listen, config.dns.allow)
    if config.metrics and exposed(config.metrics.listen):
        yield _watched(config.metrics)
    for server in config.servers:
        if _has_everyone(server.allow):
            what = f"everyone who can reach the module may connect to {server.connect}"
            yield f"WARNING: {server.name}: {what}"
    yield from _starving(config)
    yield from _merging(config)


def _exposed(name: str, listen: Endpoint, allow: tuple[IPNetwork, ...]) -> str:
    if _has_everyone(allow):
        who = "everyone who can reach it may use the mobile connection"
    else:
        who = f"other machines ({_list(allow)}) may use the mobile connection"
    return f"WARNING: {name}: exposed on {listen}: {who}"


def _watched(metrics: Metrics) -> str:
    everyone = _has_everyone(metrics.allow)
    who = "everyone who can reach it" if everyone else f"others ({_list(metrics.allow)})"
    what = f"{who} may see who is connected where, without login"
    return f"WARNING: metrics: exposed on {metrics.listen}: {what}"


def _has_everyone(allow: tuple[IPNetwork, ...]) -> bool:
    return any(network.prefixlen == 0 for network in allow)


def _open_proxy(proxy: Proxy) -> Iterator[str]:
    if not proxy.users:
        to = "the destinations allowed" if proxy.allow_destinations else "any destination"
        right = "set users or users_file"
        yield f"WARNING: {proxy.name}: they need no login to reach {to} ({right})"
    else:
        what = "passwords cross the network in the clear"
        yield f"WARNING: {proxy.name}: {what} (neither SOCKS5 nor HTTP hides them)"


def _starving(config: Config) -> Iterator[str]:
    """With every link kept for somebody, the others never get one."""
    if sum(entrance.reserve for entrance in _entrances(config)) < LINKS:
        return
    without = [entrance.name for entrance in _entrances(config) if not entrance.reserve]
    without += ["dns"] if config.dns and config.dns.server else []
    for name in [*without, "modemproxy connect"]:
        yield f"WARNING: {name}: all {LINKS} links are kept for others, it will not get one"


def _merging(config: Config) -> Iterator[str]:
    names = [forward.name for forward in config.forwards if forward.protocol == "udp"]
    names += [proxy.name for proxy in config.proxies if proxy.protocol == "socks5"]
    if names:
        yield (
            f"udp: boundaries of datagrams are kept only on firmware with package mode; on "
            f"other firmware datagrams that come close together may arrive as one "
            f"({', '.join(names)}); the log of modemproxy run warns of it"
        )

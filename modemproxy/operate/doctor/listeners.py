"""The step about this host's side: can the ports of the configuration be had."""

from collections.abc import Iterator

import trio

from modemproxy.config import Config, Endpoint
from modemproxy.errors import ConfigError
from modemproxy.operate.doctor.case import Case
from modemproxy.operate.doctor.finding import Finding, failed, ok, skipped
from modemproxy.operate.doctor.holders import holder_of_port
from modemproxy.operate.doctor.machine import user_name
from modemproxy.surfaces.listening import bind_tcp
from modemproxy.surfaces.udp_socket import bind_udp

_PRIVILEGED = 1024


async def try_ports(case: Case) -> Finding:
    """Bind every port that clients come in by, and let go of it again."""
    await trio.lowlevel.checkpoint()
    if case.proxy_runs:
        return skipped("the running proxy has them")
    wanted = list(_wanted(case.config))
    if not wanted:
        return ok("the configuration listens on none")
    problems: list[str] = []
    advice = ""
    for name, protocol, where in wanted:
        try:
            _bind(name, protocol, where)
        except ConfigError as error:
            problems += error.problems
            advice = advice or _advice(case, protocol, where, str(error))
    if problems:
        return failed("; ".join(problems), advice)
    return ok("free: " + ", ".join(f"{where}" for _, _, where in wanted))


def _wanted(config: Config) -> Iterator[tuple[str, str, Endpoint]]:
    for forward in config.forwards:
        yield forward.name, forward.protocol, forward.listen
    for proxy in config.proxies:
        yield proxy.name, "tcp", proxy.listen
    if config.dns is not None:
        yield "dns", "udp", config.dns.listen
        yield "dns", "tcp", config.dns.listen
    if config.metrics is not None:
        yield "metrics", "tcp", config.metrics.listen


def _bind(name: str, protocol: str, where: Endpoint) -> None:
    """Raise ConfigError where it cannot be bound."""
    if protocol == "udp":
        bind_udp(name, where).close()
    else:
        bind_tcp(name, where).socket.close()


def _advice(case: Case, protocol: str, where: Endpoint, problem: str) -> str:
    if "Permission denied" in problem and where.port < _PRIVILEGED:
        return (
            f"ports below {_PRIVILEGED} are not for {user_name()}: take a higher one, or "
            "give the service AmbientCapabilities=CAP_NET_BIND_SERVICE"
        )
    if "in use" in problem:
        holder = holder_of_port(protocol, where.port, case.machine.proc)
        if holder is not None:
            return f"{holder} has port {where.port}: stop it, or listen on another port"
        flag = "u" if protocol == "udp" else "t"
        return f"see who has it: sudo ss -l{flag}np 'sport = :{where.port}'"
    if "Cannot assign" in problem:
        return "that address is none of this host's (ip addr): set listen to one that is"
    return "set listen to an address and port of this host that are free"

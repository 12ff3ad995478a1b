"""What the configuration says about the module's links: for whom, and where it listens."""

from modemproxy.config import Config, Forward, Proxy, Server
from modemproxy.module.servers import ServerPort
from modemproxy.module.session import WEIGHTS


def reserve_of(config: Config) -> dict[str, int]:
    """How many links are kept for whom, by name; far clients count as their server's."""
    entrances: list[Forward | Server | Proxy] = [
        *config.forwards,
        *config.servers,
        *config.proxies,
    ]
    return {entrance.name: entrance.reserve for entrance in entrances if entrance.reserve}


def servers_of(config: Config) -> tuple[ServerPort, ...]:
    """The servers the module is to have; their order makes their index."""
    return tuple(
        ServerPort(index, server.port, server.name, WEIGHTS[server.traffic_class])
        for index, server in enumerate(config.servers)
    )

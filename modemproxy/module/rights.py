"""What the configuration says about the module: its links, its servers, a session's keys."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Final

from modemproxy.at.tcpip import SERVERS
from modemproxy.config import Config, Forward, ModemConfig, Proxy, Server
from modemproxy.module.servers import ServerPort
from modemproxy.module.session import WEIGHTS, Session

#: Keys of ``modem`` that matter only when they are next used; the files are read already.
LIVE_KEYS: Final = (
    "pin",
    "pin_file",
    "pin_env",
    "password_file",
    "password_env",
    "power_command",
)


def reserve_of(config: Config) -> dict[str, int]:
    """How many links are kept for whom, by name; far clients count as their server's."""
    entrances: list[Forward | Server | Proxy] = [
        *config.forwards,
        *config.servers,
        *config.proxies,
    ]
    return {entrance.name: entrance.reserve for entrance in entrances if entrance.reserve}


def servers_of(config: Config, before: Iterable[ServerPort] = ()) -> tuple[ServerPort, ...]:
    """The servers the module is to have.

    Args:
        config: the configuration.
        before: those that it has: one whose port stays keeps its index, and another takes
            one that was not used, if there is any, so that it need not wait until the far
            clients of the old one are gone.
    """
    used = {server.port: server.index for server in before}
    kept = {used[server.port] for server in config.servers if server.port in used}
    spare = sorted(set(range(SERVERS)) - kept, key=lambda index: index in used.values())
    places = iter(spare)
    return tuple(
        ServerPort(
            used[server.port] if server.port in used else next(places),
            server.port,
            server.name,
            WEIGHTS[server.traffic_class],
        )
        for server in config.servers
    )


def restart_keys(old: ModemConfig, new: ModemConfig, *, in_service: bool) -> list[str]:
    """Which keys of ``modem`` differ that only a new session can follow.

    Args:
        old, new: what was said, and what is.
        in_service: there is a session; without one another PIN may be what is waited for.
    """
    names = [field.name for field in fields(ModemConfig)]
    differ = [name for name in names if getattr(old, name) != getattr(new, name)]
    return [name for name in differ if name not in LIVE_KEYS or not in_service]


def with_live_keys(used: ModemConfig, new: ModemConfig) -> ModemConfig:
    """Put the keys that any session can follow into what one uses."""
    return replace(
        used,
        pin=new.pin,
        pin_file=new.pin_file,
        pin_env=new.pin_env,
        password_file=new.password_file,
        password_env=new.password_env,
        power_command=new.power_command,
    )


def apply(session: Session, config: Config, servers: Sequence[ServerPort]) -> None:
    """Have a session go on by what another configuration says of links and servers."""
    session.pool.change(
        stall_s=config.timeouts.stall_s, reserve=reserve_of(config), servers=servers
    )
    session.servers.change(servers)

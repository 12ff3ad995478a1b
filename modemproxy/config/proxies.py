"""The keys of what lets clients choose: SOCKS5 and HTTP proxies, and the DNS listener."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from modemproxy.config import kinds, kinds_net, shared
from modemproxy.config.checks import Endpoint, IPNetwork
from modemproxy.config.destinations import Destination
from modemproxy.config.keys import key
from modemproxy.config.shared import OnFin, TrafficClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A port of this host whose clients say where they want to go, by SOCKS5 or HTTP.

    ``users`` holds pairs of name and password; nobody has to log in where it is empty.
    ``allow_destinations`` is empty where every destination is allowed.
    """

    protocol: Literal["socks5", "http"] = field(
        metadata=key(
            kinds.choice("socks5", "http"), "What clients speak: socks5, or http with CONNECT."
        )
    )
    listen: Endpoint = field(metadata=shared.LISTEN)
    name: str = field(
        metadata=key(
            kinds.name(),
            "A name for logs and status, used once.",
            derived="protocol-port",
            example="socks",
        )
    )
    users: tuple[tuple[str, str], ...] = field(
        default=(),
        repr=False,
        metadata=key(
            kinds.Pairs(
                "names and passwords",
                kinds.user_name(),
                kinds.user_password(),
                example="alice: secret",
            ),
            "Who may use it, as {name: password}; leave it out and nobody has to log in.",
            example="{alice: secret}",
        ),
    )
    users_file: Path | None = field(
        default=None,
        metadata=key(
            kinds.file_name(),
            "Instead of users: a file of lines name:password, named relative to this one.",
            example="proxy-users",
        ),
    )
    users_env: str | None = field(
        default=None,
        metadata=key(
            kinds.variable(),
            "Instead of users: an environment variable that holds such lines.",
            example="PROXY_USERS",
        ),
    )
    allow_destinations: tuple[Destination, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds_net.destination()),
            "Where clients may go, as host:port; leave it out for everywhere. The host is a "
            "name, *.name for all names below it, an address, a network or *; the port is a "
            "number, a range like 8000-8099 or *. Networks match only addresses that the "
            "client itself names.",
            example='["*.example.com:443", "203.0.113.0/24:*"]',
        ),
    )
    traffic_class: TrafficClass = field(default="normal", metadata=shared.TRAFFIC_CLASS)
    idle_timeout_s: float = field(default=0.0, metadata=shared.IDLE_TIMEOUT)
    allow: tuple[IPNetwork, ...] = field(default=(), metadata=shared.ALLOW)
    max_clients: int = field(default=0, metadata=shared.MAX_CLIENTS)
    max_per_client: int = field(default=0, metadata=shared.MAX_PER_CLIENT)
    rate: int = field(default=0, metadata=shared.RATE)
    cap: int = field(default=0, metadata=shared.CAP)
    reserve: int = field(default=0, metadata=shared.RESERVE)
    on_client_fin: OnFin = field(default="linger", metadata=shared.ON_CLIENT_FIN)
    half_close_s: float = field(
        default=30.0,
        metadata=key(
            kinds.seconds(above=True),
            "As timeouts.half_close_s, for this proxy only.",
            derived="timeouts.half_close_s",
            example="30",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """A DNS server on this host, over UDP and TCP, that answers with the module's resolver."""

    listen: Endpoint = field(
        metadata=key(
            kinds_net.listen(),
            "Where clients ask on this host, by UDP and TCP: address:port or [address]:port.",
        )
    )
    allow: tuple[IPNetwork, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds_net.network()),
            "Networks that may ask. Needed where listen is reachable from other machines; "
            "0.0.0.0/0 means everyone.",
            example="[127.0.0.0/8]",
        ),
    )
    server: Endpoint | None = field(
        default=None,
        metadata=key(
            kinds_net.name_server(),
            "The name server, behind the module, that gets the questions the module cannot "
            "answer (other types than A and AAAA): address or address:port. Without one they "
            "are answered with NOTIMP.",
            derived="the first of modem.dns",
            example="9.9.9.9",
        ),
    )

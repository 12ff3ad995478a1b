"""The keys of forwards (this host to a remote endpoint) and servers (the module to a host)."""

from dataclasses import dataclass, field
from typing import Literal

from modemproxy.config import kinds, kinds_net, shared
from modemproxy.config.checks import Endpoint, IPNetwork
from modemproxy.config.keys import key
from modemproxy.config.shared import OnFin, TrafficClass

# Keys of a forward that are about the ends of connections: UDP has none.
TCP_ONLY = ("on_client_fin", "half_close_s")
# Nothing says when a UDP client has gone, so its link is given back after a silence.
UDP_IDLE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A port of this host that leads to one remote endpoint, through the module."""

    listen: Endpoint = field(metadata=shared.LISTEN)
    connect: Endpoint = field(
        metadata=key(
            kinds_net.target(),
            "Where they are connected to, through the module: host:port. The module looks "
            "the name up.",
        )
    )
    name: str = field(
        metadata=key(
            kinds.name(),
            "A name for logs and status, used once.",
            derived="protocol-port",
            example="mqtt",
        )
    )
    protocol: Literal["tcp", "udp"] = field(
        default="tcp",
        metadata=key(
            kinds.choice("tcp", "udp"),
            "tcp or udp; with udp each client's address and port have a link of their own.",
        ),
    )
    traffic_class: TrafficClass = field(default="normal", metadata=shared.TRAFFIC_CLASS)
    idle_timeout_s: float = field(
        default=0.0,
        metadata=shared.about(
            shared.IDLE_TIMEOUT, derived="0 for tcp, 60 for udp", example="0"
        ),
    )
    allow: tuple[IPNetwork, ...] = field(default=(), metadata=shared.ALLOW)
    max_clients: int = field(default=0, metadata=shared.MAX_CLIENTS)
    max_per_client: int = field(default=0, metadata=shared.MAX_PER_CLIENT)
    rate: int = field(default=0, metadata=shared.RATE)
    cap: int = field(default=0, metadata=shared.CAP)
    reserve: int = field(default=0, metadata=shared.RESERVE)
    on_client_fin: OnFin = field(
        default="linger", metadata=shared.about(shared.ON_CLIENT_FIN, "Only for tcp.")
    )
    half_close_s: float = field(
        default=30.0,
        metadata=key(
            kinds.seconds(above=True),
            "As timeouts.half_close_s, for this forward only. Only for tcp.",
            derived="timeouts.half_close_s",
            example="30",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A TCP port of the module that leads to an endpoint this host can reach."""

    port: int = field(
        metadata=key(kinds_net.port(), "The TCP port on the module's address, 1 to 65535.")
    )
    connect: Endpoint = field(
        metadata=key(
            kinds_net.target(),
            "Where far clients are connected to, from this host: host:port. This host looks "
            "the name up.",
        )
    )
    allow: tuple[IPNetwork, ...] = field(
        metadata=key(
            kinds.Many(kinds_net.network()),
            "Networks that far clients may come from; 0.0.0.0/0 means everyone.",
        )
    )
    name: str = field(
        metadata=key(
            kinds.name(),
            "A name for logs and status, used once.",
            derived="server-port",
            example="web",
        )
    )
    max_clients: int = field(default=0, metadata=shared.MAX_CLIENTS)
    max_per_client: int = field(default=0, metadata=shared.MAX_PER_CLIENT)
    proxy_protocol: Literal["none", "v1", "v2"] = field(
        default="none",
        metadata=key(
            kinds.choice("none", "v1", "v2"),
            "Tell the backend the far client's address by a PROXY protocol header: none, v1 "
            "or v2.",
        ),
    )
    traffic_class: TrafficClass = field(default="normal", metadata=shared.TRAFFIC_CLASS)
    idle_timeout_s: float = field(default=0.0, metadata=shared.IDLE_TIMEOUT)
    rate: int = field(default=0, metadata=shared.RATE)
    cap: int = field(default=0, metadata=shared.CAP)
    reserve: int = field(default=0, metadata=shared.RESERVE)
    on_client_fin: OnFin = field(
        default="close",
        metadata=key(
            kinds.choice("linger", "close"),
            "When the backend has finished sending: close ends the connection once "
            "everything has arrived, linger first waits for what the far client still sends.",
        ),
    )
    half_close_s: float = field(
        default=30.0,
        metadata=key(
            kinds.seconds(above=True),
            "As timeouts.half_close_s, for this server only, with on_client_fin: linger.",
            derived="timeouts.half_close_s",
            example="30",
        ),
    )

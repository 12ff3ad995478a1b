"""The configuration as the program sees it, and at the same time the table of its keys.

A new key is one new field, here or in the section's own file: the reader, the schema and
the example follow.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from modemproxy.config import kinds
from modemproxy.config.entrances import Forward, Server
from modemproxy.config.keys import key
from modemproxy.config.metrics import Metrics
from modemproxy.config.modem import BAUD_RATES, ModemConfig
from modemproxy.config.proxies import Dns, Proxy
from modemproxy.config.shared import TrafficClass
from modemproxy.config.usage import Usage

__all__ = [
    "BAUD_RATES",
    "EXCLUSIVE",
    "LINKS",
    "SERVERS",
    "SERVES",
    "Admin",
    "Config",
    "Dns",
    "Forward",
    "LogConfig",
    "Metrics",
    "ModemConfig",
    "Proxy",
    "Server",
    "Timeouts",
    "TrafficClass",
    "Usage",
]

# Keys that say the same thing in two ways: either, never both.
EXCLUSIVE = (
    ("password", "password_file"),
    ("password", "password_env"),
    ("password_file", "password_env"),
    ("pin", "pin_file"),
    ("pin", "pin_env"),
    ("pin_file", "pin_env"),
    ("users", "users_file"),
    ("users", "users_env"),
    ("users_file", "users_env"),
)
# A configuration needs one of these sections.
SERVES = ("forwards", "servers", "proxies", "dns")
# What the module has: links, and ports that it can listen on.
LINKS = 10
SERVERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long things may take, in seconds."""

    connect_s: float = field(
        default=30.0,
        metadata=key(
            kinds.seconds(above=True),
            "How long a client waits for its connection, waiting for the network included.",
        ),
    )
    half_close_s: float = field(
        default=30.0,
        metadata=key(
            kinds.seconds(above=True),
            "How long the far side may be silent after a client has finished sending.",
        ),
    )
    queue_s: float = field(
        default=10.0,
        metadata=key(
            kinds.seconds(),
            "How long a client waits when all ten links of the module are in use.",
        ),
    )
    shutdown_s: float = field(
        default=10.0,
        metadata=key(
            kinds.seconds(4),
            "How long stopping may take; connections get all of it but the last 3 seconds.",
        ),
    )
    stall_s: float = field(
        default=300.0,
        metadata=key(
            kinds.seconds(above=True),
            "How long a far side may take nothing before its connection is reset.",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """The socket by which other commands reach the running proxy."""

    socket: Path | None = field(
        default=None,
        metadata=key(
            kinds.file_name(),
            "The Unix socket by which modemproxy connect reaches the running proxy; named "
            "relative to this file.",
            derived="admin.sock in the service's or the user's runtime folder",
            example="/run/modemproxy/admin.sock",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = field(
        default="info",
        metadata=key(
            kinds.choice("debug", "info", "warning", "error"),
            "debug, info, warning or error; debug also writes the dialogue with the module.",
        ),
    )
    format: Literal["text", "json"] = field(
        default="text",
        metadata=key(kinds.choice("text", "json"), "text for people, json for machines."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole configuration that has passed every check."""

    modem: ModemConfig = field(
        metadata=key(kinds.Section(ModemConfig), "The module and the line to it.")
    )
    timeouts: Timeouts = field(
        default_factory=Timeouts,
        metadata=key(kinds.Section(Timeouts), "How long things may take, in seconds."),
    )
    forwards: tuple[Forward, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds.Section(Forward)),
            "Ports of this host, each leading to one remote endpoint through the module.",
        ),
    )
    servers: tuple[Server, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds.Section(Server), most=SERVERS),
            "TCP ports of the module, each leading to an endpoint that this host can reach; "
            "at most four.",
        ),
    )
    proxies: tuple[Proxy, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds.Section(Proxy)),
            "Ports of this host whose clients choose their destination themselves.",
        ),
    )
    dns: Dns | None = field(
        default=None,
        metadata=key(
            kinds.Section(Dns),
            "A DNS server on this host that answers with the module's resolver.",
        ),
    )
    admin: Admin = field(
        default_factory=Admin,
        metadata=key(kinds.Section(Admin), "How other commands reach the running proxy."),
    )
    metrics: Metrics | None = field(
        default=None,
        metadata=key(
            kinds.Section(Metrics),
            "An HTTP server on this host with a status page, figures for Prometheus and "
            "checks of health; it only shows, and asks for no login.",
        ),
    )
    usage: Usage = field(
        default_factory=Usage,
        metadata=key(kinds.Section(Usage), "How much of the SIM's volume may be used."),
    )
    log: LogConfig = field(
        default_factory=LogConfig, metadata=key(kinds.Section(LogConfig), "The log.")
    )
    path: Path  # the file it was read from

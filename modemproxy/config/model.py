"""The configuration as the program sees it, and at the same time the table of its keys.

A new key is one new field here (and its name taken out of LATER in config/keys.py, if it
stood there): the reader, the schema and the example follow.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from modemproxy.config import kinds
from modemproxy.config.checks import Endpoint, IPNetwork
from modemproxy.config.keys import key

# Keys of the modem that say the same thing in two ways: either, never both.
EXCLUSIVE = (("password", "password_file"), ("pin", "pin_file"))

# What AT+IPR of the module takes; 1842000 is no misprint of ours.
_SLOW = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600)
BAUD_RATES = (*_SLOW, 115200, 230400, 460800, 921600, 1842000, 3686400)

TrafficClass = Literal["interactive", "normal", "bulk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemConfig:
    """The module, the line to it and the mobile network's side."""

    port: str = field(
        metadata=key(
            kinds.text(),
            "The serial port of the module. Names under /dev/serial/by-id/ stay the same "
            "when the module is plugged in again.",
            example="/dev/serial/by-id/usb-SimTech-if01",
        )
    )
    baudrate: int = field(
        default=115200,
        metadata=key(
            kinds.number_of(*BAUD_RATES),
            "Line speed. The module is found at other speeds and moved to this one.",
        ),
    )
    flow_control: Literal["none", "rtscts"] = field(
        default="none",
        metadata=key(
            kinds.choice("none", "rtscts"),
            "none, or rtscts where the RTS and CTS lines are connected.",
        ),
    )
    apn: str | None = field(
        default=None,
        metadata=key(
            kinds.at_string("the APN", most=100),
            "Access point name of the network operator. Leave it out to use the one that "
            "the module already has.",
            example="internet",
        ),
    )
    ip_type: Literal["IP", "IPV6", "IPV4V6"] = field(
        default="IP",
        metadata=key(
            kinds.choice("IP", "IPV6", "IPV4V6"),
            "Kind of addresses to ask the network for: IP (IPv4 only), IPV6 or IPV4V6.",
        ),
    )
    auth: Literal["none", "pap", "chap"] = field(
        default="none",
        metadata=key(
            kinds.choice("none", "pap", "chap"),
            "How to log in to the APN: none, pap or chap. The last two need a user name and "
            "a password.",
        ),
    )
    username: str | None = field(
        default=None,
        metadata=key(
            kinds.at_string("the user name", most=127), "User name for auth.", example="alice"
        ),
    )
    password: str | None = field(
        default=None,
        repr=False,
        metadata=key(
            kinds.at_string("the password", most=127, secret=True),
            "Password for auth.",
            example='"secret"',
        ),
    )
    password_file: Path | None = field(
        default=None,
        metadata=key(
            kinds.file_name(),
            "Instead of password: a file that holds it, named relative to this one.",
            example="apn-password",
        ),
    )
    pin: str | None = field(
        default=None,
        repr=False,
        metadata=key(
            kinds.pin(),
            "PIN of the SIM card. One that was refused is never sent again.",
            example='"1234"',
        ),
    )
    pin_file: Path | None = field(
        default=None,
        metadata=key(
            kinds.file_name(),
            "Instead of pin: a file that holds it, named relative to this one.",
            example="sim-pin",
        ),
    )
    dns: tuple[str, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds.address(), most=2),
            "One or two name servers for the module. Leave it out to use the network's.",
            example="[9.9.9.9]",
        ),
    )
    power_command: tuple[str, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds.text()),
            "A program and its arguments that cuts the module's power and gives it back; run "
            "without a shell, as the last step of recovery.",
            example="[/usr/local/bin/cycle-modem]",
        ),
    )


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
class Forward:
    """A port of this host that leads to one remote endpoint, through the module."""

    listen: Endpoint = field(
        metadata=key(
            kinds.listen(),
            "Where clients connect on this host: address:port or [address]:port. Port 0 is "
            "any free one.",
        )
    )
    connect: Endpoint = field(
        metadata=key(
            kinds.target(),
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
    protocol: Literal["tcp"] = field(
        default="tcp", metadata=key(kinds.choice("tcp"), "Only tcp at present.")
    )
    traffic_class: TrafficClass = field(
        default="normal",
        metadata=key(
            kinds.choice("interactive", "normal", "bulk"),
            "Share of the line when it is full: interactive comes first, bulk last.",
            name="class",
        ),
    )
    idle_timeout_s: float = field(
        default=0.0,
        metadata=key(
            kinds.seconds(most=31_536_000),
            "End a connection on which nothing moved for so many seconds; 0 means never.",
        ),
    )
    allow: tuple[IPNetwork, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds.network()),
            "Networks that may connect. Needed where listen is reachable from other "
            "machines; 0.0.0.0/0 means everyone.",
            example="[127.0.0.0/8]",
        ),
    )
    max_clients: int = field(
        default=0, metadata=key(kinds.count(), "Most connections at a time; 0 means no limit.")
    )
    max_per_client: int = field(
        default=0,
        metadata=key(
            kinds.count(), "Most connections at a time from one address; 0 means no limit."
        ),
    )
    on_client_fin: Literal["linger", "close"] = field(
        default="linger",
        metadata=key(
            kinds.choice("linger", "close"),
            "When a client has finished sending: linger waits for the far side's answer, "
            "close ends the connection.",
        ),
    )
    half_close_s: float = field(
        default=30.0,
        metadata=key(
            kinds.seconds(above=True),
            "As timeouts.half_close_s, for this forward only.",
            derived="timeouts.half_close_s",
            example="30",
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
        metadata=key(
            kinds.Many(kinds.Section(Forward)),
            "Ports of this host, each leading to one remote endpoint through the module.",
        )
    )
    log: LogConfig = field(
        default_factory=LogConfig, metadata=key(kinds.Section(LogConfig), "The log.")
    )
    path: Path  # the file it was read from

"""The keys of the modem section: the module, the line to it and the mobile network's side."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from modemproxy.config import kinds, kinds_net
from modemproxy.config.keys import key

# What AT+IPR of the module takes; 1842000 is no misprint of ours.
_SLOW = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600)
BAUD_RATES = (*_SLOW, 115200, 230400, 460800, 921600, 1842000, 3686400)


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
    password_env: str | None = field(
        default=None,
        metadata=key(
            kinds.variable(),
            "Instead of password: an environment variable that holds it.",
            example="APN_PASSWORD",
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
    pin_env: str | None = field(
        default=None,
        metadata=key(
            kinds.variable(),
            "Instead of pin: an environment variable that holds it.",
            example="SIM_PIN",
        ),
    )
    dns: tuple[str, ...] = field(
        default=(),
        metadata=key(
            kinds.Many(kinds_net.address(), most=2),
            "One or two name servers for the module. Leave it out to use the network's.",
            example="[9.9.9.9]",
        ),
    )
    keepalive_min: int = field(
        default=2,
        metadata=key(
            kinds.count(120),
            "After how many idle minutes the module asks a far side whether it is still "
            "there, which also keeps a NAT on the way from forgetting the connection. It "
            "costs about 100 bytes each time; 0: never.",
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

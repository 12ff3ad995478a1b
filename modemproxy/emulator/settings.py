"""Numeric settings: one table for all commands that only store numbers.

``AT+X?`` says them, ``AT+X=?`` their ranges, ``AT+X=a,b`` sets the leading ones. They are
NO_SAVE unless said otherwise: a reboot makes a new ``Settings``.
"""

from dataclasses import dataclass
from typing import Final

from modemproxy.emulator.profile import Profile

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Spec:
    """Ranges and defaults of one command's numbers."""

    ranges: tuple[Range, ...]
    default: tuple[int, ...]
    needed: int = 1

    def accepts(self, values: list[int | None]) -> bool:
        """Say whether these (None: left out) may be set."""
        if not self.needed <= len(values) <= len(self.ranges):
            return False
        if all(value is None for value in values):
            return False
        pairs = zip(values, self.ranges, strict=False)
        return all(value is None or low <= value <= high for value, (low, high) in pairs)


def _one(low: int, high: int, default: int) -> Spec:
    return Spec(((low, high),), (default,))


_FLAG: Final = _one(0, 1, 0)
_TIME: Final[Range] = (3000, 120000)

SPECS: Final[dict[str, Spec]] = {
    # V.250 and 27.007 (manual chapters 2-5)
    "+CMEE": _one(0, 2, 2),
    "+CREG": _one(0, 2, 0),
    "+CGREG": _one(0, 2, 0),
    "+CEREG": _one(0, 2, 0),
    "+CSCLK": _one(0, 2, 0),
    "+CATR": _one(0, 7, 0),
    "+CGEREP": Spec(((0, 2), (0, 1)), (0, 0)),
    "+CTZR": _FLAG,
    "+CTZU": _FLAG,
    "+CURCD": _one(0, 10000, 0),
    "+CFGRI": _FLAG,
    "+IFC": Spec(((0, 2), (0, 2)), (0, 0)),
    # TCP/IP (manual chapter 15)
    "+CIPHEAD": _one(0, 1, 1),
    "+CIPSRIP": _one(0, 1, 1),
    "+CIPMODE": _FLAG,
    "+CIPSENDMODE": _FLAG,
    "+CIPTIMEOUT": Spec((_TIME, _TIME, _TIME), (120000, 120000, 120000)),
    "+CIPCCFG": Spec(
        ((0, 10), (0, 1000), (0, 0), (0, 1), (0, 1), (0, 1), (500, 120000), (0, 1)),
        (10, 0, 0, 1, 0, 0, 500, 0),
    ),
    "+CSOCKSETPN": Spec(((1, 1), (1, 6)), (1, 1)),
    "+CTCPKA": Spec(((0, 1), (1, 120), (1, 10), (1, 100)), (0, 120, 9, 1)),
}


class Settings:
    """What the DTE has set since the last boot.

    Attributes:
        values: the numbers of every command in ``SPECS``.
        echo: ATE of the first port.
        rxget: CIPRXGET mode 0 or 1.
        rx_ip: CIPRXGET=5 was given: reports carry the sender.
        data_echo: CIPCFG "DATAECHO".
        csoc: the options of CSOC.
        dns: CDNSCFG.
    """

    def __init__(self, profile: Profile) -> None:
        self.values = {name: list(spec.default) for name, spec in SPECS.items()}
        self.values["+CMEE"] = [profile.cmee]
        self.values["+CATR"] = [profile.catr]
        self.values["+CSCLK"] = [profile.csclk]
        self.values["+CIPCCFG"][3] = profile.err_mode
        self.echo = profile.boot_echo
        self.rxget = 0
        self.rx_ip = False
        self.data_echo = True
        self.transwait_ms = 100
        self.csoc: dict[str, str] = {
            "Tcp srxt": "6",
            "Tcp rxt": "12",
            "Mss": "1500",
            "RecvWin": "64240",
            "DnsTmr": "5,2",
        }
        self.dns = ["8.8.8.8", "8.8.4.4"]

    def one(self, name: str) -> int:
        """Return the first number of a command."""
        return self.values[name][0]

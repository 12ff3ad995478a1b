"""SIM, registration and PDP context as commands (3GPP TS 27.007)."""

from dataclasses import dataclass
from typing import ClassVar

from modemproxy.at.commands import Command, Setting, parse_int, quoted
from modemproxy.at.urcs import split_fields, split_tag
from modemproxy.errors import RemoteProtocolError


@dataclass(frozen=True, slots=True)
class QuerySim(Command[str]):
    """``+CPIN?``: ``READY``, ``SIM PIN``, ``SIM PUK`` ..."""

    answers: ClassVar[bytes] = b"+CPIN"

    @property
    def text(self) -> str:
        """The query."""
        return "+CPIN?"

    def parse(self, info: list[bytes]) -> str:
        """The state in the manual's words."""
        return self._fields(info)[0].decode("ascii", "replace")


@dataclass(frozen=True, slots=True)
class EnterPin(Setting):
    """``+CPIN=``: unlock the SIM. Never sent twice after a refusal (three end in PUK)."""

    pin: str

    @property
    def text(self) -> str:
        """The assignment, with the PIN."""
        return f"+CPIN={quoted(self.pin)}"

    @property
    def shown(self) -> str:
        """The assignment, masked."""
        return "AT+CPIN=" + "*" * (len(self.pin) + 2)


@dataclass(frozen=True, slots=True)
class QueryFunction(Command[int]):
    """``+CFUN?``: 1 is full functionality."""

    answers: ClassVar[bytes] = b"+CFUN"

    @property
    def text(self) -> str:
        """The query."""
        return "+CFUN?"

    def parse(self, info: list[bytes]) -> int:
        """The level."""
        return parse_int(self._fields(info)[0], "CFUN")


@dataclass(frozen=True, slots=True)
class Signal:
    """Reception, as ``+CSQ`` has it (3GPP TS 27.007, 8.5).

    Attributes:
        rssi: 0 to 31; 99 is not known.
        ber: channel bit error rate, 0 to 7; 99 is not known.
    """

    rssi: int
    ber: int

    @property
    def dbm(self) -> int | None:
        """The received power, -113 (or less) to -51 (or more) dBm; None when not known."""
        return 2 * self.rssi - 113 if 0 <= self.rssi <= 31 else None


@dataclass(frozen=True, slots=True)
class QuerySignal(Command[Signal]):
    """``+CSQ``: how well the module hears its cell."""

    answers: ClassVar[bytes] = b"+CSQ"

    @property
    def text(self) -> str:
        """The query."""
        return "+CSQ"

    def parse(self, info: list[bytes]) -> Signal:
        """Power and error rate."""
        fields = self._fields(info)
        if len(fields) < 2:
            raise RemoteProtocolError(f"{self.shown}: {len(fields)} fields where 2 are meant")
        return Signal(parse_int(fields[0], "CSQ"), parse_int(fields[1], "CSQ"))


@dataclass(frozen=True, slots=True)
class QueryRegistration(Command[int]):
    """``+CEREG?`` / ``+CGREG?`` / ``+CREG?``: ``<stat>`` of 3GPP TS 27.007."""

    domain: str

    @property
    def text(self) -> str:
        """The query."""
        return f"+{self.domain}?"

    def takes(self, line: bytes) -> bool:
        """The answer has one field more than the unsolicited form: ``<n>`` comes first."""
        tag, rest = split_tag(line)
        if tag != b"+" + self.domain.encode():
            return False
        fields = split_fields(rest)  # in the long unsolicited form <tac> stands here
        return len(fields) >= 2 and fields[1].isdigit() and len(fields[1]) <= 2

    def parse(self, info: list[bytes]) -> int:
        """``<stat>``."""
        return parse_int(self._fields(info)[1], self.domain)


@dataclass(frozen=True, slots=True)
class QueryContexts(Command[dict[int, tuple[str, str]]]):
    """``+CGDCONT?``: the PDP contexts by cid, as (type, APN)."""

    answers: ClassVar[bytes] = b"+CGDCONT"

    @property
    def text(self) -> str:
        """The query."""
        return "+CGDCONT?"

    def parse(self, info: list[bytes]) -> dict[int, tuple[str, str]]:
        """Contexts by cid."""
        contexts = {}
        for line in info:
            fields = split_fields(split_tag(line)[1])
            if len(fields) >= 3:
                cid = parse_int(fields[0], "CGDCONT")
                words = [field.decode("ascii", "replace") for field in fields[1:3]]
                contexts[cid] = words[0], words[1]
        return contexts


@dataclass(frozen=True, slots=True)
class SetContext(Setting):
    """``+CGDCONT=1,...``: the PDP context the embedded stack uses (saved by the module)."""

    ip_type: str
    apn: str

    @property
    def text(self) -> str:
        """The assignment."""
        return f"+CGDCONT=1,{quoted(self.ip_type)},{quoted(self.apn)}"


@dataclass(frozen=True, slots=True)
class SetAuth(Setting):
    """``+CGAUTH=1,...``: on this family the password stands before the user name."""

    method: int
    username: str
    password: str

    @property
    def text(self) -> str:
        """The assignment."""
        if not self.method:
            return "+CGAUTH=1,0"
        return f"+CGAUTH=1,{self.method},{quoted(self.password)},{quoted(self.username)}"

    @property
    def shown(self) -> str:
        """The assignment, password masked."""
        hidden = SetAuth(self.method, self.username, "*" * len(self.password))
        return "AT" + hidden.text


@dataclass(frozen=True, slots=True)
class SetDns(Setting):
    """``+CDNSCFG``: the module's resolvers."""

    servers: tuple[str, ...]

    @property
    def text(self) -> str:
        """The assignment."""
        return "+CDNSCFG=" + ",".join(quoted(server) for server in self.servers)


@dataclass(frozen=True, slots=True)
class QueryAddress(Command[str]):
    """``+CGPADDR=1``: the PDP address, which exists without NETOPEN; empty for none."""

    answers: ClassVar[bytes] = b"+CGPADDR"

    @property
    def text(self) -> str:
        """The query."""
        return "+CGPADDR=1"

    def parse(self, info: list[bytes]) -> str:
        """The address, or nothing for ``0.0.0.0``."""
        fields = split_fields(split_tag(info[0])[1]) if info else []
        address = fields[1].decode("ascii", "replace") if len(fields) > 1 else ""
        return "" if address == "0.0.0.0" else address

"""Commands out of their lines: what a transcript shows of a command, as a command again.

A masked secret becomes a secret of stars, a payload of n bytes becomes ``filler(n)``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from modemproxy.at.commands import Assign, Attention, Basic, Identify, Setting
from modemproxy.at.datagrams import OpenUdp, SendDatagram
from modemproxy.at.dte import AnyCommand
from modemproxy.at.identity import Probe, QueryNumbers, QueryOperator, QueryPinAttempts
from modemproxy.at.names import ResolveName
from modemproxy.at.servers import QueryOpen, QueryServers, StartServer, StopServer
from modemproxy.at.subscription import (
    EnterPin,
    QueryAddress,
    QueryContexts,
    QueryFunction,
    QueryRegistration,
    QuerySignal,
    QuerySim,
)
from modemproxy.at.tcpip import (
    CloseLink,
    CloseNet,
    OpenLink,
    OpenNet,
    QueryIp,
    QueryLinks,
    QueryNet,
    QueryReceiveMode,
)
from modemproxy.at.transfer import QueryAck, QueryUnread, ReadData, SendData
from tests.transcript import filler


@dataclass(frozen=True, slots=True)
class Verbatim(Setting):
    """A command that is not in the table: its answer is its final result code."""

    line: str

    @property
    def text(self) -> str:
        """The line behind ``AT``."""
        return self.line


def _open(link: str, host: str, port: str) -> AnyCommand:
    return OpenLink(int(link), host, int(port))


#: First fit counts. Whatever only sets something needs no class of its own here.
_FORMS: tuple[tuple[str, Callable[..., AnyCommand]], ...] = (
    (r"", Attention),
    (r"\+CIPSEND=(\d+),(\d+)", lambda link, size: SendData(int(link), filler(int(size)))),
    (
        r'\+CIPSEND=(\d+),(\d+),"([^"]*)",(\d+)',
        lambda link, size, host, port: SendDatagram(
            int(link), filler(int(size)), host, int(port)
        ),
    ),
    (r"\+CIPRXGET=2,(\d+),(\d+)", lambda link, size: ReadData(int(link), int(size))),
    (r"\+CIPRXGET=4,(\d+)", lambda link: QueryUnread(int(link))),
    (r"\+CIPRXGET\?", QueryReceiveMode),
    (r"\+CIPACK=(\d+)", lambda link: QueryAck(int(link))),
    (r'\+CIPOPEN=(\d+),"TCP","([^"]*)",(\d+)', _open),
    (r'\+CIPOPEN=(\d+),"UDP",,,(\d+)', lambda link, port: OpenUdp(int(link), int(port))),
    (r"\+CIPOPEN\?", QueryOpen),
    (
        r"\+SERVERSTART=(\d+),(\d+),(\d+)",
        lambda port, index, backlog: StartServer(int(index), int(port), int(backlog)),
    ),
    (r'\+CDNSGIP="([^"]*)"', ResolveName),
    (r"\+CIPCLOSE=(\d+)", lambda link: CloseLink(int(link))),
    (r"\+CIPCLOSE\?", QueryLinks),
    (r"\+NETOPEN\?", QueryNet),
    (r"\+NETOPEN", OpenNet),
    (r"\+NETCLOSE", CloseNet),
    (r"\+IPADDR", QueryIp),
    (r"\+SERVERSTART\?", QueryServers),
    (r"\+SERVERSTOP=(\d+)", lambda index: StopServer(int(index))),
    (r"\+CPIN\?", QuerySim),
    (r"\+CPIN=\*(\*+)\*", EnterPin),
    (r"\+CFUN\?", QueryFunction),
    (r"\+(C[GE]?REG)\?", QueryRegistration),
    (r"\+CGDCONT\?", QueryContexts),
    (r"\+CGPADDR=1", QueryAddress),
    (r"\+CSQ", QuerySignal),
    (r"\+(CGM[MR])", Identify),
    (r"\+COPS\?", QueryOperator),
    (r"\+SPIC", QueryPinAttempts),
    (r"\+(CMEE|CGATT|CIPCCFG|CATR)\?", QueryNumbers),
    (r"\+(\w+)=\?", Probe),
    (r"\+(\w+)=(.*)", Assign),
    (r"([A-Z]\d?)", Basic),
)
_TABLE = tuple((re.compile(pattern), make) for pattern, make in _FORMS)


def parse_command_line(line: str) -> AnyCommand:
    """Make a command of ``AT+...`` as ``shown`` has it."""
    text = line.removeprefix("AT")
    for pattern, make in _TABLE:
        if match := pattern.fullmatch(text):
            return make(*match.groups())
    return Verbatim(text)

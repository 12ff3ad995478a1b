"""The steps about the module's own TCP/IP stack: commands, network, address, names, UDP."""

from collections.abc import Iterator
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

import trio

from modemproxy.at.identity import Probe, QueryNumbers
from modemproxy.at.names import ResolveName
from modemproxy.at.results import Refused
from modemproxy.at.tcpip import CloseNet, QueryIp, QueryNet, QueryReceiveMode
from modemproxy.at.transfer import QueryAck
from modemproxy.at.urcs import NetClosed
from modemproxy.config import Config
from modemproxy.errors import BringUpFailed
from modemproxy.module.habits import Habits
from modemproxy.module.stack import Stack
from modemproxy.operate.doctor.case import Case
from modemproxy.operate.doctor.finding import Finding, failed, ok, warning

_CARRIER_NAT: Final = ip_network("100.64.0.0/10")
_CLOSE_S: Final = 20.0
_OPENING_S: Final = 10.0
_POLL_S: Final = 1.0
#: What is looked up where the configuration names nobody; it has been there since 1992.
USUAL_NAME: Final = "example.com"
_MOST_NAMES: Final = 4
_PACKAGE_FIELDS: Final = 8
_OTHER_FIRMWARE: Final = (
    "another firmware, or another model of the family, is needed: ask the seller for one "
    "with the TCP/IP application (A7670E-FASE and A7670SA-FASE have it; AT+SIMCOMATI "
    "shows the build)"
)


# -- socket commands ------------------------------------------------------------------------


async def look_for_sockets(case: Case) -> Finding:
    """See whether the firmware has the commands that everything here is built on."""
    ask = case.dialogue.attempt
    wanted = ("NETOPEN", "CIPOPEN", "CIPSEND", "CIPRXGET")
    missing = [name for name in wanted if not await _has(case, name)]
    if "NETOPEN" in missing and await ask(QueryNet()) is not None:
        missing.remove("NETOPEN")  # a firmware that only does not know the test form
    if "CIPRXGET" in missing and await ask(QueryReceiveMode()) is not None:
        missing.remove("CIPRXGET")
    if {"NETOPEN", "CIPOPEN"} <= set(missing):
        return failed(
            "firmware without the socket commands: NETOPEN and CIPOPEN are unknown",
            _OTHER_FIRMWARE,
        )
    if "CIPRXGET" in missing:
        return failed("firmware without buffer mode: CIPRXGET is unknown", _OTHER_FIRMWARE)
    if missing:
        return failed(f"firmware without {' and '.join(missing)}", _OTHER_FIRMWARE)
    return ok("the firmware has them, and buffer mode (CIPRXGET)")


async def _has(case: Case, name: str) -> bool:
    try:
        await case.dialogue.ask(Probe(name))
    except Refused:
        return False
    return True


# -- network --------------------------------------------------------------------------------


async def open_network(case: Case) -> Finding:
    """See that the stack can be opened; one that was closed is closed again in the end."""
    dialogue, config = case.dialogue, case.config
    if await dialogue.attempt(QueryNet()):
        return ok("open already, by another program or a run that was cut off; left so")
    stack = Stack(dialogue, config.modem, config.timeouts.connect_s, Habits())
    settled = trio.Event()
    case.undo.append(partial(_close_network, case, settled))  # first: it may be cut short
    try:
        await stack.open_network()
    except BringUpFailed as error:
        settled.set()
        return failed(
            f"no data connection: {error.problem}",
            "does the SIM have data, and credit? is the APN right (the module has "
            f"{case.apn or 'none'}, the configuration {config.modem.apn or 'none'}; the "
            "operator says which, and whether it wants a user name and password)?",
        )
    settled.set()
    return ok("opened for this examination; it is closed again at the end")


async def _close_network(case: Case, settled: trio.Event) -> None:
    """Close it; an open that was cut short may still come true."""
    patience_s = 0.0 if settled.is_set() else _OPENING_S
    deadline = trio.current_time() + patience_s
    while not await case.dialogue.attempt(QueryNet()):
        if trio.current_time() >= deadline:
            return
        await trio.sleep(_POLL_S)
    await case.dialogue.ask_with_result(
        CloseNet(), lambda urc: isinstance(urc, NetClosed), _CLOSE_S
    )


async def look_at_address(case: Case) -> Finding:
    """Say what the module's address means, above all for servers."""
    text = await case.dialogue.attempt(QueryIp())
    try:
        address = ip_address(text or "")
    except ValueError:
        return warning(f"none to be had ({text or 'AT+IPADDR refused'})", "restart the module")
    if isinstance(address, IPv6Address) or address.is_global:
        return ok(f"{address}, public")
    shared = address in _CARRIER_NAT
    kind = "behind the operator's NAT (100.64.0.0/10)" if shared else "private"
    servers = [f"{server.name} (port {server.port})" for server in case.config.servers]
    if not servers:
        return ok(f"{address}, {kind}: fine for connections from here to outside")
    return warning(
        f"{address}, {kind}: nobody outside the operator's network can reach your "
        f"{_count(len(servers), 'server')}: {', '.join(servers)}",
        "ask the operator for an APN with a public address, or let this side connect out, "
        "such as with a tunnel",
    )


def _count(number: int, what: str) -> str:
    return what if number == 1 else f"{number} {what}s"


# -- what differs between firmwares ---------------------------------------------------------


async def look_at_counters(case: Case) -> Finding:
    """CIPACK settles what became of a send whose result was lost."""
    try:
        await case.dialogue.ask(QueryAck(0))
    except Refused as error:
        if error.failure.is_ip("Operation not supported") or error.reason == "ERROR":
            return warning(
                "firmware without CIPACK: what became of a send cannot be asked",
                "it works; a connection is reset where the result of a send is lost",
            )
    return ok("the module counts what was sent and acknowledged (CIPACK)")


async def look_at_udp(case: Case) -> Finding:
    """See whether the firmware keeps datagrams apart (CIPCCFG's eighth field)."""
    fields = await case.dialogue.attempt(QueryNumbers("CIPCCFG"))
    users = list(_udp_users(case.config))
    if fields is not None and len(fields) >= _PACKAGE_FIELDS:
        return ok("the firmware has package mode: datagrams stay apart")
    said = "firmware without UDP package mode"
    if not users:
        return ok(f"{said}; nothing in the configuration uses UDP")
    return warning(
        f"{said}: datagrams that arrive close together may reach {', '.join(users)} as one, "
        "and nothing can tell",
        "one question at a time is safe (DNS, CoAP); for more, use TCP or a newer firmware",
    )


def _udp_users(config: Config) -> Iterator[str]:
    yield from (forward.name for forward in config.forwards if forward.protocol == "udp")
    yield from (proxy.name for proxy in config.proxies if proxy.protocol == "socks5")


# -- names ----------------------------------------------------------------------------------


async def look_up_names(case: Case) -> Finding:
    """Look up the names that the configuration connects to, or a well known one."""
    names = list(dict.fromkeys(_names(case.config)))[:_MOST_NAMES]
    found, bad = [], []
    for name in names or [USUAL_NAME]:
        addresses = await _look_up(case, name)
        if addresses:
            found.append(f"{name} is {addresses[0]}")
        else:
            bad.append(name)
    if not bad:
        return ok("; ".join(found))
    if not names:
        return warning(
            f"the module's resolver has no answer for {USUAL_NAME}",
            "set modem.dns: [9.9.9.9]; it matters only where names are connected to",
        )
    known = found or await _look_up(case, USUAL_NAME)
    if known:
        return failed(
            f"the module finds no address for {' and '.join(bad)}, but for other names it does",
            "is the name right? it is looked up behind the module, not on this host",
        )
    return failed(
        f"the module's resolver has no answer, not for {' and '.join(bad)} nor {USUAL_NAME}",
        "set modem.dns: [9.9.9.9], or ask the operator whether the APN lets DNS through",
    )


def _names(config: Config) -> Iterator[str]:
    for forward in config.forwards:
        try:
            ip_address(forward.connect.host)
        except ValueError:
            yield forward.connect.host


async def _look_up(case: Case, name: str) -> list[str]:
    return await case.dialogue.attempt(ResolveName(name)) or []

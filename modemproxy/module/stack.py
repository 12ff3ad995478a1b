"""Bring-up, second half: the embedded TCP/IP stack, from whatever it was to ours."""

import logging
from typing import Final

import trio

from modemproxy.at.commands import Assign
from modemproxy.at.results import Refused, tcpip_error_text
from modemproxy.at.servers import QueryServers, StopServer
from modemproxy.at.subscription import QueryAddress, SetDns
from modemproxy.at.tcpip import (
    MAX_TIMEOUT_S,
    MIN_TIMEOUT_S,
    SERVERS,
    CloseLink,
    CloseNet,
    OpenNet,
    QueryIp,
    QueryLinks,
    QueryNet,
    QueryReceiveMode,
)
from modemproxy.at.transfer import CHUNK, QueryUnread, ReadData
from modemproxy.at.urcs import CloseDone, NetClosed, NetOpened, ServerStopped, Urc
from modemproxy.config import ModemConfig
from modemproxy.errors import BringUpFailed
from modemproxy.module.dialogue import Dialogue
from modemproxy.module.habits import Habits

log = logging.getLogger(__name__)

#: CIPTIMEOUT's third field: how long the module waits for a payload or a send.
SEND_LIMIT_S: Final = 15.0
_CLOSE_LIMIT_S: Final = 30.0
_LINK_CLOSE_LIMIT_S: Final = 10.0
_NET_TRIES: Final = 3
_NET_PAUSE_S: Final = 2.0
#: So many unanswered keep-alives, a minute apart, end a connection.
_PROBES: Final = 5
#: Firmware that is told NETOPEN right behind NETCLOSE may refuse it.
_SETTLE_S: Final = 1.0


class Stack:
    """The steps that make the module's sockets ours."""

    def __init__(
        self, dialogue: Dialogue, modem: ModemConfig, connect_s: float, habits: Habits
    ) -> None:
        self._dialogue = dialogue
        self._modem = modem
        self._connect_s = connect_s
        self._habits = habits
        self._cannot_close = False

    async def close_left_over_network(self) -> None:
        """Take down a stack that somebody else left open, with its servers and links."""
        try:
            is_open = await self._dialogue.ask(QueryNet())
        except Refused as error:
            await self._explain_no_sockets()
            raise BringUpFailed("sockets", str(error)) from error
        if is_open:
            log.info("the network was open already: closing what was left")
            await self._stop_servers()
            await self._close_network()
            self._cannot_close = await self._is_open()

    async def _explain_no_sockets(self) -> None:
        """Some firmware has no TCP/IP commands at all, though the bearer is up."""
        if await self._dialogue.attempt(QueryIp()) is None:
            address = await self._dialogue.attempt(QueryAddress())
            bearer = f" (the bearer itself is up: {address})" if address else ""
            raise BringUpFailed(
                "sockets",
                "this module's firmware has no TCP/IP socket commands: NETOPEN is unknown"
                f"{bearer}. Another firmware or model is needed",
                hopeless=True,
            )

    async def _close_network(self) -> None:
        """Whatever NETCLOSE answers, NETOPEN? afterwards tells."""
        try:
            await self._dialogue.ask_with_result(
                CloseNet(),
                lambda urc: isinstance(urc, NetClosed),
                _CLOSE_LIMIT_S,
                self._is_closed,
            )
        except Refused as error:
            log.debug("%s", error)
        await trio.sleep(_SETTLE_S)

    async def _is_open(self) -> bool:
        state = await self._dialogue.attempt(QueryNet())
        return state is True

    async def _is_closed(self) -> bool:
        state = await self._dialogue.attempt(QueryNet())
        return state is False

    async def configure_sockets(self) -> bool:
        """Everything before NETOPEN: some of it latches there. Says if packages are kept."""
        dialogue = self._dialogue
        await dialogue.attempt(Assign("CIPMODE", "0"))
        await dialogue.ask(Assign("CIPRXGET", "1"))
        for name, value in (("CIPSENDMODE", "0"), ("CIPHEAD", "1"), ("CIPSRIP", "1")):
            await dialogue.attempt(Assign(name, value))
        # Strings for errors, link numbers in pushed data, datagrams kept apart.
        package_mode = await self._accepts("CIPCCFG", "10,0,0,1,1,0,500,1")
        if not package_mode:
            log.info("firmware without package mode: UDP datagrams close together may merge")
            await dialogue.attempt(Assign("CIPCCFG", "10,0,0,1,1,0,500"))
        await dialogue.attempt(Assign("CIPCFG", '"DATAECHO",OFF'))
        await dialogue.attempt(Assign("CIPTIMEOUT", self._time_outs()))
        if self._modem.ip_type == "IPV6":
            await dialogue.attempt(Assign("CSOCKSETPN", "1,6"))
        if self._modem.dns:
            await dialogue.attempt(SetDns(self._modem.dns))
        return package_mode

    async def _accepts(self, name: str, values: str) -> bool:
        try:
            await self._dialogue.ask(Assign(name, values))
        except Refused:
            return False
        return True

    def _time_outs(self) -> str:
        open_s = min(MAX_TIMEOUT_S, max(MIN_TIMEOUT_S, self._connect_s))
        return ",".join(str(int(s * 1000)) for s in (MAX_TIMEOUT_S, open_s, SEND_LIMIT_S))

    async def open_network(self) -> None:
        """Bring the stack up, in three tries."""
        problem = ""
        for attempt in range(_NET_TRIES):
            if attempt:
                await trio.sleep(_NET_PAUSE_S)
                await self._close_network()
            limit_s = self._habits.net_result_limit_s(attempt)
            problem = await self._try_open_network(limit_s)
            if not problem:
                return
            log.warning("NETOPEN failed: %s", problem)
        raise BringUpFailed("network", f"NETOPEN failed {_NET_TRIES} times: {problem}")

    async def _try_open_network(self, limit_s: float) -> str:
        """Return what went wrong, or nothing."""
        dialogue, habits = self._dialogue, self._habits
        began = trio.current_time()
        try:
            result: Urc | None = await dialogue.ask_with_result(
                OpenNet(),
                lambda urc: isinstance(urc, NetOpened),
                limit_s,
                self._is_open,
                ok_limit_s=habits.net_limit_s,
            )
            habits.net_ok_first = dialogue.ok_was_first
            habits.net_took_s = dialogue.ok_took_s
        except Refused as error:
            if not error.failure.is_ip("Network is already opened"):
                return str(error)
            # We closed it: it is this very command, or an earlier one that goes on.
            return "" if await self._comes_up(limit_s) else str(error)
        if isinstance(result, NetOpened):
            if result.err:
                return tcpip_error_text(result.err)
            habits.net_opened_s = trio.current_time() - began
            return ""
        if await self._is_open():
            log.warning("the network is open; the report of it was lost")
            return ""
        return f"no result within {limit_s:.0f} s"

    async def _comes_up(self, limit_s: float) -> bool:
        deadline = trio.current_time() + limit_s
        while not await self._is_open() and await self._dialogue.attempt(QueryIp()) is None:
            if trio.current_time() >= deadline:
                return False
            await trio.sleep(_NET_PAUSE_S)
        return True

    async def keep_alive(self) -> None:
        """Have idle connections asked after; once the network is open (manual, CTCPKA)."""
        minutes = self._modem.keepalive_min
        values = f"1,{minutes},{_PROBES},1" if minutes else f"0,1,{_PROBES},1"
        await self._dialogue.attempt(Assign("CTCPKA", values))

    async def clear_left_overs(self) -> None:
        """See that the mode held, and that no link and no server is there."""
        dialogue = self._dialogue
        if await dialogue.attempt(QueryReceiveMode()) != 1:
            await dialogue.ask(Assign("CIPRXGET", "1"))
        for number, is_open in enumerate(await self._count_links()):
            if is_open:
                await self._close_link(number)
        if self._cannot_close:  # else nothing of what came before is left under a number
            for number in range(self._habits.links):
                await self._drop_unread(number)
        await self._stop_servers()

    async def _count_links(self) -> tuple[bool, ...]:
        """Ask which are open, and learn how many there are.

        Another number than was known is to be said twice: commas get lost on the line.
        """
        habits = self._habits
        states = await self._dialogue.attempt(QueryLinks()) or ()
        if len(states) == habits.links:
            return states
        again = await self._dialogue.attempt(QueryLinks()) or ()
        if states and len(again) == len(states):
            log.info("this module has %d links, not %d", len(again), habits.links)
            habits.links = len(again)
        return again

    async def _close_link(self, number: int) -> None:
        """Close a ghost and wait for it: a late end would hit the number's next user."""
        try:
            await self._dialogue.ask_with_result(
                CloseLink(number),
                lambda urc: isinstance(urc, CloseDone) and urc.link == number,
                _LINK_CLOSE_LIMIT_S,
            )
        except Refused as error:
            log.debug("%s", error)

    async def _drop_unread(self, number: int) -> None:
        """Bytes that a connection of before left must not be the next one's first."""
        while await self._dialogue.attempt(QueryUnread(number)):
            if await self._dialogue.attempt(ReadData(number, CHUNK)) is None:
                return

    async def _stop_servers(self) -> None:
        servers = await self._dialogue.attempt(QueryServers())
        listening = range(SERVERS) if servers is None else sorted(servers)
        for index in listening:
            try:
                await self._dialogue.ask_with_result(
                    StopServer(index), lambda urc: isinstance(urc, ServerStopped), 2.0
                )
            except Refused as error:
                log.debug("%s", error)

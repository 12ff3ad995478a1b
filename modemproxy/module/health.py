"""Whether the module still is what bring-up made of it: asked now and then, and on suspicion.

Every ten seconds one command: with links open ``CIPCLOSE?`` (it finds a lost ``+IPCLOSE``, and
a lost ``+CLIENT``, so with servers it is asked without links too, every other time), without
``CIPRXGET?``, whose 0 is the set-back of a reboot that nobody heard of; every
minute the address and the registration (and the signal, for those who look). Whatever a
healthy line never shows (an echo, a result nobody asked for, rubbish) is looked into at once,
with less patience than usual.
"""

import logging
from collections.abc import Callable
from math import inf
from typing import Final

import trio

from modemproxy.at.results import Refused
from modemproxy.at.subscription import QueryRegistration, QuerySignal, QuerySim, Signal
from modemproxy.at.tcpip import QueryIp, QueryLinks, QueryNet, QueryReceiveMode
from modemproxy.errors import (
    CommandError,
    ModemProxyError,
    ModuleRebooted,
    NetworkError,
)
from modemproxy.line.scheduler import Scheduler
from modemproxy.module.pool import LinkPool
from modemproxy.module.subscriber import REGISTERED

log = logging.getLogger(__name__)

CHECK_S: Final = 10.0
#: The address and the registration are asked so often, half the time apart.
_ADDRESS_S: Final = 50.0
_SIGNAL_S: Final = 60.0
#: A healthy module answers a plain question in milliseconds.
_SUSPECT_LIMIT_S: Final = 3.0
_LOG_REST_S: Final = 5.0
#: From one look at a suspicion to the next.
_SUSPECT_GAP_S: Final = 0.5
_SILENT_RESTART: Final = "the module restarted silently (its settings are gone)"


class Health:
    """Watches one session.

    Args:
        scheduler: the line.
        pool: the links.
        address: the module's own, as bring-up found it.
        fail: called with what broke; it ends the session.

    Attributes:
        signal: what the module said last about its reception.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        pool: LinkPool,
        address: str,
        fail: Callable[[ModemProxyError], None],
    ) -> None:
        self._execute = scheduler.execute
        self._pool = pool
        self._address = address
        self._fail = fail
        self._suspected = trio.Event()
        self._quiet_until = self._cleared_at = -inf
        self._doubted = False
        self._unregistered = False
        self._swept = False
        self.signal: Signal | None = None
        self._address_at = self._registration_at = self._signal_at = trio.current_time()
        self._signal_at -= _SIGNAL_S * 3 / 4
        self._registration_at -= _ADDRESS_S / 2

    def suspect(self, why: str) -> None:
        """Something was odd: look now whether the module still is as we set it."""
        now = trio.current_time()
        if now >= self._quiet_until:  # an oddity that repeats itself must not fill the log
            log.warning("odd on the line: %s", why)
            self._quiet_until = now + _LOG_REST_S
        self._suspected.set()
        self._doubted = True

    def is_doubtful(self, since: float) -> bool:
        """Whether a suspicion stands that no check begun after ``since`` has cleared."""
        return self._doubted and self._cleared_at < since

    def suspect_bearer(self, why: str) -> None:
        """The bearer may have changed: look at its address now."""
        self.check_address_soon()
        self.suspect(why)

    def check_address_soon(self) -> None:
        """A bearer came up: it may be ours, with another address."""
        self._address_at = -inf

    async def watch(self) -> None:
        """Check until cancelled.

        Raises:
            LineError: the line ended.
        """
        while True:
            with trio.move_on_after(CHECK_S):
                await self._suspected.wait()
            suspected = self._suspected.is_set()
            self._suspected = trio.Event()
            began = trio.current_time()
            check_links = self._check_suspicion if suspected else self._check
            for check in (check_links, self._check_now_and_then):
                try:
                    await check()
                except CommandError as error:  # what one firmware lacks, another check finds
                    log.warning("health: %s", error)
            self._cleared_at = began
            self._doubted = self._suspected.is_set()
            if suspected:  # a module that chatters must not be asked at every word
                await trio.sleep(_SUSPECT_GAP_S)

    async def _check_suspicion(self) -> None:
        limit = _SUSPECT_LIMIT_S
        if await self._execute(QueryReceiveMode(), limit_s=limit) != 1:
            self._fail(ModuleRebooted(_SILENT_RESTART))
        elif not await self._execute(QueryNet(), limit_s=limit):
            self._fail(NetworkError("the module's network is closed (NETOPEN? says so)"))
        elif self._sweeps:
            await self._sweep()

    @property
    def _sweeps(self) -> bool:
        """Whether there may be links that we have not heard of the end of, or the begin."""
        return bool(self._pool.links) or self._pool.far_clients.expected

    async def _check(self) -> None:
        if self._pool.links or (self._sweeps and not self._swept):
            self._swept = True
            await self._sweep()
            return
        self._swept = False  # nobody here: far clients and settings are looked for in turn
        if await self._execute(QueryReceiveMode()) != 1:
            self._fail(ModuleRebooted(_SILENT_RESTART))

    async def _check_now_and_then(self) -> None:
        now = trio.current_time()
        if now - self._address_at >= _ADDRESS_S:
            self._address_at = now
            await self._check_address()
        elif now - self._registration_at >= _ADDRESS_S:
            self._registration_at = now
            await self._check_registration()
        elif now - self._signal_at >= _SIGNAL_S:
            self._signal_at = now
            await self._ask_signal()

    async def _ask_signal(self) -> None:
        """For those who look; nothing depends on it."""
        try:
            self.signal = await self._execute(QuerySignal(), limit_s=_SUSPECT_LIMIT_S)
        except Refused:
            self.signal = None

    async def _sweep(self) -> None:
        """Find links that the module closed, or opened, without our hearing of it."""
        asked = dict(self._pool.links)
        states = await self._execute(QueryLinks(self._pool.numbers.count))
        if self._pool.far_clients.expected:
            await self._pool.far_clients.look_for(states)
        lost = [
            link
            for number, link in asked.items()
            if number < len(states)
            and not states[number]
            and self._pool.links.get(number) is link
            and not link.far_closed
        ]
        if not lost:
            return
        if await self._execute(QueryReceiveMode()) != 1:
            self._fail(ModuleRebooted(_SILENT_RESTART))
        elif await self._check_address():  # no far side closed if it was the network
            for link in lost:
                log.warning("link %d was closed, and the report of it lost", link.number)
                link.note_far_close(1, heard=False)

    async def _second_answer(self, first: str) -> str:
        """Ask for the address once more; only the same answer counts."""
        second = await self._execute(QueryIp())
        return second if second == first else self._address

    async def _check_address(self) -> bool:
        """Whether the stack is up with the address it had."""
        try:
            address = await self._execute(QueryIp())
            if address != self._address:  # or a digit of it was lost on the line
                address = await self._second_answer(address)
        except Refused as error:
            if not error.failure.is_network_closed:
                return True
            if await self._execute(QueryReceiveMode()) != 1:  # and not only the network
                self._fail(ModuleRebooted(_SILENT_RESTART))
            else:
                self._fail(NetworkError(f"the module's network is closed ({error})"))
            return False
        if address != self._address:
            self._fail(NetworkError(f"the address changed to {address}"))
            return False
        return True

    async def _check_registration(self) -> None:
        """Twice in a row without a network or a SIM: links only look alive."""
        try:
            registered = await self._execute(QueryRegistration("CEREG")) in REGISTERED
            registered = registered or (
                await self._execute(QueryRegistration("CGREG")) in REGISTERED
            )
        except Refused:
            return  # no firmware at a loss for words is without a network for that
        if registered or not self._unregistered:
            self._unregistered = not registered
            if self._unregistered:
                self._registration_at -= _ADDRESS_S - 2 * CHECK_S  # and again soon
        else:
            self._fail(NetworkError("the module is not registered any more"))

    async def check_sim(self) -> None:
        """The SIM is said to be gone: ask.

        Raises:
            LineError: the line ended.
        """
        try:
            state = await self._execute(QuerySim(), limit_s=_SUSPECT_LIMIT_S)
        except CommandError as error:
            state = error.reason
        if state != "READY":
            self._fail(NetworkError(f"the SIM is not ready any more ({state})"))

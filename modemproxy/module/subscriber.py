"""Bring-up, first half: the SIM, the PDP context, the network's registration."""

import logging
from typing import Final

import trio

from modemproxy.at.commands import Assign
from modemproxy.at.results import Refused
from modemproxy.at.subscription import (
    EnterPin,
    QueryContexts,
    QueryRegistration,
    QuerySim,
    SetAuth,
    SetContext,
)
from modemproxy.config import ModemConfig
from modemproxy.errors import BringUpFailed
from modemproxy.module.dialogue import Dialogue
from modemproxy.module.state import StateStore

log = logging.getLogger(__name__)

SIM_LIMIT_S: Final = 10.0
REGISTRATION_LIMIT_S: Final = 90.0
_POLL_S: Final = 1.0
#: Registered: home, roaming; and 11, which working A7670E report.
REGISTERED: Final = frozenset({1, 5, 11})
_DENIED: Final = 3
_AUTH_METHODS: Final = {"none": 0, "pap": 1, "chap": 2}


class PinRefusedForGood(BringUpFailed):
    """A PIN was refused and that cannot be written down: stay up, try nothing more."""


class Subscriber:
    """The steps that make the module a subscriber of a network."""

    def __init__(self, dialogue: Dialogue, modem: ModemConfig, state: StateStore) -> None:
        self._dialogue = dialogue
        self._modem = modem
        self._state = state
        self._context_changed = False

    async def unlock_sim(self) -> None:
        """Wait for the SIM; enter the PIN when it asks for it."""
        state = "no answer"
        deadline = trio.current_time() + SIM_LIMIT_S
        while trio.current_time() < deadline:
            try:
                state = await self._dialogue.ask(QuerySim())
            except Refused as error:
                state = error.reason
            if state == "READY":
                return
            if state == "SIM PIN":
                await self._enter_pin()
            elif "PUK" in state:
                raise BringUpFailed(
                    "SIM", f"{state}: the SIM is locked, unlock it in a phone", hopeless=True
                )
            await trio.sleep(_POLL_S)
        raise BringUpFailed("SIM", f"not ready after {SIM_LIMIT_S:.0f} s: {state}")

    async def _enter_pin(self) -> None:
        pin = self._modem.pin
        if pin is None:
            raise BringUpFailed("SIM", "the SIM asks for a PIN (set modem.pin)", hopeless=True)
        if self._state.pin_refused(pin):
            raise BringUpFailed(
                "SIM", "modem.pin was refused before and is not sent again", hopeless=True
            )
        try:
            await self._dialogue.ask(EnterPin(pin))
        except Refused as error:
            self._remember_refusal(pin)
            raise BringUpFailed(
                "SIM",
                f"modem.pin was refused ({error.reason}); it is not sent again",
                hopeless=True,
            ) from error
        self._state.clear_pin_refused()

    def _remember_refusal(self, pin: str) -> None:
        try:
            self._state.note_pin_refused(pin)
        except OSError as error:
            raise PinRefusedForGood(
                "SIM", f"modem.pin was refused, and that cannot be remembered ({error})"
            ) from error

    async def define_context(self) -> None:
        """Set APN, type and credentials where the user gave any."""
        modem, dialogue = self._modem, self._dialogue
        if modem.apn is not None:
            contexts = await dialogue.attempt(QueryContexts()) or {}
            wanted = (modem.ip_type, modem.apn)
            if contexts.get(1) != wanted:  # it is saved in flash: not at every start
                await dialogue.ask(SetContext(*wanted))
                self._context_changed = True
        if modem.auth != "none":
            method = _AUTH_METHODS[modem.auth]
            await dialogue.ask(SetAuth(method, modem.username or "", modem.password or ""))
        if self._context_changed and await self._registration() in REGISTERED:
            # The default bearer keeps the old APN until the module attaches again.
            await dialogue.attempt(Assign("CGATT", "0"))
            await dialogue.attempt(Assign("CGATT", "1"))

    async def _registration(self) -> int:
        """CEREG decides, then CGREG; CREG may be denied while data works."""
        known = []
        for domain in ("CEREG", "CGREG"):
            stat = await self._dialogue.attempt(QueryRegistration(domain))
            if stat in REGISTERED:
                return stat
            if stat is not None:
                known.append(stat)
        if not known:  # a firmware that has neither
            known.append(await self._dialogue.attempt(QueryRegistration("CREG")) or 0)
        return known[0]

    async def wait_registered(self) -> None:
        """Wait until the network has us."""
        deadline = trio.current_time() + REGISTRATION_LIMIT_S
        while (stat := await self._registration()) not in REGISTERED:
            if trio.current_time() >= deadline:
                why = "denied (SIM, APN or roaming)" if stat == _DENIED else f"stat {stat}"
                raise BringUpFailed(
                    "registration", f"not registered after {REGISTRATION_LIMIT_S:.0f} s: {why}"
                )
            await trio.sleep(_POLL_S)

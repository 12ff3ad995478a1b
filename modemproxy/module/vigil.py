"""Waiting for better times: while the ladder pauses, the module is watched.

A pause may last minutes, and the SIM may be back, or the network, or the module itself,
after seconds. So the line is listened to, and a module that answers is asked for its SIM
and its registration every five seconds; one that does not is called (there are modules
that say nothing when they start). A change for the better ends the pause.
"""

from collections.abc import Sequence
from typing import Final

import trio

from modemproxy.at.commands import Attention
from modemproxy.at.subscription import QueryRegistration, QuerySim
from modemproxy.at.urcs import BootProgress, ModuleBooted, PacketEvent, Registration, SimState
from modemproxy.errors import BringUpFailed, CommandError
from modemproxy.line.channel import AtChannel
from modemproxy.module.dialogue import Dialogue
from modemproxy.module.subscriber import REGISTERED

_POLL_S: Final = 5.0
_ANSWER_S: Final = 3.0
_CALL_S: Final = 0.4
_LISTEN_S: Final = 0.25
#: A SIM that can be used, or will be once it has its PIN.
_SIM_IS_THERE: Final = frozenset({"READY", "SIM PIN"})
#: What a module says in the midst of its boot is no invitation yet.
_SETTLE_S: Final = 1.0


class Vigil:
    """Watches over one pause.

    Attributes:
        better: why the pause was cut short; empty when it was not.
    """

    def __init__(self, channel: AtChannel, failure: BaseException | None = None) -> None:
        """Args: failure: what the pause is for: a SIM that is there now was not then."""
        self._channel = channel
        self._dialogue = Dialogue(channel)
        self._heard_at_first = channel.lines_in
        self._state = _state_of(failure)
        self.better = ""

    async def wait(self, limit_s: float, *, ask: bool, speeds: Sequence[int] = ()) -> None:
        """Wait, at most ``limit_s`` seconds.

        Args:
            limit_s: the pause.
            ask: the module answers, so it may be asked; else listen for any word of it.
            speeds: in baud, at which one that did not answer is called.

        Raises:
            LineError: the line ended.
        """
        polling = limit_s >= _POLL_S
        with trio.move_on_after(limit_s):
            while not self.better:
                if polling:
                    await (self._poll() if ask else self._call(speeds))
                await self._listen(_POLL_S, strangers=not ask)
            await trio.sleep(_SETTLE_S)

    async def _listen(self, seconds: float, *, strangers: bool) -> None:
        """Hear what the module says; with ``strangers`` any word of it is good news."""
        with trio.move_on_after(seconds):
            while not self.better:
                await trio.sleep(_LISTEN_S)
                for urc in self._dialogue.take_heard():
                    self.better = self.better or _good_news(urc)
                if strangers and self._channel.lines_in != self._heard_at_first:
                    self.better = "the module speaks"

    async def _call(self, speeds: Sequence[int]) -> None:
        channel = self._channel
        for speed in speeds:
            if self.better or channel.quiet_until > trio.current_time():
                return  # a prompt came: what we say now might be sent on as payload
            await channel.port.set_line(baudrate=speed, rtscts=False)
            if await channel.probe(Attention(), _CALL_S):
                self.better = "the module answers"

    async def _poll(self) -> None:
        state = (await self._sim(), await self._registered())
        before, self._state = self._state, state
        if before is None:
            return
        if state[0] != before[0] and state[0] in _SIM_IS_THERE and before[0] != "READY":
            self.better = "the SIM is there"
        elif state[1] and not before[1]:
            self.better = "registered"

    async def _sim(self) -> str:
        try:
            return await self._channel.roundtrip(QuerySim(), limit_s=_ANSWER_S)
        except CommandError as error:
            return error.reason

    async def _registered(self) -> bool:
        try:
            query = QueryRegistration("CEREG")
            return await self._channel.roundtrip(query, limit_s=_ANSWER_S) in REGISTERED
        except CommandError:
            return False


def _state_of(failure: BaseException | None) -> tuple[str, bool] | None:
    """SIM and registration as a failed bring-up left them; None where it does not tell."""
    if not isinstance(failure, BringUpFailed) or failure.hopeless:
        return None
    return {"SIM": ("", False), "registration": ("READY", False)}.get(failure.step)


def _good_news(urc: object) -> str:
    match urc:
        case ModuleBooted() | BootProgress():
            return "the module has started"
        case SimState(state) if state in _SIM_IS_THERE:
            return "the SIM is there"
        case Registration(_, stat) if stat in REGISTERED:
            return "registered"
        case PacketEvent(text) if "PDN ACT" in text:
            return "the bearer is up"
    return ""

"""Waiting for better times: while the ladder pauses, the module is watched.

A pause may last minutes, and the SIM may be back, or the network, or the module itself,
after seconds. So the line is listened to, and a module that answers is asked for its SIM
and its registration every five seconds; one that does not is called (there are modules
that say nothing when they start). A change for the better ends the pause.

A module that restarts again and again is not helped by one more start, so its banner is no
good news then; that it has stayed up for a while is.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Final

import trio

from modemproxy.at.commands import Attention, Basic
from modemproxy.at.dte import AnyCommand
from modemproxy.at.subscription import QueryRegistration, QuerySim
from modemproxy.at.urcs import BootProgress, ModuleBooted, PacketEvent, Registration, SimState
from modemproxy.errors import BringUpFailed, CommandError, LineError
from modemproxy.line.channel import AtChannel, open_channel
from modemproxy.line.port import Port
from modemproxy.module.dialogue import Dialogue
from modemproxy.module.ladder import Rung, Step, Trouble, trouble_of
from modemproxy.module.subscriber import REGISTERED
from modemproxy.module.sync import SPEEDS

log = logging.getLogger(__name__)

_POLL_S: Final = 5.0
_ANSWER_S: Final = 3.0
_CALL_S: Final = 0.4
_LISTEN_S: Final = 0.25
_ATTENTION: Final = Attention()
#: A SIM that can be used, or will be once it has its PIN.
_SIM_IS_THERE: Final = frozenset({"READY", "SIM PIN"})
#: What a module says in the midst of its boot is no invitation yet.
_SETTLE_S: Final = 1.0
#: A restart loop is over when there was none for this long, and for this part of the pause.
_STEADY_S: Final = 20.0
_STEADY_PART: Final = 0.2
#: How soon to look again for a device that has gone in the midst of a pause.
_LOOK_S: Final = 2.0


async def watch_over(
    channel: AtChannel, failure: BaseException, pause_s: float, baudrate: int
) -> None:
    """Spend a pause on a line that is open; a change for the better ends it.

    Args:
        channel: the line, in step.
        failure: what the pause is for.
        pause_s: at most so long, seconds.
        baudrate: as configured; the factory's is the other at which a module is called.

    Raises:
        LineError: the line ended.
    """
    vigil = Vigil(channel, failure)
    ask = trouble_of(failure) is not Trouble.SILENT
    await vigil.wait(pause_s, ask=ask, speeds=_likely(baudrate))
    vigil.say_why()


async def sit_out(
    step: Step,
    open_port: Callable[[], Awaitable[Port]],
    *,
    silent_until: float,
    baudrate: int,
) -> None:
    """Spend the pause before a step, after the line has failed.

    A short one with the port closed, and so one before the power is cut; a long one on a
    port that is opened for it, or looked for until it is there.

    Args:
        step: what the pause is for.
        open_port: opens the line.
        silent_until: the port stays closed before (trio's clock): a payload is pending.
        baudrate: as configured.
    """
    until = trio.current_time() + step.pause_s
    if step.pause_s >= _POLL_S and step.rung is not Rung.POWER:
        await trio.sleep_until(min(until, silent_until))
        while (left_s := until - trio.current_time()) > 0:
            if await _look_after(step, open_port, left_s, _likely(baudrate)):
                return
            await trio.sleep(min(_LOOK_S, max(0.0, until - trio.current_time())))
    await trio.sleep_until(until)


def _likely(baudrate: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys((baudrate, SPEEDS[0])))


async def _look_after(
    step: Step, open_port: Callable[[], Awaitable[Port]], left_s: float, speeds: Sequence[int]
) -> bool:
    """Open the port and watch; say whether there was a change for the better."""
    vigil: Vigil | None = None
    try:
        async with open_channel(await open_port()) as channel:
            vigil = Vigil(channel)
            if step.restarts:
                await vigil.wait_steady(left_s, of_s=step.pause_s, speeds=speeds)
            else:
                ask = await vigil.answers(speeds)
                await vigil.wait(left_s, ask=ask, speeds=speeds)
    except* LineError as group:
        log.debug("in the pause: %s", group.exceptions[0])
    if vigil is None or not vigil.better:
        return False
    vigil.say_why()
    return True


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

    async def wait_steady(self, limit_s: float, *, of_s: float, speeds: Sequence[int]) -> None:
        """Wait until a module that restarts in a loop has stopped it, at most ``limit_s``.

        It is called with ATE0: a restart without a word brings the echo back.

        Args:
            limit_s: what is left of the pause, seconds.
            of_s: the whole pause, seconds; the longer it is, the longer is a while.
            speeds: in baud, at which it is called.

        Raises:
            LineError: the line ended.
        """
        steady_s = max(_STEADY_S, of_s * _STEADY_PART)
        since = inf
        with trio.move_on_after(limit_s):
            while trio.current_time() - since < steady_s:
                await trio.sleep(_POLL_S)
                since = await self._up_since(since, speeds)
            self.better = f"no restart for {steady_s:.0f} s"

    async def _up_since(self, since: float, speeds: Sequence[int]) -> float:
        """Call, and say since when it answers and has not restarted; ``inf``: it does not."""
        self._dialogue.echoed = False
        if not await self.answers(speeds, Basic("E0")):
            return inf
        heard = self._dialogue.take_heard()
        started = any(isinstance(urc, ModuleBooted | BootProgress) for urc in heard)
        if started or self._dialogue.echoed or since == inf:
            return trio.current_time()
        return since

    async def answers(self, speeds: Sequence[int], command: AnyCommand = _ATTENTION) -> bool:
        """Call the module; the line is left at the first speed that is answered.

        Raises:
            LineError: the line ended.
        """
        channel = self._channel
        for speed in speeds:
            if channel.quiet_until > trio.current_time():
                return False  # a prompt came: what we say might be sent on as payload
            await channel.port.set_line(baudrate=speed, rtscts=False)
            if await channel.probe(command, _CALL_S):
                return True
        return False

    def say_why(self) -> None:
        """Log why the pause was cut short, if it was."""
        if self.better:
            log.info("no need to wait longer: %s", self.better)

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
        if await self.answers(speeds):
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

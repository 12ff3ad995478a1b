"""The examination: the steps in their order, each only where what it needs was well."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from modemproxy.errors import (
    CommandError,
    LineError,
    ModemProxyError,
    ModuleRebooted,
    WriteBlocked,
    first_error,
)
from modemproxy.line.channel import open_channel
from modemproxy.module.dialogue import Dialogue
from modemproxy.operate.doctor import answer, host, listeners, network, subscription
from modemproxy.operate.doctor.case import Case
from modemproxy.operate.doctor.finding import Finding, Grade, failed, skipped
from modemproxy.operate.doctor.show import Display

log = logging.getLogger(__name__)

#: How long leaving the module as it was found may take.
_UNDO_S: Final = 40.0


@dataclass(frozen=True, slots=True)
class Step:
    """One question.

    Attributes:
        name: as it is shown.
        check: answers it.
        needs: names of the steps without which it makes no sense.
        limit_s: how long it may take; each command on the line has its own bound as well.
    """

    name: str
    check: Callable[[Case], Awaitable[Finding]]
    needs: tuple[str, ...] = ()
    limit_s: float = 30.0


CONFIGURATION: Final = "configuration"
BEFORE: Final = (
    Step("proxy", host.look_for_proxy),
    Step("port", host.find_port),
    Step("permission", host.check_permission, ("port",)),
    Step("holder", host.look_for_holders, ("port",)),
    Step("opening", host.open_line, ("proxy", "permission", "holder")),
)
ON_LINE: Final = (
    Step("answer", answer.meet, ("opening",), 120.0),
    Step("turn-around", answer.time_exchanges, ("answer",)),
    Step("model", answer.identify, ("answer",)),
    Step("sockets", network.look_for_sockets, ("answer",), 60.0),
    Step("radio", answer.wake_radio, ("answer",)),
    Step("SIM", subscription.look_at_sim, ("radio",), 60.0),
    Step("signal", subscription.measure_signal, ("SIM",)),
    Step("registration", subscription.wait_registered, ("SIM",), 120.0),
    Step("context", subscription.look_at_context, ("registration",)),
    Step("network", network.open_network, ("sockets", "context"), 75.0),
    Step("address", network.look_at_address, ("network",)),
    Step("sending", network.look_at_counters, ("network",)),
    Step("UDP", network.look_at_udp, ("sockets",)),
    Step("names", network.look_up_names, ("network",), 120.0),
)
AFTER: Final = (Step("host ports", listeners.try_ports),)
EVERYTHING: Final = (*BEFORE, *ON_LINE, *AFTER)


class Examination:
    """Goes through the steps and shows them.

    Attributes:
        grades: how each step ended.
    """

    def __init__(self, case: Case, display: Display) -> None:
        self.grades: dict[str, Grade] = {}
        self._case = case
        self._display = display
        self._current = ""

    async def run(self) -> None:
        """Do everything; cancelling leaves the module as it was found, which takes a while.

        Raises:
            OSError: the report cannot be written.
        """
        await self._do(BEFORE)
        if self.grades["opening"] is Grade.OK:
            await self._on_line()
        self._skip(ON_LINE)
        await self._do(AFTER)

    async def _on_line(self) -> None:
        """Do the steps that need the line, which a cancellation does not end at once."""
        steps = trio.CancelScope()

        async def pass_on_cancelling() -> None:
            try:
                await trio.sleep_forever()
            finally:
                steps.cancel()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pass_on_cancelling)
                with trio.CancelScope(shield=True):
                    await self._talk(steps)
                nursery.cancel_scope.cancel()
        except* LineError as group:
            if self._current:  # else it had ended with a finding of its own
                self._end(self._current, _line_lost(first_error(group)))
        await trio.lowlevel.checkpoint_if_cancelled()

    async def _talk(self, cancelled: trio.CancelScope) -> None:
        """Open the channel, do the steps until ``cancelled``, undo what they did.

        Raises:
            LineError: the line is lost (alone or in a group).
        """
        assert self._case.port is not None, "opening it went well"
        async with open_channel(self._case.port) as channel:
            self._case.dialogue = Dialogue(channel)
            with cancelled:
                await self._do(ON_LINE)
            await self._undo()

    async def _do(self, steps: Sequence[Step]) -> None:
        """Do steps in their order.

        Raises:
            LineError: the line is lost.
        """
        for step in steps:
            if missing := self._missing(step):
                self._end(step.name, skipped(f"needs: {', '.join(missing)}"))
                continue
            self._current = step.name
            self._display.begin(step.name)
            self._end(step.name, await self._check(step))

    async def _check(self, step: Step) -> Finding:
        with trio.move_on_after(step.limit_s):
            try:
                return await step.check(self._case)
            except LineError:
                raise
            except CommandError as error:
                return failed(
                    str(error), "try again; if it stays so, restart the module (power off)"
                )
            except ModemProxyError as error:
                return failed(str(error), "this should not be: please report it")
        return failed(
            f"not done within {step.limit_s:.0f} s", "restart the module, and try again"
        )

    def _missing(self, step: Step) -> list[str]:
        """What it needs and what was not well."""
        fine = (Grade.OK, Grade.WARNING)
        return [name for name in step.needs if self.grades.get(name) not in fine]

    def _end(self, name: str, finding: Finding) -> None:
        self._current = ""
        self.grades[name] = finding.grade
        self._display.end(name, finding)

    def _skip(self, steps: Sequence[Step]) -> None:
        """Those that a lost line, or none, has left over."""
        for step in steps:
            if step.name not in self.grades:
                missing = self._missing(step) or ["the line"]
                self._end(step.name, skipped(f"needs: {', '.join(missing)}"))

    async def _undo(self) -> None:
        """Leave the module as it was found."""
        with trio.move_on_after(_UNDO_S):
            for undo in reversed(self._case.undo):
                try:
                    await undo()
                except CommandError as error:
                    log.info("%s", error)
                except LineError as error:
                    log.info("%s", error)
                    return


def _line_lost(error: BaseException) -> Finding:
    said = str(error)
    if isinstance(error, ModuleRebooted):
        return failed(
            said,
            "its supply is too weak, most likely: it takes peaks of 2 A when it sends; use "
            "a stronger supply, shorter and thicker wires, a powered USB hub",
        )
    if isinstance(error, WriteBlocked):
        return failed(
            said,
            "with flow_control: rtscts, are RTS and CTS connected? else the module is stuck: "
            "restart it",
        )
    return failed(said, "look at the cable and the supply, then try again")


def verdict(grades: dict[str, Grade]) -> tuple[str, int]:
    """Sum an examination up: a line, and the exit code."""
    bad = [name for name, grade in grades.items() if grade is Grade.FAILED]
    doubts = sum(grade is Grade.WARNING for grade in grades.values())
    also = f", {doubts} warning{'s' if doubts > 1 else ''}" if doubts else ""
    if bad:
        first = "Begin with it." if len(bad) == 1 else f"Begin with {bad[0]}."
        return f"{len(bad)} failed: {', '.join(bad)}{also}. {first}", 1
    return f"All is well{also}.", 0

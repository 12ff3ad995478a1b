"""The module as faults see it: what they may look at, change, and put back.

Changes of the dialect for a time (``overlay``) are a stack: what is lifted uncovers what lies
below, in whatever order the faults of one field end.
"""

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Protocol, runtime_checkable

import trio

from modemproxy.emulator.dce import Power
from modemproxy.emulator.faults_said import Said, link_of
from modemproxy.emulator.faults_wire import Wire
from modemproxy.emulator.links import Link
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.output import Piece
from modemproxy.emulator.syntax import Call, Form
from modemproxy.emulator.tcp import TcpLink
from modemproxy.emulator.timers import Action, Timer


@runtime_checkable
class Cable(Protocol):
    """Something that takes the module away from its DTE and brings it back."""

    def unplug(self) -> None:
        """Make the device vanish; harmless when it has."""

    def plug_in(self) -> None:
        """Make it come back; harmless when it is there."""


@runtime_checkable
class MovableCable(Cable, Protocol):
    """A cable whose device can come back under another name."""

    def plug_in_elsewhere(self) -> None:
        """Make it come back with another device number behind the same link."""


class Site:
    """One module under faults.

    Args:
        module: the module.
        cable: how it vanishes; None when nobody can make it.

    Attributes:
        send: the CIPSEND whose prompt was or will be said, until its final result code.
        call: the command that ran last.
        sent_link: the link of the last CIPSEND.
        on_netopen, on_reset: called, once, when the network is opened anew, or when the
            module or its radio restarts.
        silenced: the rest of this command line's answer is not said.
    """

    def __init__(self, module: EmulatedModule, cable: Cable | None) -> None:
        self.module = module
        self.dce = module.dce
        self.wire: Wire = module.wire
        self.cable = cable
        self.call = Call("AT")
        self.send: Call | None = None
        self.sent_link: int | None = None
        self.silenced = False
        self._overlays: dict[object, dict[str, Any]] = {}
        self._base: dict[str, Any] = {}
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._woken = trio.Event()
        self._steps: list[Action] = []
        self.on_netopen: list[Action] = []
        self.on_reset: list[Action] = []
        module.after_step = self.step_done

    # -- time --

    def later(self, delay_s: float, action: Action) -> Timer:
        """Run ``action`` after a time, whatever becomes of the module meanwhile."""
        timer = Timer(trio.current_time() + delay_s, action)
        heapq.heappush(self._heap, (timer.when, next(self._order), timer))
        self._woken.set()
        return timer

    def in_module(self, delay_s: float, action: Action) -> Timer:
        """Run ``action`` after a time unless the module restarts before."""
        return self.dce.ctx.timer(self.dce.ctx.now + delay_s, action)

    def after_step(self, action: Action) -> None:
        """Run ``action`` when the module has finished what it is doing this instant."""
        self._steps.append(action)
        # where no driver's step is under way (the far side acted), this makes one
        self.dce.ctx.timer(self.dce.ctx.now, lambda: None)

    def step_done(self) -> None:
        """Run what waited for the end of the step."""
        while self._steps:
            self._steps.pop(0)()

    async def run(self) -> None:
        """Run what ``later`` was given, for ever."""
        while True:
            self._woken = trio.Event()
            if not self._heap:
                await self._woken.wait()
                continue
            with trio.move_on_at(self._heap[0][0]):
                await self._woken.wait()
            self._run_due()

    def _run_due(self) -> None:
        while self._heap and self._heap[0][0] <= trio.current_time():
            timer = heapq.heappop(self._heap)[2]
            if not timer.cancelled:
                self.dce.ctx.touch()
                timer.action()
                self.step_done()

    # -- the dialect --

    def overlay(self, key: object, **changes: Any) -> None:  # noqa: ANN401
        """Change options of the dialect until ``lift(key)``."""
        for name in changes:
            self._base.setdefault(name, getattr(self.dce.profile, name))
        self._overlays[key] = changes
        self.module.set_profile(**changes)

    def lift(self, key: object) -> None:
        """Put back what an overlay changed; harmless when there is none."""
        values: dict[str, Any] = {}
        for name in self._overlays.pop(key, {}):
            over = [changes[name] for changes in self._overlays.values() if name in changes]
            values[name] = over[-1] if over else self._base.pop(name)
        if values:
            self.module.set_profile(**values)

    @contextmanager
    def dialect(self, **changes: Any) -> Iterator[None]:  # noqa: ANN401
        """Have other options for as long as the block runs."""
        key = object()
        self.overlay(key, **changes)
        try:
            yield
        finally:
            self.lift(key)

    # -- the line --

    @property
    def powered(self) -> bool:
        """Whether the module is on, and has booted."""
        return self.dce.power is Power.ON

    def say(self, line: str) -> None:
        """Say something unasked if the module is on; faults of what is said apply."""
        if self.powered:
            self.dce.ctx.touch()
            self.dce.ctx.urc(line)

    def say_later(self, delay_s: float, data: bytes) -> None:
        """Say bytes after a time, past all faults; lost when the module restarts."""
        self.in_module(delay_s, lambda: self.dce.out.put_past(data))

    def position(self) -> int:
        """Return the position on the wire of what is said next (``Wire.pause_at``)."""
        return self.wire.taken + len(self.dce.out)

    def in_payload(self, size: int) -> int:
        """Return how many of the next ``size`` bytes from the DTE are payload."""
        entry = self.dce.input.entry
        if entry is None:
            return 0
        wanted = self.send.number(1) if self.send is not None else None
        return size if wanted is None else min(size, wanted - len(entry.data))

    # -- links --

    def link(self, number: int | None) -> Link | None:
        """Return a link by number."""
        return None if number is None else self.dce.stack.links[number]

    def open_tcp(self) -> list[TcpLink]:
        """Return the open TCP links."""
        return [link for link in self.dce.stack.any_open() if isinstance(link, TcpLink)]

    # -- following the dialogue --

    def note_call(self, call: Call) -> None:
        """Hear of a command that is about to run."""
        self.silenced = False
        self.call = call
        self.send = None
        if call.name == "+CIPSEND" and call.form is Form.SET:
            self.send = call
            self.sent_link = link_of(call)
        if call.name == "+NETOPEN" and call.form in (Form.EXECUTE, Form.SET):
            if not self.dce.stack.net_state:
                self.network_opens()
        elif call.name == "+CRESET" or (call.name == "+CFUN" and call.form is Form.SET):
            self.restarts()

    def network_opens(self) -> None:
        """Hear that the network is opened anew."""
        _run_once(self.on_netopen)

    def restarts(self) -> None:
        """Hear that the module or its radio restarts; a new context comes with that."""
        self.wire.forget()
        _run_once(self.on_reset)
        _run_once(self.on_netopen)

    def note_said(self, said: Said) -> str | None:
        """Hear of a piece; return the phase of a send that it is about to end, if any."""
        if said.piece is Piece.PROMPT and self.send is not None:
            return "prompt"
        if said.final and self.send is not None:
            return "ok"
        return "result" if said.is_urc("send_result") else None


def _run_once(actions: list[Action]) -> None:
    while actions:
        actions.pop()()

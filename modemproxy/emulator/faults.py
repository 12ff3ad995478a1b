"""Faults of the emulated module: named, composable, set off by time, counts, bytes or dice.

    faults = FaultBox(module, port, seed=7)
    nursery.start_soon(faults.run)
    faults.add(Fault("drop_urc", urc="data", link=3, probability=0.2))
    faults.add(Fault("reboot", banner="none", on_send={"phase": "payload", "nth": 5}))
    deaf = faults.inject("deaf", for_s=15)
    ...
    faults.clear()

What faults there are: ``modemproxy emulate --list-faults``, or ``list_faults()``. The dice of
every rule are its own, so that one seed replays a run and rules do not disturb each other.
"""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, Final

import trio

from modemproxy.emulator import (
    faults_bytes,
    faults_commands,
    faults_dialect,
    faults_links,
    faults_network,
    faults_power,
    faults_reads,
    faults_sends,
    faults_servers,
    faults_urcs,
)
from modemproxy.emulator.atport import AtPort, Handler
from modemproxy.emulator.entry import Entry
from modemproxy.emulator.faults_active import Active, Struck
from modemproxy.emulator.faults_kind import KINDS, Event, Filter, Kind, Proceed
from modemproxy.emulator.faults_params import describe
from modemproxy.emulator.faults_rule import Fault, When
from modemproxy.emulator.faults_said import Said, link_of
from modemproxy.emulator.faults_site import Cable, Site
from modemproxy.emulator.module import EmulatedModule
from modemproxy.emulator.output import Piece
from modemproxy.emulator.reply import Reply
from modemproxy.emulator.syntax import Call

__all__ = ["FAMILIES", "Active", "Fault", "FaultBox", "Struck", "list_faults"]

#: Where the faults are, in the order in which they are listed.
FAMILIES: Final = (
    faults_urcs,
    faults_commands,
    faults_sends,
    faults_reads,
    faults_links,
    faults_servers,
    faults_network,
    faults_power,
    faults_bytes,
    faults_dialect,
)


class FaultBox:
    """The faults of one module; those of the dialogue are those of its first port.

    Args:
        module: the module; one box each.
        port: what unplugs it and plugs it in, for the faults that make it vanish.
        seed: of all dice.

    Attributes:
        log: what really happened, in order.
        on_strike: called with each entry of the log.
    """

    def __init__(
        self, module: EmulatedModule, port: Cable | None = None, *, seed: int = 0
    ) -> None:
        self.site = Site(module, port)
        self.log: list[Struck] = []
        self.on_strike: Callable[[Struck], None] = lambda _struck: None
        self.started = trio.current_time()
        self._seed = seed
        self._added = 0
        self._rules: list[Active] = []
        self._entry: Entry | None = None
        module.handlers.advice = self._advise
        module.dce.out.tap = self._say
        module.dce.input.tap = self._receive

    # -- rules --

    def add(self, rule: Fault) -> Active:
        """Let a rule work from now on; without a trigger it is set off at once.

        Raises:
            ValueError: the module would have to vanish, and the box was given no port.
        """
        kind = rule.kind
        if issubclass(kind, Event) and kind.needs_cable and self.site.cable is None:
            raise ValueError(f"{rule.name}: nobody can unplug this module (give a port)")
        self._added += 1
        # not a hash: the same seed must throw the same dice in every process
        rng = Random(f"{self._seed}:{self._added}:{rule.name}")
        active = Active(rule, self.site, rng, self._note)
        # those that are over would only be asked in vain, thousands of them in a long run
        self._rules = [rule for rule in self._rules if not rule.over]
        self._rules.append(active)
        active.start()
        self.site.step_done()
        return active

    def inject(self, name: str, **given: Any) -> Active:  # noqa: ANN401 - any parameter's type
        """Do it at once: short for ``add(Fault(name, ...))`` without a trigger.

        Raises:
            ValueError: the fault or a parameter is wrong.
        """
        return self.add(Fault(name, **given))

    def clear(self) -> None:
        """End every rule and lift whatever stands; the log stays."""
        rules, self._rules = self._rules, []
        for active in reversed(rules):
            active.lift()
        self.site.step_done()
        if self.site.cable is not None:
            # a restart that took the device away may not be over yet
            self.site.cable.plug_in()

    @property
    def standing(self) -> list[str]:
        """The names of the faults that hold now."""
        return [rule.rule.name for rule in self._rules if rule.holds]

    async def run(self) -> None:
        """Run everything that takes time (at_s, every_s, for_s, vanishing), for ever.

        Cancellation: nothing more happens by itself; what stands stays until ``clear``.
        """
        await self.site.run()

    def _note(self, name: str, detail: str) -> None:
        struck = Struck(trio.current_time() - self.started, name, detail)
        self.log.append(struck)
        self.on_strike(struck)

    def _armed(self, hook: str) -> Iterator[Filter]:
        """Give the filters that may strike now and have something to do with this."""
        for active in list(self._rules):
            kind = active.kind
            if not active.armed or not isinstance(kind, Filter):
                continue
            if getattr(type(kind), hook) is not getattr(Filter, hook):
                yield kind

    # -- commands --

    def _advise(self, port: AtPort, call: Call, handler: Handler) -> Reply | None:
        if port is not self.site.dce:
            return handler(port, call)
        self.site.note_call(call)
        for active in list(self._rules):
            active.saw_command(call.name, link_of(call))

        proceed: Proceed = partial(handler, port)
        for kind in reversed(list(self._armed("called"))):
            proceed = _before(kind, proceed)
        return proceed(call)

    # -- what the module says --

    def _say(self, piece: Piece, data: bytes) -> bytes:
        site = self.site
        said = Said(piece, data)
        phase = site.note_said(said)
        if phase is not None:
            self._saw_send(phase, said.link if phase == "result" else site.sent_link)
        if site.silenced and piece in (Piece.LINE, Piece.PAYLOAD, Piece.PROMPT):
            site.silenced = not said.final
            data = b""
        for kind in self._armed("said"):
            if not data:
                break
            data = kind.said(said)
            if data is not said.data:
                said = Said(piece, data)
        if phase == "ok":
            site.send = None
        self._count("out", len(data))
        return data

    # -- what it hears --

    def _receive(self, data: bytes) -> bytes:
        self._meet_entry()
        for kind in self._armed("incoming"):
            data = kind.incoming(data, self.site.in_payload(len(data)))
        self._count("in", len(data))
        self.site.step_done()
        return data if self.site.powered else b""

    def _meet_entry(self) -> None:
        """Act on the first payload bytes of a send."""
        site, entry = self.site, self.site.dce.input.entry
        if entry is None or entry is self._entry:
            return
        self._entry = entry
        if site.send is None:
            return
        self._saw_send("payload", site.sent_link)
        for kind in self._armed("sending"):
            entry.done = kind.sending(site.send, entry.done)

    # -- triggers --

    def _saw_send(self, phase: str, link: int | None) -> None:
        for active in list(self._rules):
            active.saw_send(phase, link)

    def _count(self, direction: str, size: int) -> None:
        for active in list(self._rules):
            active.saw_bytes(direction, size)


def _before(kind: Filter, proceed: Proceed) -> Proceed:
    return lambda call: kind.called(call, proceed)


def list_faults() -> Iterator[str]:
    """Give the lines of ``--list-faults``: every fault, its parameters, and the triggers."""
    order = [family.__name__ for family in FAMILIES]
    for kind in sorted(KINDS.values(), key=lambda kind: order.index(kind.__module__)):
        yield f"{kind.name}  {summary(kind)}"
        yield from (f"    {line}" for line in describe(kind))
    yield ""
    yield "Every fault also takes:"
    yield from (f"    {line}" for line in describe(When))


def summary(kind: type[Kind]) -> str:
    """Return the one line that says what a fault does."""
    return (kind.__doc__ or "").strip().partition("\n")[0]

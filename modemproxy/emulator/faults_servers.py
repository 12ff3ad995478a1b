"""Faults of the servers on the module: a far client and a CIPOPEN meet at one number.

A host cannot know that the module has just given a number to a far client (protocol.md 7 and
18, line 51): its CIPOPEN of that number is refused, or fails when it was accepted already.
The two reports, of the client and of the open, come in any order.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Final, Literal

from modemproxy.emulator.faults_kind import Filter, Proceed, fault
from modemproxy.emulator.faults_said import link_of
from modemproxy.emulator.reply import Reply, error, ok
from modemproxy.emulator.servers import FarCaller
from modemproxy.emulator.syntax import Call, Form
from modemproxy.emulator.timers import Action

_NOT_SUPPORTED: Final = 4

Order = Literal["client_first", "refusal_first", "ok_first", "result_first", "no_result", "any"]
_AT_ONCE: Final[tuple[Order, ...]] = ("client_first", "refusal_first")
_LATER: Final[tuple[Order, ...]] = ("ok_first", "result_first", "no_result")


@fault("collision")
@dataclass(eq=False)
class Collision(Filter):
    """A far client of a server gets the number of a CIPOPEN; it waits for one up to hold_s."""

    per_link: ClassVar[bool] = True
    order: Order = "any"  # of +CLIENT and +CIPOPEN: l,4; ok_first: OK, client, result
    delay_s: float = 0.0  # from OK to what is behind it
    hold_s: float = 1.0  # how long a client waits for a CIPOPEN

    def begin(self) -> None:
        """Keep far clients waiting from now on."""
        self._held: list[FarCaller] = []
        self.site.dce.stack.entrance.keepers.append(self._keep)

    def end(self) -> None:
        """Let those in who still wait."""
        self.site.dce.stack.entrance.keepers.remove(self._keep)
        for caller in list(self._held):
            self._let_go(caller)

    def _keep(self, caller: FarCaller) -> bool:
        if self.spent():
            return False
        self._held.append(caller)
        self.site.in_module(self.hold_s, partial(self._let_go, caller))
        return True

    def _let_go(self, caller: FarCaller) -> None:
        if caller in self._held:
            self._held.remove(caller)
            self.site.dce.stack.entrance.let_go(caller)

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Give the number of an open to the client who waits longest."""
        entrance, number = self.site.dce.stack.entrance, link_of(call)
        self._held = [caller for caller in self._held if caller in entrance.waiting()]
        if not self._is_open(call, number) or not self._held:
            return proceed(call)
        order = self._order(call)
        if not self.strike(f"{call.raw}: {order}"):
            return proceed(call)
        meet = partial(self._meet, self._held.pop(0), number)
        line = f"+CIPOPEN: {number},{_NOT_SUPPORTED}"
        if order == "client_first":
            meet()
            return error(line)
        if order == "refusal_first":
            return replace(error(line), after=meet)
        return ok(after=lambda: self._later(order, line, meet))

    def _meet(self, caller: FarCaller, number: int | None) -> None:
        """Let a client in, at another number if that one is not to be had any more."""
        entrance = self.site.dce.stack.entrance
        if not entrance.let_in(caller, number):
            entrance.let_go(caller)

    def _is_open(self, call: Call, number: int | None) -> bool:
        if call.name != "+CIPOPEN" or call.form is not Form.SET or not self.concerns(number):
            return False
        return number in self.site.dce.stack.free_numbers()

    def _order(self, call: Call) -> Order:
        """Choose; a UDP open is never accepted first, its result stands before OK."""
        possible = _AT_ONCE + (_LATER if call.text(1).upper() == "TCP" else ())
        return self.order if self.order in possible else self.rng.choice(possible)

    def _later(self, order: Order, line: str, meet: Action) -> None:
        def say() -> None:
            self.site.dce.out.urc(line)

        results = {"ok_first": (meet, say), "result_first": (say, meet)}
        for action in results.get(order, (meet,)):
            self.site.dce.ctx.later(self.delay_s, action)

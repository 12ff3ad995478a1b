"""Faults of any command: it gets lost, or its answer does, or comes late, or is another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from modemproxy.emulator.faults_kind import Event, Filter, Proceed, fault
from modemproxy.emulator.faults_said import Said, known_command, link_of
from modemproxy.emulator.reply import OK, Reply
from modemproxy.emulator.syntax import Call


class _OfCommand(Filter):
    """A filter of one command, or of all."""

    per_link: ClassVar[bool] = True
    command: str

    def __post_init__(self) -> None:
        self._name = known_command(self.command, "command") if self.command else ""

    def is_mine(self, call: Call) -> bool:
        """Whether it is about this command."""
        return self._name in ("", call.name) and self.concerns(link_of(call))


@fault("lose_command")
@dataclass(eq=False)
class LoseCommand(_OfCommand):
    """A command never reaches the module's interpreter: not executed, not answered."""

    command: str = ""  # as +CIPSEND; all when left out

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Do nothing, say nothing."""
        if not self.is_mine(call) or not self.strike(_shown(call)):
            return proceed(call)
        self.site.silenced = True
        self.site.send = None
        return OK


@fault("lose_answer")
@dataclass(eq=False)
class LoseAnswer(_OfCommand):
    """A command is executed and its answer, the final result code included, is never said."""

    command: str = ""  # as +CIPSEND (its prompt too); all when left out

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Execute it in silence."""
        if self.is_mine(call) and self.strike(_shown(call)):
            self.site.silenced = True
        return proceed(call)


@fault("lose_final")
@dataclass(eq=False)
class LoseFinal(_OfCommand):
    """The final result code of a command is lost; of a send, the one after its payload."""

    command: str = ""  # as +CIPSEND; all when left out

    def said(self, said: Said) -> bytes:
        """Say nothing instead."""
        call = self.site.call
        if said.final and self.is_mine(call) and self.strike(f"{_shown(call)}: {said.text}"):
            return b""
        return said.data


@fault("late_answer")
@dataclass(eq=False)
class LateAnswer(_OfCommand):
    """A command is executed late, and so answered late."""

    command: str = ""  # as +CIPSEND; all when left out
    delay_s: float = 1.0  # how late

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Execute it after a while; the module is busy meanwhile."""
        if not self.is_mine(call) or not self.strike(f"{_shown(call)} by {self.delay_s} s"):
            return proceed(call)
        self.site.in_module(self.delay_s, self._run(call, proceed))
        return None

    def _run(self, call: Call, proceed: Proceed) -> Callable[[], None]:
        def run() -> None:
            reply = proceed(call)
            if reply is not None:
                self.site.dce.finish(reply)

        return run


@fault("answer")
@dataclass(eq=False)
class Answer(_OfCommand):
    """A command is not executed; it gets another answer."""

    command: str = ""  # as +CIPSEND; all when left out
    final: str = "ERROR"  # the final result code
    lines: tuple[str, ...] = ()  # said before it

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Answer."""
        if not self.is_mine(call) or not self.strike(f"{_shown(call)}: {self.final}"):
            return proceed(call)
        self.site.send = None
        return Reply(self.lines, self.final)


@fault("echo_on")
@dataclass(eq=False)
class EchoOn(Event):
    """Echo is switched on, as by a part of the module that restarted."""

    def possible(self) -> bool:
        """Whether there is a module to do so."""
        return self.site.powered

    def begin(self) -> None:
        """Switch it on."""
        self.site.dce.settings.echo = True


def _shown(call: Call) -> str:
    return f"{call.name}{call.form.value}{call.raw}"

"""Faults of opening and closing links (manual 15.2.5, 15.2.9)."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, Literal

from modemproxy.emulator.faults_kind import Event, Filter, Proceed, fault
from modemproxy.emulator.faults_params import number
from modemproxy.emulator.faults_said import link_of
from modemproxy.emulator.links import State
from modemproxy.emulator.reply import Reply, error, ok
from modemproxy.emulator.syntax import Call, Form
from modemproxy.emulator.tcp import REMOTE_CLOSED, TcpLink

#: Results that come at once, with ERROR; the others after OK (protocol.md 3.2).
_AT_ONCE: Final = frozenset({2, 3, 4, 6})


class _OfOpen(Filter):
    per_link: ClassVar[bool] = True

    def is_open(self, call: Call) -> bool:
        """Whether this opens a TCP link it is about, and could."""
        opens = call.name == "+CIPOPEN" and call.form is Form.SET
        if not opens or call.text(1).upper() != "TCP" or not self.concerns(link_of(call)):
            return False
        return self.site.dce.stack.net and self.site.dce.stack.is_free(call.number(0) or 0)


@fault("open_error")
@dataclass(eq=False)
class OpenError(_OfOpen):
    """A CIPOPEN of a TCP link fails."""

    err: int = number(10, least=1)  # the result: 1-12, as in the manual's table
    form: Literal["usual", "after_ok", "with_error"] = "usual"  # OK and then it, or with ERROR
    delay_s: float = 0.0  # from OK to the result

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Fail it."""
        if not self.is_open(call) or not self.strike(f"{call.raw}: {self.err}"):
            return proceed(call)
        line = f"+CIPOPEN: {link_of(call)},{self.err}"
        usual = "with_error" if self.err in _AT_ONCE else "after_ok"
        if (usual if self.form == "usual" else self.form) == "with_error":
            return error(line)
        return ok(after=partial(self._say_later, line))

    def _say_later(self, line: str) -> None:
        self.site.dce.ctx.later(self.delay_s, lambda: self.site.dce.out.urc(line))


@fault("open_never")
@dataclass(eq=False)
class OpenNever(_OfOpen):
    """A CIPOPEN of a TCP link is accepted, and its result never comes."""

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Leave the link opening for ever."""
        if not self.is_open(call) or not self.strike(call.raw):
            return proceed(call)
        link = self.site.dce.stack.new_tcp(call.number(0) or 0)
        link.host, link.port = call.text(2), call.number(3) or 0
        return ok()


@fault("open_late")
@dataclass(eq=False)
class OpenLate(_OfOpen):
    """A CIPOPEN of a TCP link succeeds late."""

    lingers: ClassVar[bool] = True
    delay_s: float = 35.0  # from OK to the result
    stubborn: bool = True  # a CIPCLOSE meanwhile is refused, so that the success does come

    def begin(self) -> None:
        """Know of no open yet."""
        self._late: dict[int, TcpLink | None] = {}

    def called(self, call: Call, proceed: Proceed) -> Reply | None:
        """Delay an open; refuse to close what is opening."""
        if self.stubborn and call.name == "+CIPCLOSE" and call.form is Form.SET:
            return self._close(call, proceed)
        if not self.is_open(call) or not self.strike(f"{call.raw} by {self.delay_s} s"):
            return proceed(call)
        with self.site.dialect(open_delay_s=self.delay_s):
            reply = proceed(call)
        number = call.number(0) or 0
        self._late[number] = self.site.dce.stack.tcp(number)
        return reply

    def _close(self, call: Call, proceed: Proceed) -> Reply | None:
        link = self._late.get(link_of(call) or 0)
        if link is None or link.state is not State.OPENING:
            return proceed(call)
        with self.site.dialect(close_while_opening="error"):
            return proceed(call)


@fault("far_close")
@dataclass(eq=False)
class FarClose(Event):
    """A link is closed, as by its far side or by the module itself."""

    per_link: ClassVar[bool] = True
    code: int = number(1, most=2)  # +IPCLOSE: l,code; 1 the far side, 2 a send timed out
    which: Literal["given", "same", "other"] = "given"  # "link", that of the trigger, another
    reset: bool = False  # by RST of the far side
    discard: bool = False  # bytes not read yet are thrown away
    urc: bool = True  # +IPCLOSE is said

    def possible(self) -> bool:
        """Whether such a link is open."""
        self._link = self._choose()
        return self._link is not None

    def detail(self) -> str:
        """Say which."""
        number = None if self._link is None else self._link.number
        return f"{number}, code {self.code}"

    def begin(self) -> None:
        """Close it."""
        link = self._link
        if link is None:
            return
        usual = link.on_closed

        def closed(link: TcpLink) -> None:
            if self.discard:
                link.rx.clear()
            if self.urc:
                usual(link)

        link.on_closed = closed
        if self.code == REMOTE_CLOSED:
            link.ended(reset=self.reset)
        else:
            link.lost(self.code)

    def _choose(self) -> TcpLink | None:
        links = self.site.open_tcp()
        if self.which == "same":
            links = [link for link in links if link.number == self.cause]
        elif self.which == "other":
            links = [link for link in links if link.number != self.cause]
        elif self.link is not None:
            links = [link for link in links if link.number == self.link]
        return self.rng.choice(links) if links else None


@fault("stale_data")
@dataclass(eq=False)
class StaleData(Event):
    """What was left unread on a link shows up in its next use."""

    stands: ClassVar[bool] = True

    def begin(self) -> None:
        """Change the dialect."""
        self.site.overlay(self, stale_data_after_reuse=True)

    def end(self) -> None:
        """Put it back."""
        self.site.lift(self)
